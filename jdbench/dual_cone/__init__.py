"""Projection onto the dual cone of the rows of J through its Gramian ([JD] Proposition 1)."""

from jdbench.dual_cone.projection import available_solvers, project_weights, solve
from jdbench.dual_cone.solution import Solution, Status

__all__ = ["Solution", "Status", "available_solvers", "project_weights", "solve"]
