"""Classes told apart by the angle of two rows: parallel, opposed, nearly so, and nearly orthogonal."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification.strategies.matrix import MOST_COLUMNS, Matrix, integers, shuffled, size
from jdbench.verification.strategies.ranks import any_shape

SMALLEST_DIFFERENCE = 12
"""Nearly parallel rows differ by 2⁻¹² or more, far above float32's rounding."""


@st.composite
def parallel(draw: st.DrawFn) -> Matrix:
    """Draw rows of which one is a positive multiple of another, 1 included."""
    J, i, j = _pair(draw)
    J[j] = draw(st.integers(1, 4)) * J[i]
    return Matrix(J, "parallel or duplicate")


@st.composite
def opposed(draw: st.DrawFn) -> Matrix:
    """Draw rows of which one is a negative multiple of another: the dual cone has no interior."""
    J, i, j = _pair(draw)
    J[j] = draw(st.integers(-4, -1)) * J[i]
    return Matrix(J, "opposed")


@st.composite
def nearly_parallel(draw: st.DrawFn) -> Matrix:
    """Draw rows of which one is ± another but for one entry, off by a power of two down to 2⁻¹²."""
    # Two columns at least: numbers are either parallel or opposed.
    J, i, j = _pair(draw, fewest_columns=2)
    J[j] = draw(st.sampled_from([1.0, -1.0])) * J[i]
    column = draw(st.integers(0, J.shape[1] - 1))
    J[j, column] += draw(st.sampled_from([1.0, -1.0])) * 2.0 ** -draw(st.integers(0, SMALLEST_DIFFERENCE))
    return Matrix(J, "nearly opposed or parallel")


@st.composite
def nearly_orthogonal(draw: st.DrawFn, conflict: int) -> Matrix:
    """Draw rows (p, 0, …), (-q2⁻ᵏ, r, 0, …), whose product is -pq2⁻ᵏ, and up to 2 others beside them.

    p, q and r are 1 to 4 and the first row's further entries meet zeros of the second, hence
    -4 · 2⁻ᵏ ≤ cos < 0. The mean of equally long rows does not conflict for that: the first row is scaled
    by up to 2^(k+3), so that the smallest conflict may decide the sign.

    Each other row has a column that is its own, and is far from the span of the rest. Without it, rows such as
    (2, -2⁻²²), (-8, 0), (0, 2¹⁵) come up: opposed but for 10⁻⁷, less than a Gramian in float64 can tell, and
    whoever works from the Gramian conflicts by 4e-8 (`tolerances.nearly_dependent`). That is no tiny cosine.

    Args:
        draw: Given by Hypothesis.
        conflict: The largest k, at least 4.

    Returns:
        Rows and columns in any order.
    """
    others = size(draw, 0, 2)
    n = size(draw, 2, MOST_COLUMNS - others)
    k = draw(st.integers(4, conflict))
    p, q, r, *own = draw(st.tuples(*[st.integers(1, 4)] * (3 + others)))
    pair = torch.zeros(2, n, dtype=torch.float64)
    pair[0, 2:] = integers(draw, 1, n - 2, 2)
    pair[0, 0], pair[1, 0], pair[1, 1] = p, -q * 2.0**-k, r
    pair[0] *= 2.0 ** draw(st.integers(0, k + 3))
    J = torch.block_diag(pair, torch.diag(torch.tensor(own, dtype=torch.float64)))
    J[2:, :n] = integers(draw, others, n, 4)
    return Matrix(J[shuffled(draw, len(J))][:, shuffled(draw, n + others)], "nearly orthogonal")


def _pair(draw: st.DrawFn, fewest_columns: int = 1) -> tuple[Tensor, int, int]:
    """Return rows of any shape and the indices of two of them, the first of which is not zero."""
    J = draw(any_shape(fewest_columns)).J
    i = draw(st.integers(0, len(J) - 1))
    j = (i + draw(st.integers(1, len(J) - 1))) % len(J)
    if not bool(J[i].any()):
        J[i, 0] = 1
    return J, i, j
