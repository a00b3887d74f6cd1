"""The program min ½zᵀMz + qᵀz on a face of z ≥ 0: exact on the active columns, zero on the others."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.kernels.factor import EPS, Factor, empty_factor, substitute


class Face(NamedTuple):
    """Memory for a program; how many columns are active, p, is passed beside it.

    Attributes:
        factor: Cholesky factor of the active columns.
        z: The point, shape ``[m]``.
        trial: The minimiser on the face, shape ``[m]``.
        gradient: M·trial + q, shape ``[m]``.
        inside: Whether a column is active, shape ``[m]``.
        barred: Whether a column may not enter for now, shape ``[m]``.
    """

    factor: Factor
    z: npt.NDArray[np.float64]
    trial: npt.NDArray[np.float64]
    gradient: npt.NDArray[np.float64]
    inside: npt.NDArray[np.bool_]
    barred: npt.NDArray[np.bool_]


@compiled
def empty_face(m: int) -> Face:
    """Return the memory for programs of m columns: a face without active ones."""
    rows, flags = np.zeros((3, m)), np.zeros((2, m), dtype=np.bool_)
    return Face(empty_factor(m), rows[0], rows[1], rows[2], flags[0], flags[1])


@compiled
def gradient_rounding(m: int, scale: float, size: float) -> float:
    """Return the rounding error of an entry of the gradient Mz + q, 2m · 2⁻⁵² · (scale + size) with size Σ|zᵢ|.

    Args:
        m: Number of columns.
        scale: Size of the numbers from which q was summed.
        size: Of z.
    """
    return 2 * m * EPS * (scale + size)


@compiled_sums
def minimize(M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face, p: int) -> float:
    """Set ``face.trial`` to the minimiser on the face and ``face.gradient`` to its gradient.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        q: Linear term, shape ``[m]``.
        scale: Size of the numbers from which q was summed.
        face: The face, factorized.
        p: Number of active columns.

    Returns:
        Σ|trialᵢ|.
    """
    R, inverse, active, right = face.factor.R, face.factor.inverse, face.factor.active, face.factor.right
    trial, gradient = face.trial, face.gradient
    trial[:] = 0.0
    gradient[:] = q
    m = q.shape[0]
    size = 0.0
    for _ in range(3):  # refined while the residual is more than rounding
        for k in range(p):
            right[k] = -gradient[active[k]]
        substitute(R, inverse, right, p)
        size = 0.0
        for k in range(p):
            trial[active[k]] += right[k]
            size += float(abs(trial[active[k]]))
        set_gradient(M, q, active, p, trial, gradient)
        worst = 0.0
        for k in range(p):
            worst = max(worst, abs(gradient[active[k]]))
        if worst <= 0.5 * m * EPS * (scale + size):
            break
    return size


@compiled_sums
def set_gradient(
    M: npt.NDArray[np.float64],
    q: npt.NDArray[np.float64],
    active: npt.NDArray[np.int64],
    p: int,
    z: npt.NDArray[np.float64],
    gradient: npt.NDArray[np.float64],
) -> None:
    """Set the gradient to Mz + q.

    Args:
        M: Shape ``[m, m]``.
        q: Linear term, shape ``[m]``.
        active: The active columns, shape ``[m]``: z is zero elsewhere.
        p: Their number.
        z: The point, shape ``[m]``.
        gradient: Changed in place, shape ``[m]``.
    """
    gradient[:] = q
    m = q.shape[0]
    k = 0
    while k + 3 < p:  # four rows a pass: the gradient is read and written a quarter as often
        a, b, c, d = active[k], active[k + 1], active[k + 2], active[k + 3]
        x, y, v, w = z[a], z[b], z[c], z[d]
        for i in range(m):
            gradient[i] += x * M[a, i] + y * M[b, i] + v * M[c, i] + w * M[d, i]
        k += 4
    while k < p:
        a = active[k]
        x = z[a]
        for i in range(m):
            gradient[i] += x * M[a, i]
        k += 1
