"""The program of Proposition 1, min vᵀGv over v ≥ u, by any solver: unit rows in, weights out ([JD] eq. 5)."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.dual_cone.solution import ACCURACY, SharedBounds, Solution, Status
from jdbench.dual_cone.solvers import qpsolvers_backend
from jdbench.dual_cone.solvers.active_set import active_set
from jdbench.dual_cone.solvers.batched import EXCHANGES, GUESSES, SETTLED, batched
from jdbench.errors import InputError, NonFiniteError, SolverError, unknown_name
from jdbench.gramian import as_gramian, checked_gramian, half_precision, soundness, unit_rows
from jdbench.shapes import Gramian, WeightRows, Weights

ACTIVE_SET = "active-set"
BATCHED = "batched"


def available_solvers() -> list[str]:
    """Return the names that `solve` accepts here: ours, then those qpsolvers finds installed.

    Example:
        >>> from jdbench.dual_cone import available_solvers
        >>> available_solvers()[:2]
        ['active-set', 'batched']
    """
    return [ACTIVE_SET, BATCHED, *qpsolvers_backend.installed()]


def solve(G: Gramian, U: WeightRows, solver: str | None = None, start: WeightRows | None = None) -> Solution:
    """Return W with rows argmin of vᵀGv over v ≥ u, and its residuals ([JD] eq. 5, Lemma 4).

    The program is solved in unit rows, y = Dw with D the row norms, and scaled back: the dual cone does
    not depend on the norms, so neither does the accuracy. Where G is singular the weights are not
    unique, Jᵀw is. The weight of a zero row is its bound.

    Args:
        G: Gramian, shape ``[..., m, m]``, any positive semi-definite matrix.
        U: Bounds, shape ``[..., k, m]``: k programs for each Gramian.
        solver: A name out of `available_solvers()`; by default ``active-set``, which runs on the CPU, for
            tensors there, and ``batched``, which runs on any device, elsewhere. The programs that ``batched``
            does not settle go to ``active-set``; for the answer to that, and for errors, it waits for the
            device once. All others run on the CPU.
        start: Weights near the answer, shape of the answer: those of the step before, say. They change the
            time that ``active-set`` takes, and which of several answers it finds where G is singular.

    Returns:
        The solution, weights in float64 on the device of G. A solver that fails gives a status, not an
        exception.

    Raises:
        InputError: A shape does not fit.
        NonFiniteError: G or U holds NaN or infinity.
        UnknownNameError: No such solver here.

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import solve
        >>> G = torch.tensor([[16.0, -4.0], [-4.0, 2.0]])  # of the rows (4, 0) and (-1, 1)
        >>> solve(G, torch.tensor([[0.5, 0.5]])).weights.round(decimals=3)  # DualProj: Jᵀw = (1, 1)
        tensor([[0.5000, 1.0000]], dtype=torch.float64)
        >>> str(solve(G, torch.tensor([[0.5, 0.5]]), solver="batched").status)
        'solved'
    """
    if solver not in {None, ACTIVE_SET, BATCHED} and solver not in available_solvers():
        raise unknown_name("solver", str(solver), available_solvers())
    return _solve(G, U, solver, start).solution()


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

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import project_weights
        >>> G = torch.tensor([[16.0, -4.0], [-4.0, 2.0]])  # of the rows (4, 0) and (-1, 1)
        >>> project_weights(G, torch.eye(2)).round(decimals=3)  # the projected rows are (2, 2) and (0, 1)
        tensor([[1.0000, 2.0000],
                [0.2500, 1.0000]], dtype=torch.float64)
    """
    answer = _solve(G, U, None, None)
    if answer.worst <= ACCURACY:
        return answer.weights
    solution = answer.solution()
    if solution.status is not Status.SOLVED:
        excess = solution.residual() / solution.rounding_limit()
        if not bool((excess <= 1).all()):
            raise SolverError(
                f"residual={float(excess.max()):.2g} times its rounding, required at most 1, got status "
                f"{solution.status} after {solution.iterations} iterations, check that G is positive "
                "semi-definite"
            )
    return solution.weights


