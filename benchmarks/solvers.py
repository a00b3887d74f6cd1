"""UPGrad's weights and one projection by any solver: ours, of qpsolvers, and TorchJD's ([JD] eq. 5 and 6)."""

from collections.abc import Callable

import torch
import torchjd.aggregation as torchjd
from torch import Tensor

from jdbench.aggregators import UPGrad
from jdbench.dual_cone import Solution, project_weights, solve

SOLVERS = ["ours", "proxqp", "daqp", "quadprog", "torchjd"]
"""Values of the parameter ``solver``: proxqp, daqp and quadprog are called through qpsolvers by `solve`."""


def sensible(solver: str, rank: str, m: int) -> bool:
    """Return whether a solver solves such programs at all.

    It does not for quadprog at half rank, since it is for strictly convex programs, and for proxqp there beyond
    m = 64: one program of 256 unknowns takes it more than two minutes.
    """
    return rank != "half" or not (solver == "quadprog" or (solver == "proxqp" and m > 64))


def upgrad_weights(solver: str) -> Callable[[Tensor], Tensor]:
    """Return what gives UPGrad's weights ``[..., m]``: m programs with one Gramian, summed."""
    if solver == "ours":
        return UPGrad().weights
    if solver == "torchjd":
        return _one_by_one(torchjd.UPGradWeighting())
    return lambda G: solve(G, _units(G) / G.shape[-1], solver=solver).weights.sum(-2)


def projection(solver: str) -> Callable[[Tensor], Tensor]:
    """Return what gives the weights ``[..., m]`` of one projection, that of the mean gradient."""
    if solver == "ours":
        return lambda G: project_weights(G, _mean(G)).squeeze(-2)
    if solver == "torchjd":
        return _one_by_one(torchjd.DualProjWeighting())
    return lambda G: solve(G, _mean(G), solver=solver).weights.squeeze(-2)


def residual(solver: str, G: Tensor) -> float:
    """Return the largest KKT residual of UPGrad's m programs in unit rows, NaN where none was found."""
    if solver != "torchjd":
        found = solve(G, _units(G)) if solver == "ours" else solve(G, _units(G), solver=solver)
        return float(found.residual().max())
    units = _units(G)
    # UPGrad's weights are a sum; its m programs are projections of the rows one at a time.
    rows = [_one_by_one(torchjd.DualProjWeighting(pref_vector=unit))(G) for unit in units]
    return float(Solution(G, units, torch.stack(rows, -2), -1, solver).residual().max())


def _one_by_one(weighting: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """TorchJD takes no batches."""

    def weights(G: Tensor) -> Tensor:
        return weighting(G) if G.ndim == 2 else torch.stack([weighting(one) for one in G])

    return weights


def _units(G: Tensor) -> Tensor:
    return torch.eye(G.shape[-1], dtype=torch.float64, device=G.device)


def _mean(G: Tensor) -> Tensor:
    m = G.shape[-1]
    return torch.full((1, m), 1 / m, dtype=torch.float64, device=G.device)
