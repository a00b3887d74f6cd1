"""A drawn matrix, the room that a dtype leaves for it, and how its integers are drawn."""

from dataclasses import dataclass
from functools import cache

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
        J: Entries exact in the dtype that it was drawn for, also times three, shape ``[m, n]``, float64.
        kind: Name of its class.
        certificate: For stationary matrices some w ≥ 0, w ≠ 0, with Jᵀw = 0 exactly, shape ``[m]``.

    Example:
        >>> import torch
        >>> from jdbench.verification import Matrix
        >>> J, w = torch.tensor([[1.0, 2.0], [-2.0, -4.0]]).double(), torch.tensor([2.0, 1.0]).double()
        >>> matrix = Matrix(J, "opposed", certificate=w)
        >>> (matrix.certificate @ matrix.J).tolist()
        [0.0, 0.0]
    """

    J: Tensor
    kind: str
    certificate: Tensor | None = None


@dataclass(frozen=True)
class Range:
    """The powers of two that a dtype leaves room for, where squares of entries must be finite and not zero.

    Attributes:
        spread: Rows are scaled by 2^(±spread): norms span up to 15 decades in float64, 8 in float32.
        wide: Where they are meant to span much, one is scaled by 2^wide or more, one by 2^-wide or less.
        extreme: All entries at once are scaled by 2^(±extreme): 1e±147 in float64, 1e±16 in float32.
        conflict: A conflict may be as small as 2^-conflict, far above rounding and below thresholds.
        digits: Binary digits of the integers that captured rows are rounded to: two fewer than the dtype has,
            so that three times such an entry is exact.
    """

    spread: int
    wide: int
    extreme: int
    conflict: int
    digits: int


RANGES = {torch.float64: Range(24, 17, 490, 24, 51), torch.float32: Range(13, 9, 55, 12, 22)}


def rounded(J: Tensor, digits: int) -> Tensor:
    """Return J with each row rounded to integers of so many binary digits times a power of two of its own."""
    _, exponent = torch.frexp(J.abs().amax(-1, keepdim=True))
    unit = 2.0 ** (exponent.to(torch.float64) - digits)
    return (J / unit).round() * unit


def drawn_integers(draw: st.DrawFn, m: int, n: int, largest: int = LARGEST_ENTRY) -> Tensor:
    """Draw m × n integers of magnitude up to `largest`, each a choice of its own: the search climbs on them."""
    return torch.tensor(draw(_entries(m * n, largest)), dtype=torch.float64).reshape(m, n)


def powers_of_two(draw: st.DrawFn, m: int, spread: int) -> Tensor:
    """Draw m powers of two, 2^(±spread), shape ``[m, 1]``."""
    return 2.0 ** drawn_integers(draw, m, 1, spread)


def drawn_count(draw: st.DrawFn, low: int, high: int) -> int:
    """Draw a number of rows or columns."""
    return draw(st.integers(low, high))


def shuffled(draw: st.DrawFn, m: int) -> Tensor:
    """Draw an order of m rows."""
    return torch.tensor(draw(st.permutations(range(m))))


# A strategy is checked when it is first drawn from: those of the same size are one.
@cache
def _entries(count: int, largest: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(-largest, largest)] * count)
