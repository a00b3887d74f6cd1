"""Every quadratic programming solver that qpsolvers finds installed, on the same program in unit rows."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import qpsolvers
import qpsolvers.exceptions

TOLERANCE = 1e-12
"""Absolute feasibility asked of the iterative solvers, in unit rows."""

OPTIONS: dict[str, dict[str, Any]] = {
    "proxqp": {"eps_abs": TOLERANCE, "eps_rel": 0.0, "max_iter": 100_000},
    # Proximal-point iterations: without them DAQP takes singular Gramians for strictly convex ones.
    "daqp": {"primal_tol": TOLERANCE, "dual_tol": TOLERANCE, "eps_prox": 1e-6, "eta_prox": TOLERANCE},
    "clarabel": {"tol_feas": TOLERANCE, "tol_gap_abs": TOLERANCE, "tol_gap_rel": TOLERANCE},
    "osqp": {"eps_abs": TOLERANCE, "eps_rel": 0.0, "max_iter": 1_000_000},
    "scs": {"eps_abs": TOLERANCE, "eps_rel": 0.0, "max_iters": 1_000_000},
}


def installed() -> list[str]:
    """Return the names of the solvers that qpsolvers can call here, sorted."""
    return sorted(qpsolvers.available_solvers)


def quadratic_program(
    cosines: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64], solver: str
) -> npt.NDArray[np.float64]:
    """Return argmin of yᵀĜy over y ≥ û for each Gramian and each of its bounds.

    Args:
        cosines: Unit-row Gramians Ĝ, shape ``[b, m, m]``.
        bounds: Bounds û, shape ``[b, k, m]``.
        solver: A name out of `installed()`.

    Returns:
        Minimisers y ``[b, k, m]``, NaN where the solver found none. Solvers for strictly convex programs
        (quadprog) find none for a singular Gramian.
    """
    weights = np.full_like(bounds, np.nan)
    for b in range(bounds.shape[0]):
        for k in range(bounds.shape[1]):
            answer = _solve(cosines[b], bounds[b, k], solver)
            if answer is not None:
                weights[b, k] = answer
    return weights


def _solve(
    cosines: npt.NDArray[np.float64], bound: npt.NDArray[np.float64], solver: str
) -> npt.NDArray[np.float64] | None:
    # min ½zᵀĜz + (Ĝû)ᵀz over z ≥ 0 rather than min ½yᵀĜy over y ≥ û: the same program with its bounds at
    # zero, where the solvers' absolute tolerances mean the same thing for every coordinate.
    problem = qpsolvers.Problem(cosines, cosines @ bound, lb=np.zeros_like(bound))
    try:
        # Their warnings (dense matrices made sparse, a status short of solved) end up in our status.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            solution = qpsolvers.solve_problem(problem, solver, **OPTIONS.get(solver, {}))
    except qpsolvers.exceptions.QPError:
        return None
    if not solution.found or solution.x is None:
        return None
    return bound + solution.x
