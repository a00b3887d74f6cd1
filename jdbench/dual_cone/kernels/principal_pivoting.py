"""Active set of min ½zᵀMz + qᵀz over z ≥ 0, guessed by coordinate descent and corrected by block pivoting.

Coordinate descent settles most signs of the answer in a few sweeps; then the program is solved exactly on the
guess, and all columns that violate a sign are exchanged at once (Júdice & Pires, *Computers & Operations
Research*, 1994; Kim & Park, *SIAM J. Scientific Computing*, 2011). That ends quickly unless columns depend on
each other, and what it returns satisfies all signs; where it does not end it says so, for `lawson_hanson`.
"""

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled_sums
from jdbench.dual_cone.kernels.face import Face, gradient_rounding, minimize
from jdbench.dual_cone.kernels.factor import PIVOT, append, factorize, remove

SWEEPS = 30
"""Most sweeps of coordinate descent."""

EXCHANGES = 8
"""Most exchanges of columns."""


@compiled_sums
def principal_pivoting(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face
) -> tuple[int, int]:
    """Set ``face.trial`` to the argmin of ½zᵀMz + qᵀz over z ≥ 0, if all goes well.

    Args:
        M: Positive semi-definite, shape ``[m, m]``, diagonal of order 1 (or 0).
        q: Linear term, shape ``[m]``.
        scale: Size of the numbers from which q was summed.
        face: Memory.

    Returns:
        The number of active columns and that of changes of the active set; -1 for the second where the
        exchanges do not end or a column depends on others.
    """
    _sweep(M, q, face)
    m = q.shape[0]
    active, inside, z = face.factor.active, face.inside, face.z
    trial, gradient = face.trial, face.gradient
    p = 0
    for j in range(m):
        inside[j] = z[j] > 0.0
        if inside[j]:
            active[p] = j
            p += 1
    p = factorize_independent(M, face, p)
    changes = p
    fewest = m + 1
    for _ in range(EXCHANGES):
        size = minimize(M, q, scale, face, p)
        tolerance = gradient_rounding(m, scale, size)
        wrong = 0
        for j in range(m):
            if (trial[j] <= 0.0) if inside[j] else (gradient[j] < -tolerance):
                wrong += 1
        if wrong == 0:
            return p, changes
        if wrong >= fewest:
            break
        fewest = wrong
        changes += wrong
        p = _exchange(M, face, p, wrong, tolerance)
    return p, -1


@compiled_sums
def _sweep(M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], face: Face) -> None:
    """Minimise over one coordinate of z after the other, until a sweep changes no sign."""
    z, gradient = face.z, face.gradient
    m = q.shape[0]
    z[:] = 0.0
    gradient[:] = q
    for _ in range(SWEEPS):
        settled = True
        for j in range(m):
            old = z[j]
            if M[j, j] == 0.0 or (old == 0.0 and gradient[j] >= 0.0):
                continue
            new = max(old - gradient[j] / M[j, j], 0.0)
            settled = settled and (new > 0.0) == (old > 0.0)
            shift = new - old
            z[j] = new
            for i in range(m):
                gradient[i] += shift * M[j, i]
        if settled:
            break


@compiled_sums
def _exchange(M: npt.NDArray[np.float64], face: Face, p: int, wrong: int, tolerance: float) -> int:
    """Exchange all columns of the wrong sign.

    Returns:
        The number of active columns; -1 where one depends on others.
    """
    active, inside = face.factor.active, face.inside
    few = 4 * wrong <= p
    kept = 0
    for k in range(p - 1, -1, -1):
        j = active[k]
        if face.trial[j] <= 0.0:
            inside[j] = False
            if few:
                remove(face.factor, p, k)
                p -= 1
    if not few:
        for k in range(p):
            if inside[active[k]]:
                active[kept] = active[k]
                kept += 1
        p = kept
    for j in range(inside.shape[0]):
        if not inside[j] and face.trial[j] == 0.0 and face.gradient[j] < -tolerance:
            if not few:
                active[p] = j
            elif not append(M, face.factor, p, j, PIVOT):
                continue
            inside[j] = True
            p += 1
    return p if few else factorize_independent(M, face, p)


@compiled_sums
def factorize_independent(M: npt.NDArray[np.float64], face: Face, p: int) -> int:
    """Factorize the active columns and leave out those that depend on the ones before.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        face: Its ``factor.active`` and ``inside`` say which columns; changed in place.
        p: Their number.

    Returns:
        The number of active columns.
    """
    active = face.factor.active
    kept = factorize(M, face.factor, p, PIVOT)
    for k in range(kept, p):
        j = active[k]
        if append(M, face.factor, kept, j, PIVOT):
            kept += 1
        else:
            face.inside[j] = False
    return kept
