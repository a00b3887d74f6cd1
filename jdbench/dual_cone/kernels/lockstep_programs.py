"""Memory and product of eight programs min ½zᵀMz + qᵀz over z ≥ 0 of one M, one a lane of a vector register."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.kernels.lanes import LANES, fma, load, spread, store

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class LockstepPrograms(NamedTuple):
    """Memory for eight programs of m columns.

    Attributes:
        q: Linear terms, shape ``[m, 8]``.
        scale: Sizes of the numbers from which they were summed, shape ``[1, 8]``.
        z: The points, shape ``[m + 1, 8]``, the last row without meaning.
        gradient: Mz + q, shape ``[m + 1, 8]``.
        inside: 1 where a column is active, else 0, shape ``[m, 8]``.
        wrong: Number of wrong signs, shape ``[1, 8]``: 0 where a program is solved.
        padded: M with a row and a column of zeros behind, shape ``[m + 1, m + 1]``.
        R: Cholesky factors of the active columns, row by row, shape ``[m², 8]``.
        inverse: Reciprocals of their diagonals, 0 for a dependent column, shape ``[m, 8]``.
        x: Right-hand sides, then solutions, shape ``[m, 8]``.
        active: The active columns, then m, shape ``[m, 8]``.
    """

    q: Floats
    scale: Floats
    z: Floats
    gradient: Floats
    inside: Floats
    wrong: Floats
    padded: Floats
    R: Floats
    inverse: Floats
    x: Floats
    active: Integers


@compiled
def empty_programs(m: int) -> LockstepPrograms:
    """Return the memory for eight programs of m columns; ``q``, ``scale`` and ``padded`` are to be filled."""
    rows = np.zeros((6 * m + 4, LANES))  # at m = 8 to allocate each on its own costs a tenth of the kernel
    rows[m] = 1.0
    return LockstepPrograms(
        q=rows[:m],
        scale=rows[m : m + 1],
        z=rows[m + 1 : 2 * m + 2],
        gradient=rows[2 * m + 2 : 3 * m + 3],
        inside=rows[3 * m + 3 : 4 * m + 3],
        wrong=rows[4 * m + 3 : 4 * m + 4],
        padded=np.zeros((m + 1, m + 1)),
        R=np.empty((m * m, LANES)),
        inverse=rows[4 * m + 4 : 5 * m + 4],
        x=rows[5 * m + 4 :],
        active=np.empty((m, LANES), dtype=np.int64),
    )


@compiled_sums
def add_product(M: Floats, z: Floats, gradient: Floats, m: int) -> None:
    """Add Mz to the gradient.

    Args:
        M: Symmetric, shape ``[m + 1, m + 1]``, the last row and column not read.
        z: Eight vectors, shape ``[m + 1, 8]``.
        gradient: Changed in place, shape ``[m + 1, 8]``.
        m: Number of columns.
    """
    j = 0
    while j + 3 < m:
        a, b, c, d = load(z, j), load(z, j + 1), load(z, j + 2), load(z, j + 3)
        for i in range(m):
            g = fma(spread(M[j, i]), a, load(gradient, i))
            g = fma(spread(M[j + 1, i]), b, g)
            g = fma(spread(M[j + 2, i]), c, g)
            store(gradient, i, fma(spread(M[j + 3, i]), d, g))
        j += 4
    while j < m:
        a = load(z, j)
        for i in range(m):
            store(gradient, i, fma(spread(M[j, i]), a, load(gradient, i)))
        j += 1
