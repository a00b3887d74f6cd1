"""Hypothesis strategies for matrices, one for each class that an aggregator may stumble over.

Entries are small integers times powers of two, so that a found matrix shrinks to something readable and is the
same in float32, in float64 and in rational arithmetic. Every class is constructed, never filtered; its function
says why its matrices belong to it.
"""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

LARGEST_ENTRY = 8
MOST_ROWS = 6
MOST_COLUMNS = 6


@dataclass(frozen=True)
class Matrix:
    """A matrix with what is known of it.

    Attributes:
        J: Entries exact in float32 and float64, shape ``[m, n]``, float64.
        kind: Name of its class.
        certificate: For stationary matrices some w ≥ 0, w ≠ 0, with Jᵀw = 0 exactly, shape ``[m]``.
    """

    J: Tensor
    kind: str
    certificate: Tensor | None = None


@dataclass(frozen=True)
class Range:
    """The powers of two that a dtype leaves room for, where squares of entries must be finite and not zero.

    Attributes:
        spread: Row norms span 2^(±spread): thirteen decades in float64, eight in float32.
        extreme: All entries at once are scaled by 2^(±extreme): 1e±147 in float64, 1e±16 in float32.
    """

    spread: int
    extreme: int


RANGES = {torch.float64: Range(21, 490), torch.float32: Range(13, 55)}


def _integers(draw: st.DrawFn, m: int, n: int, largest: int = LARGEST_ENTRY) -> Tensor:
    entries = draw(st.lists(st.integers(-largest, largest), min_size=m * n, max_size=m * n))
    return torch.tensor(entries, dtype=torch.float64).reshape(m, n)


def _size(draw: st.DrawFn, low: int, high: int) -> int:
    return draw(st.integers(low, high))


def _shuffled(draw: st.DrawFn, m: int) -> Tensor:
    return torch.tensor(draw(st.permutations(range(m))))


@st.composite
def any_shape(draw: st.DrawFn) -> Matrix:
    """Draw integers of any shape: m < n, m = n and m > n, any rank."""
    return Matrix(_integers(draw, _size(draw, 2, MOST_ROWS), _size(draw, 1, MOST_COLUMNS)), "any shape")


@st.composite
def one_row(draw: st.DrawFn) -> Matrix:
    """Draw a single row."""
    return Matrix(_integers(draw, 1, _size(draw, 1, MOST_COLUMNS)), "one row")


@st.composite
def full_rank(draw: st.DrawFn) -> Matrix:
    """Draw rows of full rank: a unit lower triangle times an upper trapezium without a zero on its diagonal."""
    m = _size(draw, 2, 4)
    n = m + _size(draw, 0, 2)
    lower = _integers(draw, m, m, 2).tril(-1) + torch.eye(m, dtype=torch.float64)
    upper = _integers(draw, m, n, 3).triu(1)
    diagonal = draw(st.lists(st.sampled_from([1, -1, 2, -2]), min_size=m, max_size=m))
    upper[range(m), range(m)] = torch.tensor(diagonal, dtype=torch.float64)
    return Matrix(lower @ upper, "full rank")


@st.composite
def rank_deficient(draw: st.DrawFn) -> Matrix:
    """Draw rows of lower rank: the product of m × r and r × n with r < m."""
    m = _size(draw, 2, MOST_ROWS)
    r = _size(draw, 1, min(m - 1, 3))
    J = _integers(draw, m, r, 3) @ _integers(draw, r, _size(draw, r, MOST_COLUMNS), 3)
    return Matrix(J, "rank-deficient")


@st.composite
def parallel(draw: st.DrawFn) -> Matrix:
    """Draw rows of which one is a positive multiple of another, 1 included."""
    return _with_multiple(draw, st.integers(1, 4), "parallel or duplicate")


@st.composite
def opposed(draw: st.DrawFn) -> Matrix:
    """Draw rows of which one is a negative multiple of another: the dual cone has no interior."""
    return _with_multiple(draw, st.integers(-4, -1), "opposed")


@st.composite
def zero_rows(draw: st.DrawFn) -> Matrix:
    """Draw rows of which at least one is zero."""
    J = draw(any_shape()).J
    J[draw(st.integers(0, len(J) - 1))] = 0
    return Matrix(J, "zero row")


