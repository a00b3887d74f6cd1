"""Classes of matrices told apart by shape and rank, by the angle of two rows, and by stationarity."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification.strategies.matrix import (
    MOST_COLUMNS,
    MOST_ROWS,
    Matrix,
    drawn_count,
    drawn_integers,
    powers_of_two,
    shuffled,
)

MANY_ROWS = 12
MANY_COLUMNS = 16
SMALL = torch.tensor([0.0, 1, -1, 2, -2, 3, -3, 4, -4], dtype=torch.float64)


@st.composite
def one_row_matrices(draw: st.DrawFn) -> Matrix:
    """Draw a single row."""
    return Matrix(drawn_integers(draw, 1, drawn_count(draw, 1, MOST_COLUMNS)), "one row")


@st.composite
def any_shape(draw: st.DrawFn, fewest_columns: int = 1) -> Matrix:
    """Draw integers of any shape: m < n, m = n and m > n, any rank."""
    m, n = drawn_count(draw, 2, MOST_ROWS), drawn_count(draw, fewest_columns, MOST_COLUMNS)
    return Matrix(drawn_integers(draw, m, n), "any shape")


@st.composite
def many_rows(draw: st.DrawFn) -> Matrix:
    """Draw more than 6 rows, more than 6 columns or both: up to 12 × 16 entries of magnitude up to 4."""
    if draw(st.booleans()):
        m, n = drawn_count(draw, 2, MANY_ROWS), drawn_count(draw, MOST_COLUMNS + 1, MANY_COLUMNS)
    else:
        m, n = drawn_count(draw, MOST_ROWS + 1, MANY_ROWS), drawn_count(draw, 1, MANY_COLUMNS)
    # One drawn string: as many drawn numbers take ten times as long.
    entries = draw(st.binary(min_size=m * n, max_size=m * n))
    return Matrix(SMALL[[byte % len(SMALL) for byte in entries]].reshape(m, n), "many rows")


@st.composite
def full_rank_matrices(draw: st.DrawFn) -> Matrix:
    """Draw rows of full rank: a unit lower triangle times an upper trapezium without a zero on its diagonal."""
    m = drawn_count(draw, 2, 4)
    n = m + drawn_count(draw, 0, 2)
    lower = drawn_integers(draw, m, m, 2).tril(-1) + torch.eye(m, dtype=torch.float64)
    upper = drawn_integers(draw, m, n, 3).triu(1)
    diagonal = draw(st.lists(st.sampled_from([1, -1, 2, -2]), min_size=m, max_size=m))
    upper[range(m), range(m)] = torch.tensor(diagonal, dtype=torch.float64)
    return Matrix(lower @ upper, "full rank")


@st.composite
def rank_deficient(draw: st.DrawFn) -> Matrix:
    """Draw rows of lower rank: the product of m × r and r × n with r < m."""
    m = drawn_count(draw, 2, MOST_ROWS)
    r = max(1, m - drawn_count(draw, 1, 3))
    J = drawn_integers(draw, m, r, 3) @ drawn_integers(draw, r, drawn_count(draw, r, MOST_COLUMNS), 3)
    return Matrix(J, "rank-deficient")


@st.composite
def zero_rows(draw: st.DrawFn) -> Matrix:
    """Draw rows of which at least one is zero."""
    J = draw(any_shape()).J
    J[draw(st.integers(0, len(J) - 1))] = 0
    return Matrix(J, "zero row")


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
    others = drawn_count(draw, 0, 2)
    n = drawn_count(draw, 2, MOST_COLUMNS - others)
    k = draw(st.integers(4, conflict))
    p, q, r, *own = draw(st.tuples(*[st.integers(1, 4)] * (3 + others)))
    pair = torch.zeros(2, n, dtype=torch.float64)
    pair[0, 2:] = drawn_integers(draw, 1, n - 2, 2)
    pair[0, 0], pair[1, 0], pair[1, 1] = p, -q * 2.0**-k, r
    pair[0] *= 2.0 ** draw(st.integers(0, k + 3))
    J = torch.block_diag(pair, torch.diag(torch.tensor(own, dtype=torch.float64)))
    J[2:, :n] = drawn_integers(draw, others, n, 4)
    return Matrix(J[shuffled(draw, len(J))][:, shuffled(draw, n + others)], "nearly orthogonal")


def _pair(draw: st.DrawFn, fewest_columns: int = 1) -> tuple[Tensor, int, int]:
    """Return rows of any shape and the indices of two of them, the first of which is not zero."""
    J = draw(any_shape(fewest_columns)).J
    i = draw(st.integers(0, len(J) - 1))
    j = (i + draw(st.integers(1, len(J) - 1))) % len(J)
    if not bool(J[i].any()):
        J[i, 0] = 1
    return J, i, j


SPREAD = 8
"""Some of these matrices have rows scaled by 2^±8: what balances them is then as uneven."""


@st.composite
def strongly_stationary(draw: st.DrawFn) -> Matrix:
    """Draw rows, one of them minus a positive combination of the others: then Jᵀ(w, 1) = 0 with (w, 1) > 0."""
    J, w = _balanced(draw, drawn_count(draw, 1, MOST_ROWS - 1))
    return Matrix(*_reweighed(draw, J, "strongly stationary", w))


@st.composite
def weakly_stationary(draw: st.DrawFn) -> Matrix:
    """Draw some rows in balance and others beside them, whose weight in the certificate is zero."""
    J, w = _balanced(draw, drawn_count(draw, 1, 3))
    others = drawn_integers(draw, drawn_count(draw, 1, 3), J.shape[1])
    w = torch.cat([w, torch.zeros(len(others), dtype=w.dtype)])
    return Matrix(*_reweighed(draw, torch.cat([J, others]), "weakly stationary", w))


@st.composite
def near_stationary(draw: st.DrawFn) -> Matrix:
    """Draw rows in balance but for one entry, which is off by a power of two down to 2⁻¹²."""
    J, w = _balanced(draw, drawn_count(draw, 1, MOST_ROWS - 1))
    i, j = draw(st.integers(0, len(J) - 1)), draw(st.integers(0, J.shape[1] - 1))
    J[i, j] += draw(st.sampled_from([1.0, -1.0])) * 2.0 ** -draw(st.integers(0, 12))
    J, kind, _ = _reweighed(draw, J, "near-stationary", w)
    return Matrix(J, kind)


def _balanced(draw: st.DrawFn, m: int) -> tuple[Tensor, Tensor]:
    """Return m + 1 rows and positive weights with Jᵀw = 0."""
    J = drawn_integers(draw, m, drawn_count(draw, 1, MOST_COLUMNS), 4)
    w = torch.tensor(draw(st.lists(st.integers(1, 3), min_size=m, max_size=m)), dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    return torch.cat([J, -(w @ J).unsqueeze(0)]), torch.cat([w, one])


def _reweighed(draw: st.DrawFn, J: Tensor, kind: str, w: Tensor) -> tuple[Tensor, str, Tensor]:
    """Return the rows in another order and, in some draws, times powers of two c: (w/c)ᵀ(c∘J) = wᵀJ exactly."""
    order = shuffled(draw, len(J))
    J, w = J[order], w[order]
    if draw(st.booleans()):
        c = powers_of_two(draw, len(J), SPREAD)
        J, w = J * c, w / c.squeeze(-1)
    return J, kind, w
