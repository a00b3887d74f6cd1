"""Classes told apart by the size of their rows: norms that span decades, drawn or captured; tiny or huge."""

from functools import cache

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification.captured import snapshots, triangular
from jdbench.verification.strategies.matrix import (
    MOST_ROWS,
    RANGES,
    Matrix,
    Range,
    drawn_count,
    powers_of_two,
    rounded,
)
from jdbench.verification.strategies.ranks import any_shape, full_rank_matrices, opposed

OUT_OF_RANGE = 80
"""An integer up to 21 times 2⁻⁸⁰ has a square below 2⁻¹⁵⁰, which float32 rounds to zero; 2⁸⁰ one above 2¹²⁸."""

DECADES = 2.0
"""What the norms of a captured batch span, to be drawn from: those of less are as tame as Gaussian ones."""


@st.composite
def uneven(draw: st.DrawFn, room: Range) -> Matrix:
    """Draw rows and scale each by a power of two: norms span decades, cosines stay what they were.

    In a third of the draws each row has its own power. In the others one row is scaled by 2^-wide or less and
    the rest by 2^wide or more. All are rows of integers other than zero, the small one of norm below 2⁶
    (entries up to 21 in six columns): norms span more than 2^(2 wide - 6), which is 8.4 decades in float64. The
    small row is either minus a multiple of the unit vector along the largest entry of a large one, hence their
    cosine at most -1/√n; or the sum, twice the mean, of two large ones that conflict in this way, if not zero.

    Args:
        draw: Given by Hypothesis.
        room: The powers of two of the dtype.

    Returns:
        2 to 8 rows.
    """
    pattern = draw(st.sampled_from([_each_its_own, _one_tiny, _tiny_mean]))
    return Matrix(pattern(draw, room), "uneven row norms")


def _each_its_own(draw: st.DrawFn, room: Range) -> Tensor:
    J = draw(st.one_of(any_shape(), full_rank_matrices(), opposed())).J
    return J * powers_of_two(draw, len(J), room.spread)


def _one_tiny(draw: st.DrawFn, room: Range) -> Tensor:
    J = _present(draw(st.one_of(any_shape(), full_rank_matrices())).J)
    tiny = draw(st.integers(0, len(J) - 1))
    J[tiny] = _against(draw, J[tiny - 1])
    return J * _powers(draw, len(J), tiny, room)


def _tiny_mean(draw: st.DrawFn, room: Range) -> Tensor:
    J = _present(draw(st.one_of(any_shape(), full_rank_matrices())).J)
    against = _against(draw, J[0])
    J = torch.cat([J, against.unsqueeze(0), _present((J[0] + against).unsqueeze(0))])
    return J * _powers(draw, len(J), len(J) - 1, room)


def _present(J: Tensor) -> Tensor:
    """Return J with a one in each row that is zero."""
    J[~J.any(-1), 0] = 1
    return J


def _against(draw: st.DrawFn, row: Tensor) -> Tensor:
    """Return minus 1 to 4 times the unit vector along the row's largest entry."""
    column = int(row.abs().argmax())
    against = torch.zeros_like(row)
    against[column] = -draw(st.integers(1, 4)) * row[column].sign()
    return against


def _powers(draw: st.DrawFn, m: int, tiny: int, room: Range) -> Tensor:
    """Return 2^wide to 2^spread for all rows but one, for which it is the inverse of such a power."""
    powers = torch.full((m, 1), 2.0 ** drawn_count(draw, room.wide, room.spread), dtype=torch.float64)
    powers[tiny] = 2.0 ** -drawn_count(draw, room.wide, room.spread)
    return powers


@st.composite
def extreme(draw: st.DrawFn, exponent: int, kind: str = "tiny or huge") -> Matrix:
    """Draw rows and scale all of them by one huge or tiny power of two."""
    J = draw(st.one_of(any_shape(), full_rank_matrices())).J
    return Matrix(J * 2.0 ** draw(st.sampled_from([-exponent, exponent])), kind)


@st.composite
def captured(draw: st.DrawFn, dtype: torch.dtype) -> Matrix:
    """Draw 2 to 6 gradients of a real network, of one batch, rotated into as many columns.

    Their inner products are the network's, see `jdbench.verification.captured`. The rows are those of L, a
    triangular factor of the batch's Gramian, restricted and made triangular again. Each is rounded to integers
    of 51 binary digits (22 in float32) times a power of two of its own. Rows whose squares leave the dtype's
    range are left out beforehand.

    Args:
        draw: Given by Hypothesis.
        dtype: float32 or float64.

    Returns:
        A lower triangle, shape ``[m, m]``, whose rows are off by at most √m 2⁻⁵¹ (2⁻²²) of their norm.
    """
    rows = draw(st.sampled_from(_batches(dtype)))
    chosen = draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=MOST_ROWS, unique=True))
    return Matrix(rounded(triangular(rows[chosen]), RANGES[dtype].digits), "captured")


@cache
def _batches(dtype: torch.dtype) -> list[Tensor]:
    smallest = 2.0 ** -RANGES[dtype].extreme
    return [one.factor[one.norms >= smallest] for one in snapshots() if one.decades > DECADES]
