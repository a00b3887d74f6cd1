"""The program min ½zᵀMz + qᵀz over z ≥ 0, M positive semi-definite, by a chain of two methods.

The dual cone's program (5) is of this form, and so are the minimum-norm point of MGDA and the
constrained projections of CAGrad: one kernel serves them all.

Each link takes over where the one before gives up or ends with weights so large that their rounding
could exceed `DOUBT`: `PIVOTING`, the fastest; `WARM`, the method of Lawson & Hanson from the active set of
the program before; `COLD`, the same from zero, whose guards weigh every column before it enters.
"""

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled
from jdbench.dual_cone.face import Face, empty_face
from jdbench.dual_cone.factor import EPS
from jdbench.dual_cone.lawson_hanson import lawson_hanson
from jdbench.dual_cone.principal_pivoting import principal_pivoting

PIVOTING, WARM, COLD = 0, 1, 2

DOUBT = 1e-10
"""Largest rounding, in units of the square of the scale, with which the quick links are trusted."""


@compiled
def nonnegative_qp(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float
) -> tuple[npt.NDArray[np.float64], int]:
    """Return argmin of ½zᵀMz + qᵀz over z ≥ 0.

    Args:
        M: Positive semi-definite, shape ``[m, m]``, diagonal of order 1 (or 0).
        q: Linear term, shape ``[m]``, bounded below along every null direction z ≥ 0 of M.
        scale: Size of the numbers from which q was summed, so that its rounding error is at most
            m · 2⁻⁵² · scale.

    Returns:
        The minimiser z ``[m]``, and the number of changes of the active set.
    """
    face = empty_face(q.shape[0])
    _, changes, _ = continued(M, q, scale, face, 0, PIVOTING)
    return face.trial, changes


@compiled
def continued(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face, p: int, link: int
) -> tuple[int, int, int]:
    """Set ``face.trial`` to the argmin of ½zᵀMz + qᵀz over z ≥ 0, after another program with the same M.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        q: Linear term, shape ``[m]``.
        scale: Size of the numbers from which q was summed.
        face: Memory, and the active set of the program before.
        p: Number of columns active there.
        link: First link of the chain to try.

    Returns:
        The number of active columns, that of changes of the active set, and the link that solved it.
    """
    if link == PIVOTING:
        p, changes = principal_pivoting(M, q, scale, face)
        if changes >= 0 and not _doubtful(face, scale):
            return p, changes, PIVOTING
    if link <= WARM:
        p, changes = lawson_hanson(M, q, scale, face, p)
        if not _doubtful(face, scale):
            return p, changes, WARM
    p, changes = lawson_hanson(M, q, scale, face, 0)
    return p, changes, COLD


@compiled
def _doubtful(face: Face, scale: float) -> bool:
    """Return whether the rounding of M's entries, weighed by the answer, could exceed `DOUBT`."""
    size = np.sum(np.abs(face.trial))
    return not 4 * EPS * size * (size + 2 * scale) <= DOUBT * scale * scale
