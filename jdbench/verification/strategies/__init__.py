"""Hypothesis strategies for matrices, one for each class that an aggregator may stumble over.

Entries are small integers times powers of two, so that a found matrix shrinks to something readable and is the
same in float32, in float64 and in rational arithmetic; captured rows alone are of long integers. Every class
is constructed, never filtered; its function says why its matrices belong to it.
"""

import torch
from hypothesis import strategies as st

from jdbench.verification.strategies.matrix import LARGEST_ENTRY, RANGES, Matrix
from jdbench.verification.strategies.ranks import (
    any_shape,
    full_rank_matrices,
    many_rows,
    near_stationary,
    nearly_orthogonal,
    nearly_parallel,
    one_row_matrices,
    opposed,
    parallel,
    rank_deficient,
    strongly_stationary,
    weakly_stationary,
    zero_rows,
)
from jdbench.verification.strategies.regular import is_regular, regular_rows
from jdbench.verification.strategies.scales import OUT_OF_RANGE, captured, extreme, uneven

__all__ = [
    "LARGEST_ENTRY",
    "RANGES",
    "Matrix",
    "captured",
    "classes",
    "is_regular",
    "matrices",
    "near_stationary",
    "regular",
    "strongly_stationary",
    "weakly_stationary",
]


def matrices(dtype: torch.dtype) -> st.SearchStrategy[Matrix]:
    """Return the strategy that draws from every class.

    Args:
        dtype: float32 or float64; sets how far scales may go.

    Returns:
        A strategy of matrices, exact in that dtype.

    Example:
        >>> import torch
        >>> from hypothesis import find
        >>> from jdbench.verification import matrices
        >>> find(matrices(torch.float64), lambda matrix: len(matrix.J) == 1).kind
        'one row'
    """
    return st.one_of(*classes(dtype).values())


def classes(dtype: torch.dtype) -> dict[str, st.SearchStrategy[Matrix]]:
    """Return the strategy of each class by its name, from the simplest class to the most exotic.

    In all but the last, which float32 alone has, the squared norms of rows are finite and those of
    rows other than zero are not zero.

    Args:
        dtype: float32 or float64.

    Returns:
        Strategies by the `kind` of the matrices that they draw.

    Example:
        >>> import torch
        >>> from jdbench.verification import classes
        >>> sorted(classes(torch.float32).keys() - classes(torch.float64).keys())
        ['squares out of range']
    """
    room = RANGES[dtype]
    found: dict[str, st.SearchStrategy[Matrix]] = {
        "one row": one_row_matrices(),
        "any shape": any_shape(),
        "full rank": full_rank_matrices(),
        "rank-deficient": rank_deficient(),
        "zero row": zero_rows(),
        "parallel or duplicate": parallel(),
        "opposed": opposed(),
        "strongly stationary": strongly_stationary(),
        "weakly stationary": weakly_stationary(),
        "near-stationary": near_stationary(),
        "nearly orthogonal": nearly_orthogonal(room.conflict),
        "nearly opposed or parallel": nearly_parallel(),
        "many rows": many_rows(),
        "uneven row norms": uneven(room),
        "captured": captured(dtype),
        "tiny or huge": extreme(room.extreme),
    }
    if dtype == torch.float32:
        # Gradients so small are real, see `jdbench.verification.captured`; in float64 entries end at 1e±150.
        found["squares out of range"] = extreme(OUT_OF_RANGE, "squares out of range")
    return found


def regular(dtype: torch.dtype) -> dict[str, st.SearchStrategy[Matrix]]:
    """Return classes of full rank, far from where an aggregator may be discontinuous, see `regular_rows`.

    Args:
        dtype: float32 or float64.

    Returns:
        Strategies by the `kind` of the matrices that they draw: at scale 1, and tiny or huge.

    Example:
        >>> import torch
        >>> from jdbench.verification import regular
        >>> list(regular(torch.float64))
        ['regular', 'regular, tiny or huge']
    """
    extreme_scales = (-RANGES[dtype].extreme, RANGES[dtype].extreme)
    tiny_or_huge = "regular, tiny or huge"
    return {
        "regular": regular_rows("regular"),
        tiny_or_huge: regular_rows(tiny_or_huge, extreme_scales),
    }
