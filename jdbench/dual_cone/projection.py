"""The program of Proposition 1, min vᵀGv over v ≥ u, by any solver: unit rows in, weights out ([JD] eq. 5)."""

import torch
from torch import Tensor

from jdbench.dual_cone.solution import Solution, Status
from jdbench.dual_cone.solvers import qpsolvers_backend
from jdbench.dual_cone.solvers.active_set import active_set
from jdbench.errors import InputError, NonFiniteError, SolverError, unknown_name
from jdbench.gramian import checked_gramian, unit_rows
from jdbench.shapes import Gramian, WeightRows

ACTIVE_SET = "active-set"


def available_solvers() -> list[str]:
    """Return the names that `solve` accepts here: ours, then those qpsolvers finds installed."""
    return [ACTIVE_SET, *qpsolvers_backend.installed()]


def solve(G: Gramian, U: WeightRows, solver: str = ACTIVE_SET) -> Solution:
    """Return W with rows argmin of vᵀGv over v ≥ u, and its residuals ([JD] eq. 5, Lemma 4).

    The program is solved in unit rows, y = Dw with D the row norms, and scaled back: the dual cone does
    not depend on the norms, so neither does the accuracy. Where G is singular the weights are not
    unique, Jᵀw is. The weight of a zero row is its bound.

    Args:
        G: Gramian, shape ``[..., m, m]``, any positive semi-definite matrix.
        U: Bounds, shape ``[..., k, m]``: k programs for each Gramian.
        solver: A name out of `available_solvers()`. All of them run on the CPU.

    Returns:
        The solution, weights in float64 on the device of G. A solver that fails gives a status, not an
        exception.

    Raises:
        InputError: A shape does not fit.
        NonFiniteError: G or U holds NaN or infinity.
        UnknownNameError: No such solver here.
    """
    known = available_solvers()
    if solver not in known:
        raise unknown_name("solver", solver, known)
    G = checked_gramian(G)
    m = G.shape[-1]
    if not isinstance(U, Tensor) or U.is_complex():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"U, required a real torch.Tensor, got {type(U).__name__}, convert it first")
    if U.ndim < 2 or U.shape[-1] != m:
        raise InputError(
            f"U, required shape [..., k, {m}] to fit G, got {tuple(U.shape)}, pass one bound a row"
        )
    if not bool(torch.isfinite(U).all()):
        raise NonFiniteError("U, required finite bounds, got NaN or infinity, look at the preferences")
    try:
        batch = torch.broadcast_shapes(G.shape[:-2], U.shape[:-2])
    except RuntimeError as error:
        raise InputError(
            f"U, required leading dimensions that broadcast with those of G, {tuple(G.shape[:-2])}, got "
            f"{tuple(U.shape[:-2])}, pass one set of bounds a Gramian or one for all"
        ) from error
    U = U.detach().to(G).expand(*batch, *U.shape[-2:])
    norms, cosines = unit_rows(G)
    norms = norms.unsqueeze(-2)
    bounds = U * norms
    scale = bounds.abs().amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    flat_bounds = (bounds / scale).reshape(-1, *U.shape[-2:]).contiguous().cpu().numpy()
    flat_cosines = cosines.expand(*batch, m, m).reshape(-1, m, m).contiguous().cpu().numpy()
    if solver == ACTIVE_SET:
        flat, iterations = active_set(flat_cosines, flat_bounds)
    else:
        flat, iterations = qpsolvers_backend.quadratic_program(flat_cosines, flat_bounds, solver), -1
    shift = torch.from_numpy(flat - flat_bounds).to(G.device).reshape(U.shape) * scale
    # w = u + (y - û)/d rather than y/d: a weight at its bound is then that bound, bit for bit.
    weights = U + torch.where(norms > 0, shift / norms, 0.0)
    return Solution(G, U, weights, iterations, solver)


def project_weights(G: Gramian, U: WeightRows) -> WeightRows:
    """Return W with rows argmin of vᵀGv over v ≥ u: the weights of projections onto the dual cone.

    πJ(Jᵀu) = Jᵀw ([JD] Proposition 1). Where G is singular w is not unique, Jᵀw is.

    Args:
        G: Gramian, shape ``[..., m, m]``.
        U: Bounds, shape ``[..., k, m]``.

    Returns:
        Weights, shape ``[..., k, m]``, float64.

    Raises:
        InputError: A shape does not fit.
        NonFiniteError: G or U holds NaN or infinity.
        SolverError: The solver ended with residuals that no rounding explains.
    """
    solution = solve(G, U)
    if solution.status is not Status.SOLVED:
        excess = solution.residual() / solution.rounding_limit()
        if not bool((excess <= 1).all()):
            raise SolverError(
                f"residual={float(excess.max()):.2g} times its rounding, required at most 1, got status "
                f"{solution.status} after {solution.iterations} iterations, check that G is positive "
                "semi-definite"
            )
    return solution.weights