@st.composite
def strongly_stationary(draw: st.DrawFn) -> Matrix:
    """Draw rows, one of them minus a positive combination of the others: then Jᵀ(w, 1) = 0 with (w, 1) > 0."""
    J, w = _balanced(draw, _size(draw, 1, MOST_ROWS - 1))
    order = _shuffled(draw, len(J))
    return Matrix(J[order], "strongly stationary", w[order])


@st.composite
def weakly_stationary(draw: st.DrawFn) -> Matrix:
    """Draw some rows in balance and others beside them, whose weight in the certificate is zero."""
    J, w = _balanced(draw, _size(draw, 1, 3))
    others = _integers(draw, _size(draw, 1, 3), J.shape[1])
    order = _shuffled(draw, len(J) + len(others))
    J, w = torch.cat([J, others]), torch.cat([w, torch.zeros(len(others), dtype=w.dtype)])
    return Matrix(J[order], "weakly stationary", w[order])


@st.composite
def near_stationary(draw: st.DrawFn) -> Matrix:
    """Draw rows in balance but for one entry, which is off by a power of two down to 2⁻¹²."""
    J = draw(strongly_stationary()).J
    i, j = draw(st.integers(0, len(J) - 1)), draw(st.integers(0, J.shape[1] - 1))
    J[i, j] += draw(st.sampled_from([1.0, -1.0])) * 2.0 ** -draw(st.integers(0, 12))
    return Matrix(J, "near-stationary")


@st.composite
def uneven(draw: st.DrawFn, spread: int) -> Matrix:
    """Draw rows and scale each by a power of two: norms span decades, cosines stay what they were."""
    J = draw(st.one_of(any_shape(), full_rank(), opposed())).J
    exponents = draw(st.lists(st.integers(-spread, spread), min_size=len(J), max_size=len(J)))
    return Matrix(J * 2.0 ** torch.tensor(exponents, dtype=torch.float64).unsqueeze(-1), "uneven row norms")


@st.composite
def extreme(draw: st.DrawFn, exponent: int) -> Matrix:
    """Draw rows and scale all of them by one huge or tiny power of two."""
    J = draw(st.one_of(any_shape(), full_rank())).J
    return Matrix(J * 2.0 ** draw(st.sampled_from([-exponent, exponent])), "tiny or huge")


def matrices(dtype: torch.dtype) -> st.SearchStrategy[Matrix]:
    """Return the strategy that draws from every class.

    Args:
        dtype: float32 or float64; sets how far scales may go.

    Returns:
        A strategy of matrices, exact in that dtype.
    """
    return st.one_of(*classes(dtype).values())


def classes(dtype: torch.dtype) -> dict[str, st.SearchStrategy[Matrix]]:
    """Return the strategy of each class by its name.

    Args:
        dtype: float32 or float64.

    Returns:
        Strategies by the `kind` of the matrices that they draw.
    """
    room = RANGES[dtype]
    return {
        "any shape": any_shape(),
        "one row": one_row(),
        "full rank": full_rank(),
        "rank-deficient": rank_deficient(),
        "parallel or duplicate": parallel(),
        "opposed": opposed(),
        "zero row": zero_rows(),
        "strongly stationary": strongly_stationary(),
        "weakly stationary": weakly_stationary(),
        "near-stationary": near_stationary(),
        "uneven row norms": uneven(room.spread),
        "tiny or huge": extreme(room.extreme),
    }


def _with_multiple(draw: st.DrawFn, factors: st.SearchStrategy[int], kind: str) -> Matrix:
    J = draw(any_shape()).J
    i, *others = draw(st.permutations(range(len(J))))
    if not bool(J[i].any()):
        J[i, 0] = 1
    J[others[0]] = draw(factors) * J[i]
    return Matrix(J, kind)


def _balanced(draw: st.DrawFn, m: int) -> tuple[Tensor, Tensor]:
    """Return m + 1 rows and positive weights with Jᵀw = 0."""
    J = _integers(draw, m, _size(draw, 1, MOST_COLUMNS), 4)
    w = torch.tensor(draw(st.lists(st.integers(1, 3), min_size=m, max_size=m)), dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    return torch.cat([J, -(w @ J).unsqueeze(0)]), torch.cat([w, one])
