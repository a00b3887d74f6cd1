"""The projection onto the dual cone in Rⁿ, argmin ½‖x - Jᵀu‖² over 0 ≤ Jx, by other solvers ([JD] eq. 3).

Nothing here sees a Gramian or shares code with `jdbench.dual_cone`: it is what Proposition 1 is compared with.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import qpsolvers
import qpsolvers.exceptions
import torch

from jdbench.rounding import row_norms
from jdbench.shapes import Jacobian, Vector, WeightRows
from jdbench.verification.dual_cone.lemmas import unit_program
from jdbench.verification.dual_cone.residuals import ASKED, Residuals, rounding

SOLVERS = ("daqp", "proxqp")
"""A dual active-set method, exact up to rounding, and where it finds nothing a proximal one."""

Array = npt.NDArray[np.float64]


class Projection(NamedTuple):
    """Points of Rⁿ with their own KKT residuals, in unit rows.

    Attributes:
        points: πJ(Jᵀu)/s, shape ``[k, n]``; NaN where none was found.
        multipliers: v ≥ 0 of x = t + Ĵᵀv, shape ``[k, m]``.
        residuals: Of the points with v for z.
    """

    points: Vector
    multipliers: WeightRows
    residuals: Residuals


def project(J: Jacobian, U: WeightRows, solvers: tuple[str, ...] = SOLVERS) -> Projection:
    """Return argmin ½‖x - t‖² over 0 ≤ Ĵx for each t = Jᵀu/s ([JD] eq. 3).

    Args:
        J: Jacobian, shape ``[m, n]``, any norms, any rank.
        U: Bounds, shape ``[k, m]``: what is projected is Jᵀu.
        solvers: Quadratic programming solvers that qpsolvers finds installed; the first that finds a point.

    Returns:
        The projections with residuals; all of them NaN where no solver found one.
    """
    rows, scale, _, targets = unit_program(J, U, U)
    points = torch.full_like(targets, torch.nan)
    V = torch.full(U.shape, torch.nan, dtype=torch.float64)
    norms = row_norms(J)
    present = norms > 0  # a zero row constrains nothing, and some solvers refuse it
    for k, target in enumerate(targets):
        attempts = [(solver, asked) for solver in solvers for asked in ASKED]
        answers = (_solve(rows[present].numpy(), target.numpy(), *attempt) for attempt in attempts)
        found = next((answer for answer in answers if answer is not None), None)
        if found is not None:
            points[k], V[k] = torch.from_numpy(found[0]), 0.0
            V[k, present] = torch.from_numpy(found[1]).clamp(min=0)
    slack = points @ rows.mT
    # An iterative solver leaves every vᵢ above zero: of vᵢ and (Ĵx)ᵢ the smaller is the one that should vanish.
    V = torch.where(slack > V, 0.0, V)
    W = U + V * scale.unsqueeze(-1) / torch.where(norms > 0, norms, 1.0)
    explained = rounding(J, U, W)
    none = torch.zeros_like(slack[:, 0])
    residuals = Residuals(
        none,
        (-slack).clamp(min=0).amax(-1) + explained.slack,
        (V * slack).sum(-1).abs() + explained.gap,
        torch.where(V > 0, slack.abs(), 0.0).amax(-1) + explained.complementarity,
        V.sum(-1),
        (points - targets - V @ rows).norm(dim=-1) + explained.offset,
    )
    return Projection(points, V, residuals)


def _solve(rows: Array, target: Array, solver: str, asked: float) -> tuple[Array, Array] | None:
    if not len(rows):
        return target, np.zeros(0)
    problem = qpsolvers.Problem(np.eye(len(target)), -target, -rows, np.zeros(len(rows)))
    options: dict[str, dict[str, Any]] = {
        "daqp": {"primal_tol": asked, "dual_tol": asked},
        "proxqp": {"eps_abs": asked, "eps_rel": 0.0},
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solution = qpsolvers.solve_problem(problem, solver, **options.get(solver, {}))
    except qpsolvers.exceptions.QPError:
        return None
    if not solution.found or solution.x is None or solution.z is None:
        return None
    return solution.x, solution.z