def summed_weights(G: Gramian, bounds: SharedBounds) -> Weights:
    """Return the sum of the rows of `project_weights`, for tensors on the CPU without making the rows.

    Args:
        G: Gramian, shape ``[..., m, m]``.
        bounds: Bounds, shape ``[k, m]``, on the device of G.

    Returns:
        Weights, shape ``[..., m]``, float64.

    Raises:
        InputError: A shape does not fit.
        NonFiniteError: G or U holds NaN or infinity.
        SolverError: The solver ended with residuals that no rounding explains.

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import shared_bounds, summed_weights
        >>> G = torch.tensor([[16.0, -4.0], [-4.0, 2.0]])
        >>> summed_weights(G, shared_bounds(torch.eye(2).double() / 2)).round(decimals=3)  # those of UPGrad
        tensor([0.6250, 1.5000], dtype=torch.float64)
    """
    original, G = G, as_gramian(G)
    if G.is_cpu and bounds.array.shape[-1] == G.shape[-1]:
        precision = half_precision(original.dtype)
        W, _, worst = active_set(_flat(G), bounds.array, None, precision=precision, summed=True)
        if worst <= ACCURACY:
            return torch.from_numpy(W.reshape(G.shape[:-1]))
    return project_weights(original, bounds.tensor).sum(-2)


class _Answer(NamedTuple):
    """What a `Solution` is made of where it is asked for, and the largest residual as far as it is known."""

    gramian: Gramian
    bounds: WeightRows
    weights: WeightRows
    iterations: int
    solver: str
    worst: float

    def solution(self) -> Solution:
        """Return the solution."""
        bounds = self.bounds.expand(self.weights.shape)
        return Solution(self.gramian, bounds, self.weights, self.iterations, self.solver)


def _solve(G: Gramian, U: WeightRows, solver: str | None, start: WeightRows | None) -> _Answer:
    original, G = G, as_gramian(G)
    U, batch = _checked_bounds(G, U)
    k, m = U.shape[-2:]
    shape = (*batch, k, m)
    if start is not None and start.shape != shape:
        raise InputError(
            f"start, required shape {shape} of the answer, got {tuple(start.shape)}, pass earlier weights"
        )
    if solver == BATCHED or (solver is None and not G.is_cpu):
        weights, iterations, worst = _by_batched(original, G, U.expand(shape), start)
        return _Answer(G, U, weights, iterations, BATCHED, worst)
    if solver not in {None, ACTIVE_SET}:
        G = checked_gramian(original)
        _check_finite(U)
        weights = _by_backend(G, U.expand(shape), str(solver))
        return _Answer(G, U, weights, -1, str(solver), math.nan)
    flat = (G, U) if U.ndim == 2 else (G.expand(*batch, m, m), U.expand(shape))
    near = None if start is None else _flat(start.to(torch.float64))
    precision = half_precision(original.dtype)
    W, iterations, worst = active_set(_flat(flat[0]), _flat(flat[1]), near, precision=precision)
    if not worst <= ACCURACY:
        checked_gramian(original)
        _check_finite(U)
    weights = torch.from_numpy(W.reshape(shape))
    weights = weights if G.is_cpu else weights.to(G.device)
    return _Answer(G, U, weights, iterations, ACTIVE_SET, worst)


