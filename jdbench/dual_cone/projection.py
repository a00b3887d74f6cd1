"""The program of Proposition 1, min vᵀGv over v ≥ u, by any solver: unit rows in, weights out ([JD] eq. 5)."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.dual_cone.solution import ACCURACY, Solution, Status
from jdbench.dual_cone.solvers import qpsolvers_backend
from jdbench.dual_cone.solvers.active_set import active_set
from jdbench.errors import InputError, NonFiniteError, SolverError, unknown_name
from jdbench.gramian import checked_gramian, unit_rows
from jdbench.shapes import Gramian, WeightRows

ACTIVE_SET = "active-set"


def available_solvers() -> list[str]:
    """Return the names that `solve` accepts here: ours, then those qpsolvers finds installed."""
    return [ACTIVE_SET, *qpsolvers_backend.installed()]


def solve(G: Gramian, U: WeightRows, solver: str = ACTIVE_SET, start: WeightRows | None = None) -> Solution:
    """Return W with rows argmin of vᵀGv over v ≥ u, and its residuals ([JD] eq. 5, Lemma 4).

    The program is solved in unit rows, y = Dw with D the row norms, and scaled back: the dual cone does
    not depend on the norms, so neither does the accuracy. Where G is singular the weights are not
    unique, Jᵀw is. The weight of a zero row is its bound.

    Args:
        G: Gramian, shape ``[..., m, m]``, any positive semi-definite matrix.
        U: Bounds, shape ``[..., k, m]``: k programs for each Gramian.
        solver: A name out of `available_solvers()`. All of them run on the CPU.
        start: Weights near the answer, shape of the answer: those of the step before, say. They change the
            time that `active-set` takes, and which of several answers it finds where G is singular.

    Returns:
        The solution, weights in float64 on the device of G. A solver that fails gives a status, not an
        exception.

    Raises:
        InputError: A shape does not fit.
        NonFiniteError: G or U holds NaN or infinity.
        UnknownNameError: No such solver here.
    """
    if solver != ACTIVE_SET and solver not in available_solvers():
        raise unknown_name("solver", solver, available_solvers())
    G, U, batch = _checked(G, U)
    if solver == ACTIVE_SET:
        weights, iterations, _ = _by_active_set(G, U, batch, start)
    else:
        weights, iterations = _by_backend(G, U.expand(*batch, *U.shape[-2:]), solver), -1
    return Solution(G, U.expand(*batch, *U.shape[-2:]), weights, iterations, solver)


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
    return projected(*_checked(G, U))


def projected(G: Gramian, U: WeightRows, batch: torch.Size | None = None) -> WeightRows:
    """Return what `project_weights` returns, without a look at the arguments.

    Args:
        G: Gramian, shape ``[..., m, m]``, out of `checked_gramian`.
        U: Bounds, shape ``[..., k, m]``, finite, float64, on the device of G.
        batch: The leading dimensions of both, broadcast; those of G by default.

    Returns:
        Weights, shape ``[..., k, m]``, float64.

    Raises:
        SolverError: The solver ended with residuals that no rounding explains.
    """
    batch = G.shape[:-2] if batch is None else batch
    weights, iterations, worst = _by_active_set(G, U, batch, None)
    if not worst <= ACCURACY:
        solution = Solution(G, U.expand(*batch, *U.shape[-2:]), weights, iterations, ACTIVE_SET)
        excess = solution.residual() / solution.rounding_limit()
        if solution.status is not Status.SOLVED and not bool((excess <= 1).all()):
            raise SolverError(
                f"residual={float(excess.max()):.2g} times its rounding, required at most 1, got status "
                f"{solution.status} after {solution.iterations} iterations, check that G is positive "
                "semi-definite"
            )
    return weights


def _checked(G: Gramian, U: WeightRows) -> tuple[Gramian, WeightRows, torch.Size]:
    """Return both in float64 on the device of G, and their leading dimensions broadcast."""
    G = checked_gramian(G)
    m = G.shape[-1]
    if not isinstance(U, Tensor) or U.is_complex():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"U, required a real torch.Tensor, got {type(U).__name__}, convert it first")
    if U.ndim < 2 or U.shape[-1] != m:
        raise InputError(
            f"U, required shape [..., k, {m}] to fit G, got {tuple(U.shape)}, pass one bound a row"
        )
    U = U.detach().to(G)
    # A sum is finite only if its terms are; the other way round it may overflow.
    if not math.isfinite(float(U.sum())) and not bool(torch.isfinite(U).all()):
        raise NonFiniteError("U, required finite bounds, got NaN or infinity, look at the preferences")
    if U.ndim == 2:
        return G, U, G.shape[:-2]
    try:
        return G, U, torch.broadcast_shapes(G.shape[:-2], U.shape[:-2])
    except RuntimeError as error:
        raise InputError(
            f"U, required leading dimensions that broadcast with those of G, {tuple(G.shape[:-2])}, got "
            f"{tuple(U.shape[:-2])}, pass one set of bounds a Gramian or one for all"
        ) from error


def _by_active_set(
    G: Gramian, U: WeightRows, batch: torch.Size, start: WeightRows | None
) -> tuple[WeightRows, int, float]:
    """Return the weights, the most changes of an active set and the largest residual."""
    k, m = U.shape[-2:]
    shape = (*batch, k, m)
    if U.ndim > 2:
        G, U = G.expand(*batch, m, m), U.expand(shape)
    if start is not None:
        if start.shape != shape:
            raise InputError(
                f"start, required shape {shape} of the answer, got {tuple(start.shape)}, pass earlier weights"
            )
        start = start.detach().to(G)
    flat, changes, worst = active_set(_flat(G), _flat(U), None if start is None else _flat(start))
    weights = torch.from_numpy(flat.reshape(shape))
    return weights if G.is_cpu else weights.to(G.device), changes, worst


def _flat(T: Tensor) -> npt.NDArray[np.float64]:
    """Return a contiguous array on the CPU with the leading dimensions made one."""
    return np.ascontiguousarray(T.numpy(force=True).reshape(-1, *T.shape[-2:]))


def _by_backend(G: Gramian, U: WeightRows, solver: str) -> WeightRows:
    """Return the weights that a backend of qpsolvers finds, NaN where it finds none."""
    m = G.shape[-1]
    norms, cosines = unit_rows(G)
    norms = norms.unsqueeze(-2)
    bounds = U * norms
    scale = bounds.abs().amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    flat_bounds = (bounds / scale).reshape(-1, *U.shape[-2:]).contiguous().cpu().numpy()
    flat_cosines = cosines.expand(*U.shape[:-2], m, m).reshape(-1, m, m).contiguous().cpu().numpy()
    flat = qpsolvers_backend.quadratic_program(flat_cosines, flat_bounds, solver)
    shift = torch.from_numpy(flat - flat_bounds).to(G.device).reshape(U.shape) * scale
    # w = u + (y - û)/d rather than y/d: a weight at its bound is then that bound, bit for bit.
    return U + torch.where(norms > 0, shift / norms, 0.0)
