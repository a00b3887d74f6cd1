"""Active-set method for min ½zᵀMz + qᵀz over z ≥ 0 with M positive semi-definite, exact at any rank.

The method of Lawson & Hanson for non-negative least squares (*Solving Least Squares Problems*, 1974,
chapter 23), written for the normal matrix M. A column enters when its gradient is negative; a column
that depends on those already inside has a zero gradient in exact arithmetic and never enters, so
singular matrices are solved, not perturbed. In floating point two checks stand for that: the column's
distance to the span of the others, and the size of the weights that it would bring.
"""

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled
from jdbench.dual_cone.kernels.face import Face, gradient_rounding, minimize, set_gradient
from jdbench.dual_cone.kernels.factor import EPS, append, remove


@compiled
def lawson_hanson(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face, p: int
) -> tuple[int, int]:
    """Set ``face.trial`` to the argmin of ½zᵀMz + qᵀz over z ≥ 0.

    Args:
        M: Positive semi-definite, shape ``[m, m]``, diagonal of order 1 (or 0).
        q: Linear term, shape ``[m]``, bounded below along every null direction z ≥ 0 of M.
        scale: Size of the numbers from which q was summed, so that its rounding error is at most
            m · 2⁻⁵² · scale.
        face: Where to start: the factorized active set of another linear term, say.
        p: Number of columns active there; 0 starts at z = 0.

    Returns:
        The number of active columns and that of changes of the active set. It ends after at most
        40m + 100 changes; columns that depend on the active ones within rounding stay outside, so the
        gradient Mz + q may keep a small negative entry there, for the caller to judge.
    """
    m = q.shape[0]
    z, gradient, inside, barred = face.z, face.gradient, face.inside, face.barred
    p, changes, size = _enter(M, q, scale, face, p)
    z[:] = face.trial
    best = _value(q, face)
    barred[:] = False
    while changes < 40 * m + 100:
        j = -1
        lowest = -gradient_rounding(m, scale, size)
        for i in range(m):
            if not inside[i] and not barred[i] and gradient[i] < lowest:
                lowest = gradient[i]
                j = i
        if j < 0:
            break
        changes += 1
        if not append(M, face.factor, p, j, 0.0):
            barred[j] = True
            continue
        trial_size = minimize(M, q, scale, face, p + 1)
        # In exact arithmetic the newcomer gets a positive share: otherwise this is rounding. Large weights
        # move the vector that they combine by the error of M's entries times their square; where that is
        # more than the violation they correct, the violation stays.
        if face.trial[j] <= 0.0 or 4 * EPS * trial_size * (trial_size + 2 * scale) > -lowest:
            barred[j] = True
            face.trial[:] = z
            set_gradient(M, q, face.factor.active, p, face.trial, gradient)
            continue
        inside[j] = True
        p, dropped, size = _descend(M, q, scale, face, p + 1, trial_size)
        changes += dropped
        value = _value(q, face)
        if value < best - EPS * scale * scale:
            best = value
            barred[:] = False
        else:
            barred[j] = True  # no progress beyond rounding: end after at most m of these in a row
    return p, changes


@compiled
def _enter(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face, p: int
) -> tuple[int, int, float]:
    """Shrink the active set until its minimiser is positive: a point from which to descend."""
    dropped = 0
    face.inside[:] = False
    for k in range(p):
        face.inside[face.factor.active[k]] = True
    while True:
        size = minimize(M, q, scale, face, p)
        lowest = 0.0
        worst = -1
        for k in range(p):
            if face.trial[face.factor.active[k]] <= lowest:
                lowest = face.trial[face.factor.active[k]]
                worst = k
        if worst < 0:
            return p, dropped, size
        face.inside[face.factor.active[worst]] = False
        remove(face.factor, p, worst)
        p -= 1
        dropped += 1


@compiled
def _descend(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face, p: int, size: float
) -> tuple[int, int, float]:
    """Move from z to the minimiser on the face, dropping the columns that reach zero on the way."""
    z, trial, active = face.z, face.trial, face.factor.active
    dropped = 0
    while True:
        step = 1.0
        for k in range(p):
            i = active[k]
            if trial[i] <= 0.0:
                step = min(step, z[i] / (z[i] - trial[i]))
        before = p
        for k in range(before - 1, -1, -1):
            i = active[k]
            leaves = trial[i] <= 0.0 and z[i] / (z[i] - trial[i]) <= step
            z[i] = 0.0 if leaves else z[i] + step * (trial[i] - z[i])
            if leaves or z[i] <= 0.0:
                z[i] = 0.0
                face.inside[i] = False
                remove(face.factor, p, k)
                p -= 1
        if p == before:
            return p, dropped, size
        dropped += before - p
        size = minimize(M, q, scale, face, p)


@compiled
def _value(q: npt.NDArray[np.float64], face: Face) -> float:
    """Return ½zᵀMz + qᵀz at the trial point."""
    return 0.5 * np.dot(q + face.gradient, face.trial)