def _checked_bounds(G: Gramian, U: WeightRows) -> tuple[WeightRows, torch.Size]:
    """Return the bounds in float64 on the device of G, and the leading dimensions of both broadcast."""
    m = G.shape[-1]
    if not isinstance(U, Tensor) or U.is_complex():  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"U, required a real torch.Tensor, got {type(U).__name__}, convert it first")
    if U.ndim < 2 or U.shape[-1] != m:
        raise InputError(
            f"U, required shape [..., k, {m}] to fit G, got {tuple(U.shape)}, pass one bound a row"
        )
    U = U.detach() if U.requires_grad else U
    U = U if U.dtype == G.dtype and U.device == G.device else U.to(G)
    if U.ndim == 2:
        return U, G.shape[:-2]
    try:
        return U, torch.broadcast_shapes(G.shape[:-2], U.shape[:-2])
    except RuntimeError as error:
        raise InputError(
            f"U, required leading dimensions that broadcast with those of G, {tuple(G.shape[:-2])}, got "
            f"{tuple(U.shape[:-2])}, pass one set of bounds a Gramian or one for all"
        ) from error


def _check_finite(U: WeightRows) -> None:
    if not bool(torch.isfinite(U).all()):
        raise NonFiniteError("U, required finite bounds, got NaN or infinity, look at the preferences")


def _by_batched(
    original: Gramian, G: Gramian, U: WeightRows, start: WeightRows | None
) -> tuple[WeightRows, int, float]:
    """Return weights by the batched solver; Gramians that it does not settle go to the CPU."""
    k, m = U.shape[-2:]
    G = G.expand(*U.shape[:-2], m, m).reshape(-1, m, m)
    flat = U.reshape(-1, k, m)
    norms, cosines = unit_rows(G)
    norms = norms.unsqueeze(-2)
    bounds, scale = _scaled(flat * norms)
    y, status = batched(cosines, bounds)
    weights = flat + torch.where(norms > 0, (y - bounds) * scale / norms, 0.0)
    fine = torch.stack([soundness(original), torch.isfinite(U).all()])
    flags = torch.cat([fine, (status == SETTLED).all(-1)]).tolist()  # here it waits for the device
    if not flags[0]:
        checked_gramian(original)
    if not flags[1]:
        _check_finite(U)
    left = [i for i, settled in enumerate(flags[2:]) if not settled]
    if not left:
        return weights.reshape(U.shape), GUESSES + EXCHANGES, 0.0
    begin = None if start is None else _flat(start.to(torch.float64))[left]
    precision = half_precision(original.dtype)
    W, changes, worst = active_set(_flat(G)[left], _flat(flat)[left], begin, precision=precision)
    weights[left] = torch.from_numpy(W).to(weights.device)
    return weights.reshape(U.shape), GUESSES + EXCHANGES + changes, worst


def _scaled(bounds: WeightRows) -> tuple[WeightRows, Tensor]:
    """Return bounds over their largest entry, and that."""
    scale = bounds.abs().amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    return bounds / scale, scale


def _flat(T: Tensor) -> npt.NDArray[np.float64]:
    """Return a contiguous array on the CPU with the leading dimensions made one."""
    array = T.numpy(force=True)
    return np.ascontiguousarray(array[None] if array.ndim == 2 else array.reshape(-1, *array.shape[-2:]))


def _by_backend(G: Gramian, U: WeightRows, solver: str) -> WeightRows:
    """Return the weights that a backend of qpsolvers finds, NaN where it finds none."""
    m = G.shape[-1]
    norms, cosines = unit_rows(G)
    norms = norms.unsqueeze(-2)
    bounds, scale = _scaled(U * norms)
    flat_bounds = bounds.reshape(-1, *U.shape[-2:]).contiguous().cpu().numpy()
    flat_cosines = cosines.expand(*U.shape[:-2], m, m).reshape(-1, m, m).contiguous().cpu().numpy()
    flat = qpsolvers_backend.quadratic_program(flat_cosines, flat_bounds, solver)
    shift = torch.from_numpy(flat - flat_bounds).to(G.device).reshape(U.shape) * scale
    # w = u + (y - û)/d rather than y/d: a weight at its bound is then that bound, bit for bit.
    return U + torch.where(norms > 0, shift / norms, 0.0)
