"""The axes of the violation curves: decades of row norms, condition, rank, and the steps of a real training.

A point of an axis has `MATRICES` matrices, the same in every run: the index of a matrix is its seed. What the
axis does not set is the same at all of its points, so that a curve shows the axis and not the draw.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from jdbench.verification.captured import Snapshot, training, triangular
from jdbench.verification.strategies.matrix import RANGES, rounded

CAPTURED = "MNIST"
"""The network of the captured batches: its norms drift apart the farthest."""

M, N = 8, 16
"""Rows and columns of the matrices that are drawn, and rows of the subsets of captured batches."""

MATRICES = 30
"""Matrices a point."""


@dataclass(frozen=True)
class Axis:
    """One quantity that is varied.

    Attributes:
        name: Its key.
        what: Its label, with the unit.
        points: Abscissae by dtype, as far as the dtype can represent them.
        count: Matrices a point.
        matrix: Given abscissa, index and dtype, the matrix: ``[m, n]``, float64, exact in the dtype, and so is
            three times it.
    """

    name: str
    what: str
    points: Mapping[torch.dtype, tuple[float, ...]]
    count: int
    matrix: Callable[[float, int, torch.dtype], Tensor]


def over_decades(decades: float, index: int, dtype: torch.dtype) -> Tensor:
    """Return Gaussian rows of which the norms span decades: their logarithms are evenly spaced around 0.

    Args:
        decades: log₁₀ of the largest norm over the smallest.
        index: Seed.
        dtype: In which the entries are exact.

    Returns:
        Shape ``[M, N]``, norms in any order.
    """
    generator = torch.Generator().manual_seed(index)
    J = torch.randn(M, N, dtype=torch.float64, generator=generator)
    exponents = torch.linspace(-0.5, 0.5, M, dtype=torch.float64)[torch.randperm(M, generator=generator)]
    norms = 10.0 ** (decades * exponents).unsqueeze(-1)
    return rounded(norms * J / J.norm(dim=-1, keepdim=True), RANGES[dtype].digits)


def conditioned(exponent: float, index: int, dtype: torch.dtype) -> Tensor:
    """Return rows of norms from ½ to 2 of which the unit-row Gramian has the condition number κ = 10^exponent.

    Ĵ = √λ (I - (1 - κ^-½) vvᵀ)Qᵀ with orthonormal columns in Q and v = (±1, …, ±1)/√m has ĴĴᵀ =
    λ(I - (1 - 1/κ)vvᵀ): eigenvalues λ and λ/κ, and a diagonal of ones for λ = m/(m - 1 + 1/κ). All rows are at
    the same angle to the span of the others, of which the sine tends to √(λm/κ), 3·10⁻⁷ for κ = 10¹⁴. With
    equal signs Σ ĝᵢ is all but 0 and the rows nearly stationary (even indices); with others (odd) they are not.

    Args:
        exponent: log₁₀ κ, at least 0.
        index: Seed.
        dtype: In which the entries are exact.

    Returns:
        Shape ``[M, N]``.
    """
    generator = torch.Generator().manual_seed(index)
    Q = torch.linalg.qr(torch.randn(N, M, dtype=torch.float64, generator=generator)).Q
    signs = torch.randint(2, (M,), generator=generator).to(torch.float64) * 2 - 1
    v = (signs if index % 2 else torch.ones(M, dtype=torch.float64)) / M**0.5
    inverse = 10.0**-exponent
    factor = torch.eye(M, dtype=torch.float64) - (1 - inverse**0.5) * torch.outer(v, v)
    norms = 4.0 ** (torch.rand(M, 1, dtype=torch.float64, generator=generator) - 0.5)
    return rounded(norms * (M / (M - 1 + inverse)) ** 0.5 * (factor @ Q.T), RANGES[dtype].digits)


def of_rank(rank: float, index: int, dtype: torch.dtype) -> Tensor:  # noqa: ARG001
    """Return a product of integer matrices with so many columns and rows: its rank is at most that, exactly.

    Args:
        rank: 1 to M.
        index: Seed.
        dtype: Integers as small as these are exact in any.

    Returns:
        Shape ``[M, N]``.
    """
    generator = torch.Generator().manual_seed(index)
    left = torch.randint(-3, 4, (M, M), generator=generator)[:, : int(rank)]
    right = torch.randint(-3, 4, (M, N), generator=generator)[: int(rank)]
    return (left @ right).to(torch.float64)


def batch(step: float, index: int, dtype: torch.dtype) -> Tensor:  # noqa: ARG001
    """Return the gradients of a whole captured batch, up to a rotation.

    Args:
        step: Of the training.
        index: There is one.
        dtype: Rows whose squares leave its range are left out.

    Returns:
        Shape ``[m, m]``.
    """
    return _captured(_snapshot(step), dtype)


def subset(step: float, index: int, dtype: torch.dtype) -> Tensor:
    """Return M gradients out of a captured batch, up to a rotation.

    Args:
        step: Of the training.
        index: Seed of the choice.
        dtype: As in `batch`.

    Returns:
        Shape ``[M, M]``.
    """
    rows = _captured(_snapshot(step), dtype)
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(index))
    return rounded(triangular(rows[order[:M]]), RANGES[dtype].digits)


def _captured(snapshot: Snapshot, dtype: torch.dtype) -> Tensor:
    present = snapshot.norms >= 2.0 ** -RANGES[dtype].extreme
    return rounded(snapshot.factor[present], RANGES[dtype].digits)


def _snapshot(step: float) -> Snapshot:
    return next(one for one in training(CAPTURED) if one.step == step)


def _points(first: int, double: int, single: int, by: int = 1) -> dict[torch.dtype, tuple[float, ...]]:
    return {
        torch.float64: tuple(map(float, range(first, double + 1, by))),
        torch.float32: tuple(map(float, range(first, single + 1, by))),
    }


STEPS = dict.fromkeys((torch.float64, torch.float32), tuple(float(one.step) for one in training(CAPTURED)))

AXES = {
    axis.name: axis
    for axis in (
        Axis("decades", "decades of row norms", _points(0, 13, 7), MATRICES, over_decades),
        Axis(
            "condition",
            "log₁₀ condition of unit rows",
            _points(0, 14, 10, by=2),
            MATRICES,
            conditioned,
        ),
        Axis(
            "rank", f"rank of {M} rows", {torch.float64: tuple(map(float, range(1, M + 1)))}, MATRICES, of_rank
        ),
        Axis("batch", "step, the whole batch", STEPS, 1, batch),
        Axis("subset", f"step, {M} rows of the batch", STEPS, MATRICES, subset),
    )
}
"""By name. Float32 ends where its digits do: norms within 7 decades, an angle of 10⁻⁵."""
