"""Cholesky factor of the active columns of a positive semi-definite matrix, grown and shrunk column by column.

With A the active columns in order of entry, M_AA = RᵀR. A column enters by one triangular solve and leaves by
Givens rotations (Gill, Golub, Murray & Saunders, *Methods for modifying matrix factorizations*, 1974). Rows of
R are contiguous, and all inner loops run along them.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums

EPS = 2.0**-52

PIVOT = 1e-9
"""Least pivot of the quick methods: a column nearer to the span of the others is left to `lawson_hanson`."""


class Factor(NamedTuple):
    """Memory of the factor; how many columns are active, p, is passed beside it.

    Attributes:
        R: Upper triangular, shape ``[m, m]``, its first p rows and columns in use.
        inverse: Reciprocals of the diagonal of R, shape ``[m]``.
        active: The active columns in order of entry, shape ``[m]``.
        right: Right-hand side of a solve, then its solution, shape ``[m]``.
        row: Room for a row or column in the making, shape ``[m]``.
    """

    R: npt.NDArray[np.float64]
    inverse: npt.NDArray[np.float64]
    active: npt.NDArray[np.int64]
    right: npt.NDArray[np.float64]
    row: npt.NDArray[np.float64]


@compiled
def empty_factor(m: int) -> Factor:
    """Return the memory for the factor of up to m columns."""
    rows = np.empty((3, m))
    return Factor(np.empty((m, m)), rows[0], np.empty(m, dtype=np.int64), rows[1], rows[2])


@compiled_sums
def factorize(M: npt.NDArray[np.float64], factor: Factor, p: int, least: float) -> int:
    """Factorize M_AA for the first p of ``factor.active``.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        factor: Changed in place.
        p: Number of active columns.
        least: Least pivot, as a share of the diagonal entry.

    Returns:
        The position of the first column whose pivot is less; p if there is none.
    """
    R, active, row = factor.R, factor.active, factor.row
    for k in range(p):
        column = active[k]
        for i in range(k, p):
            row[i] = M[column, active[i]]
        t = 0
        while t + 3 < k:  # four rows a pass: `row` is read and written a quarter as often
            a, b, c, d = R[t, k], R[t + 1, k], R[t + 2, k], R[t + 3, k]
            for i in range(k, p):
                row[i] -= a * R[t, i] + b * R[t + 1, i] + c * R[t + 2, i] + d * R[t + 3, i]
            t += 4
        while t < k:
            a = R[t, k]
            for i in range(k, p):
                row[i] -= a * R[t, i]
            t += 1
        if row[k] <= max(least, 4 * (k + 1) * EPS) * M[column, column]:
            return k
        root = np.sqrt(row[k])
        R[k, k] = root
        inverse = 1.0 / root
        factor.inverse[k] = inverse
        for i in range(k + 1, p):
            R[k, i] = row[i] * inverse
    return p


@compiled_sums
def append(M: npt.NDArray[np.float64], factor: Factor, p: int, column: int, least: float) -> bool:
    """Append a column to the first p, unless it depends on them, and say whether.

    A pivot is the squared distance of a column to the span of the others; below its own rounding error it
    says nothing.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        factor: Changed in place.
        p: Number of active columns.
        column: The one to append.
        least: Least pivot, as a share of the diagonal entry.

    Returns:
        Whether the column entered.
    """
    R, row = factor.R, factor.row
    for k in range(p):
        row[k] = M[factor.active[k], column]
    square = M[column, column]
    for k in range(p):
        entry = row[k] * factor.inverse[k]
        for i in range(k + 1, p):
            row[i] -= entry * R[k, i]
        row[k] = entry
        square -= entry * entry
    if square <= max(least, 4 * (p + 1) * EPS) * M[column, column]:
        return False
    for k in range(p):
        R[k, p] = row[k]
    R[p, p] = np.sqrt(square)
    factor.inverse[p] = 1.0 / R[p, p]
    factor.active[p] = column
    return True


@compiled_sums
def remove(factor: Factor, p: int, position: int) -> None:
    """Take one of the first p columns out.

    Args:
        factor: Changed in place.
        p: Number of active columns, before.
        position: Which one.
    """
    R = factor.R
    for k in range(position, p - 1):
        factor.active[k] = factor.active[k + 1]
    for k in range(p):
        for i in range(max(position, k - 1), p - 1):
            R[k, i] = R[k, i + 1]
    for k in range(position, p - 1):
        # R has one entry below the diagonal in each column from here: rotate it away.
        length = np.sqrt(R[k, k] * R[k, k] + R[k + 1, k] * R[k + 1, k])
        cosine = R[k, k] / length
        sine = R[k + 1, k] / length
        R[k, k] = length
        factor.inverse[k] = 1.0 / length
        for i in range(k + 1, p - 1):
            upper = R[k, i]
            lower = R[k + 1, i]
            R[k, i] = cosine * upper + sine * lower
            R[k + 1, i] = cosine * lower - sine * upper


@compiled_sums
def substitute(
    R: npt.NDArray[np.float64], inverse: npt.NDArray[np.float64], x: npt.NDArray[np.float64], p: int
) -> None:
    """Solve RᵀR x = x in place.

    The arrays come one by one: to take them out of a tuple counts references, which costs as much as a small
    program.

    Args:
        R: Triangular factor, shape ``[m, m]``.
        inverse: Reciprocals of its diagonal, shape ``[m]``.
        x: Right-hand side, then solution, shape ``[m]``; the first p entries change.
        p: Number of active columns.
    """
    for k in range(p):
        value = x[k] * inverse[k]
        x[k] = value
        for i in range(k + 1, p):
            x[i] -= value * R[k, i]
    for k in range(p - 1, -1, -1):
        total = 0.0
        for i in range(k + 1, p):
            total += R[k, i] * x[i]
        x[k] = (x[k] - total) * inverse[k]
