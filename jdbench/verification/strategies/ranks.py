"""Classes told apart by shape and rank: one row, any shape, many rows, full and lower rank, zero rows."""

import torch
from hypothesis import strategies as st

from jdbench.verification.strategies.matrix import MOST_COLUMNS, MOST_ROWS, Matrix, integers, size

MANY_ROWS = 12
MANY_COLUMNS = 16
SMALL = torch.tensor([0.0, 1, -1, 2, -2, 3, -3, 4, -4], dtype=torch.float64)


@st.composite
def one_row(draw: st.DrawFn) -> Matrix:
    """Draw a single row."""
    return Matrix(integers(draw, 1, size(draw, 1, MOST_COLUMNS)), "one row")


@st.composite
def any_shape(draw: st.DrawFn, fewest_columns: int = 1) -> Matrix:
    """Draw integers of any shape: m < n, m = n and m > n, any rank."""
    m, n = size(draw, 2, MOST_ROWS), size(draw, fewest_columns, MOST_COLUMNS)
    return Matrix(integers(draw, m, n), "any shape")


@st.composite
def many_rows(draw: st.DrawFn) -> Matrix:
    """Draw more than 6 rows, more than 6 columns or both: up to 12 × 16 entries of magnitude up to 4."""
    if draw(st.booleans()):
        m, n = size(draw, 2, MANY_ROWS), size(draw, MOST_COLUMNS + 1, MANY_COLUMNS)
    else:
        m, n = size(draw, MOST_ROWS + 1, MANY_ROWS), size(draw, 1, MANY_COLUMNS)
    # One drawn string: as many drawn numbers take ten times as long.
    entries = draw(st.binary(min_size=m * n, max_size=m * n))
    return Matrix(SMALL[[byte % len(SMALL) for byte in entries]].reshape(m, n), "many rows")


@st.composite
def full_rank(draw: st.DrawFn) -> Matrix:
    """Draw rows of full rank: a unit lower triangle times an upper trapezium without a zero on its diagonal."""
    m = size(draw, 2, 4)
    n = m + size(draw, 0, 2)
    lower = integers(draw, m, m, 2).tril(-1) + torch.eye(m, dtype=torch.float64)
    upper = integers(draw, m, n, 3).triu(1)
    diagonal = draw(st.lists(st.sampled_from([1, -1, 2, -2]), min_size=m, max_size=m))
    upper[range(m), range(m)] = torch.tensor(diagonal, dtype=torch.float64)
    return Matrix(lower @ upper, "full rank")


@st.composite
def rank_deficient(draw: st.DrawFn) -> Matrix:
    """Draw rows of lower rank: the product of m × r and r × n with r < m."""
    m = size(draw, 2, MOST_ROWS)
    r = max(1, m - size(draw, 1, 3))
    J = integers(draw, m, r, 3) @ integers(draw, r, size(draw, r, MOST_COLUMNS), 3)
    return Matrix(J, "rank-deficient")


@st.composite
def zero_rows(draw: st.DrawFn) -> Matrix:
    """Draw rows of which at least one is zero."""
    J = draw(any_shape()).J
    J[draw(st.integers(0, len(J) - 1))] = 0
    return Matrix(J, "zero row")
