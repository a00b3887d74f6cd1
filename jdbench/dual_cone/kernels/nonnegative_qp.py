"""The program min ½zᵀMz + qᵀz over z ≥ 0, M positive semi-definite, by a chain of methods.

The dual cone's program (5) is of this form, and so are the minimum-norm point of MGDA and the
constrained projections of CAGrad: all of them call this kernel.

Each link of the chain takes over where the one before gives up or ends with weights so large that their
rounding could exceed `DOUBT`, and shows (`doubtful`): `LOCKSTEP`, for several programs of one matrix
(`lockstep`, called by the solver of a Gramian); `TABLEAU`, for linear terms that are columns of M;
`PIVOTING`, for any single program; `DESCENT`, the method of Lawson & Hanson from where pivoting left off;
`COLD`, the same from zero, which checks every column before it enters.
"""

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled
from jdbench.dual_cone.kernels.face import Face, empty_face
from jdbench.dual_cone.kernels.factor import EPS
from jdbench.dual_cone.kernels.lawson_hanson import lawson_hanson
from jdbench.dual_cone.kernels.principal_pivoting import principal_pivoting
from jdbench.dual_cone.kernels.tableau import Tableau, reset_tableau, solve_column

LOCKSTEP, TABLEAU, PIVOTING, DESCENT, COLD = 0, 1, 2, 3, 4

DOUBT = 1e-10
"""Largest rounding, in units of the square of the scale, with which the quick links are trusted."""

SAFETY_FACTOR = 10.0
"""How many times a violation or a gap that was found counts: a few units of rounding could hide it."""


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
    changes, _ = chain(M, q, scale, face, 0, PIVOTING)
    return face.trial, changes


@compiled
def chain(
    M: npt.NDArray[np.float64], q: npt.NDArray[np.float64], scale: float, face: Face, p: int, link: int
) -> tuple[int, int]:
    """Set ``face.trial`` to the argmin of ½zᵀMz + qᵀz over z ≥ 0.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        q: Linear term, shape ``[m]``.
        scale: Size of the numbers from which q was summed.
        face: Memory; for `DESCENT` an active set to start from, factorized.
        p: Number of columns active there.
        link: First link to try, `PIVOTING` or later.

    Returns:
        The number of changes of the active set and the link that made the answer.
    """
    total = 0
    if link == PIVOTING:
        p, changes = principal_pivoting(M, q, scale, face)
        if changes >= 0 and not doubtful(face, scale):
            return changes, PIVOTING
        total += abs(changes)
    if link <= DESCENT:
        _, changes = lawson_hanson(M, q, scale, face, p)
        total += changes
        if not doubtful(face, scale):
            return total, DESCENT
    _, changes = lawson_hanson(M, q, scale, face, 0)
    return total + changes, COLD


@compiled
def column_chain(
    M: npt.NDArray[np.float64], i: int, tableau: Tableau, face: Face, link: int
) -> tuple[int, int]:
    """Set ``face.trial`` to the argmin of ½zᵀMz + Mᵢᵀz over z ≥ 0.

    Args:
        M: Positive semi-definite, shape ``[m, m]``.
        i: The column that is the linear term.
        tableau: A tableau of M; reset when it fails.
        face: Memory.
        link: First link to try.

    Returns:
        The number of changes of the active set and the link that made the answer.
    """
    total = 0
    if link == TABLEAU:
        changes = solve_column(M, i, tableau, face)
        if changes >= 0 and not doubtful(face, 1.0):
            return changes, TABLEAU
        total += abs(changes)
        reset_tableau(M, tableau)
    changes, link = chain(M, M[i], 1.0, face, 0, max(link, PIVOTING))
    return total + changes, link


@compiled
def doubtful(face: Face, scale: float) -> bool:
    """Return whether the rounding of M's entries, weighed by the answer, could exceed `DOUBT`, and shows.

    Args:
        face: Holds the answer in ``trial`` and its gradient.
        scale: Size of the numbers from which q was summed.

    Returns:
        Whether 4 · 2⁻⁵² · Σzᵢ(Σzᵢ + 2 scale) is more, or NaN, and so is `SAFETY_FACTOR` times a violation or
        the duality gap, as they are found.
    """
    trial, gradient = face.trial, face.gradient
    size = 0.0
    for i in range(trial.shape[0]):
        size += abs(trial[i])
    limit = DOUBT * scale * scale
    if 4 * EPS * size * (size + 2 * scale) <= limit:
        return False
    gap, lowest = 0.0, 0.0
    for i in range(trial.shape[0]):
        gap += trial[i] * gradient[i]
        lowest = min(lowest, gradient[i])
    return not (SAFETY_FACTOR * abs(gap) <= limit and -SAFETY_FACTOR * lowest <= limit)
