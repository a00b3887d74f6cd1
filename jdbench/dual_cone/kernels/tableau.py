"""The programs min ½zᵀMz + Mᵢᵀz over z ≥ 0 of all columns Mᵢ of M, on one tableau carried through them.

A tableau is the principal pivot transform of M by its active set A (Cottle, Pang & Stone, *The Linear
Complementarity Problem*, 1992, section 2.3): its column i holds the minimiser on the face, -M_AA⁻¹M_Ai, and the
gradient there. So reading a solution costs nothing, and a change of the active set m² operations, whatever the
program. The changes are those of Lawson & Hanson. Rounding adds up over the pivots: every answer is judged and
corrected with M itself, and where that does not help it is left to the next method.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.kernels.face import Face, gradient_rounding, set_gradient
from jdbench.dual_cone.kernels.factor import EPS, PIVOT

Floats = npt.NDArray[np.float64]


class Tableau(NamedTuple):
    """A principal pivot transform of M.

    Attributes:
        T: The transform, shape ``[m, m]``.
        inside: Whether a column is active, shape ``[m]``.
        row: Room for one row, shape ``[m]``.
    """

    T: npt.NDArray[np.float64]
    inside: npt.NDArray[np.bool_]
    row: npt.NDArray[np.float64]


@compiled
def empty_tableau(m: int) -> Tableau:
    """Return the memory for a tableau of m columns, still to be filled by `reset_tableau`."""
    return Tableau(np.empty((m, m)), np.zeros(m, dtype=np.bool_), np.empty(m))


@compiled
def reset_tableau(M: npt.NDArray[np.float64], tableau: Tableau) -> None:
    """Make the tableau that of the empty active set: M itself."""
    tableau.T[:] = M
    tableau.inside[:] = False


@compiled_sums
def _exchange(T: Floats, row: Floats, inside: npt.NDArray[np.bool_], j: int) -> None:
    """Move column j into the active set, or out of it."""
    m = row.shape[0]
    inverse = 1.0 / T[j, j]
    for c in range(m):
        row[c] = T[j, c]
    for r in range(m):
        share = T[r, j] * inverse
        for c in range(m):
            T[r, c] -= share * row[c]
        T[r, j] = share
    for c in range(m):
        T[j, c] = -row[c] * inverse
    T[j, j] = inverse
    inside[j] = not inside[j]


@compiled_sums
def solve_column(M: npt.NDArray[np.float64], i: int, tableau: Tableau, face: Face) -> int:
    """Set ``face.trial`` to the argmin of ½zᵀMz + Mᵢᵀz over z ≥ 0, if all goes well.

    Args:
        M: Positive semi-definite, shape ``[m, m]``, diagonal of ones (or zeros).
        i: The column that is the linear term.
        tableau: Where to start.
        face: Memory; its factor is not used but for the list of active columns.

    Returns:
        The number of changes of the active set; -1 where they do not end or M itself refutes the answer.
    """
    T, row, inside, z, barred = tableau.T, tableau.row, tableau.inside, face.z, face.barred
    m = M.shape[0]
    changes = 0
    if inside[i]:
        _exchange(T, row, inside, i)
        changes += 1
    changes += _shrink(T, row, inside, i)
    size = 0.0
    for a in range(m):
        z[a] = -T[i, a] if inside[a] else 0.0
        barred[a] = False
        size += z[a]
    while changes < 4 * m + 20:
        j = -1
        lowest = -gradient_rounding(m, 1.0, size)
        for a in range(m):
            if T[i, a] < lowest and not inside[a] and not barred[a]:
                lowest = T[i, a]
                j = a
        if j < 0:
            return changes if _verified(M, i, tableau, face) else -1
        if T[j, j] <= PIVOT:
            barred[j] = True
            continue
        _exchange(T, row, inside, j)
        changes += 1
        if T[i, j] >= 0.0:
            return -1
        dropped, size = _descend(T, row, inside, i, z)
        changes += dropped
    return -1


@compiled_sums
def _shrink(T: Floats, row: Floats, inside: npt.NDArray[np.bool_], i: int) -> int:
    """Take columns out, the most negative first, until the minimiser on the face is positive."""
    changes = 0
    while True:
        worst = -1
        highest = 0.0
        for a in range(inside.shape[0]):
            if inside[a] and (T[i, a] > highest or (worst < 0 and T[i, a] == 0.0)):
                highest = T[i, a]
                worst = a
        if worst < 0:
            return changes
        _exchange(T, row, inside, worst)
        changes += 1


@compiled_sums
def _descend(T: Floats, row: Floats, inside: npt.NDArray[np.bool_], i: int, z: Floats) -> tuple[int, float]:
    """Move z to the minimiser on the face, dropping the columns that reach zero on the way.

    Returns:
        The number of columns dropped and Σzᵢ.
    """
    m = inside.shape[0]
    changes = 0
    while True:
        step = 1.0
        leaving = -1
        for a in range(m):
            if inside[a] and T[i, a] >= 0.0:
                ratio = z[a] / (z[a] + T[i, a]) if z[a] > 0.0 else 0.0
                if leaving < 0 or ratio < step:
                    step = ratio
                    leaving = a
        size = 0.0
        for a in range(m):
            if inside[a]:
                z[a] -= step * (T[i, a] + z[a])
                size += z[a]
        if leaving < 0:
            return changes, size
        z[leaving] = 0.0
        _exchange(T, row, inside, leaving)
        changes += 1


@compiled_sums
def _verified(M: npt.NDArray[np.float64], i: int, tableau: Tableau, face: Face) -> bool:
    """Set ``face.trial`` to z, corrected twice at most, and say whether all signs are right by M itself."""
    T, inside, z, trial, gradient = tableau.T, tableau.inside, face.z, face.trial, face.gradient
    active = face.factor.active
    m = M.shape[0]
    p = 0
    for a in range(m):
        trial[a] = z[a]
        if inside[a]:
            active[p] = a
            p += 1
    for _ in range(3):
        set_gradient(M, M[i], active, p, trial, gradient)
        size = 0.0
        worst = 0.0
        for k in range(p):
            worst = max(worst, abs(gradient[active[k]]))
            size += float(trial[active[k]])
            if trial[active[k]] <= 0.0:
                return False
        if worst <= 0.5 * m * EPS * (1.0 + size):
            lowest = 0.0
            for a in range(m):
                if not inside[a]:
                    lowest = min(lowest, gradient[a])
            return lowest >= -gradient_rounding(m, 1.0, size)
        for k in range(p):
            total = 0.0
            for n in range(p):
                total += T[active[k], active[n]] * gradient[active[n]]
            trial[active[k]] -= total
    return False
