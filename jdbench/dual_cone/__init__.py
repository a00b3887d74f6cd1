"""Projection onto the dual cone of the rows of J through its Gramian ([JD] Proposition 1)."""

from jdbench.dual_cone.projection import available_solvers, project_weights, solve, summed_weights
from jdbench.dual_cone.solution import SharedBounds, Solution, Status, shared_bounds

__all__ = [
    "SharedBounds",
    "Solution",
    "Status",
    "available_solvers",
    "project_weights",
    "shared_bounds",
    "solve",
    "summed_weights",
]
