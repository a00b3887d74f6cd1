"""Our exact solver: y = û + z with z from the non-negative program of matrix Ĝ and linear term Ĝû."""

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled
from jdbench.dual_cone.nonnegative_qp import nonnegative_qp


@compiled
def active_set(
    cosines: npt.NDArray[np.float64], bounds: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], int]:
    """Return argmin of yᵀĜy over y ≥ û for each Gramian and each of its bounds.

    Args:
        cosines: Unit-row Gramians Ĝ, shape ``[b, m, m]``.
        bounds: Bounds û, shape ``[b, k, m]``, entries at most 1 in absolute value.

    Returns:
        Minimisers y ``[b, k, m]`` and the most changes of the active set that one program took.
    """
    weights = np.empty_like(bounds)
    most = 0
    for b in range(bounds.shape[0]):
        for k in range(bounds.shape[1]):
            u = bounds[b, k]
            z, changes = nonnegative_qp(cosines[b], np.dot(cosines[b], u), np.sum(np.abs(u)))
            weights[b, k] = u + z
            most = max(most, changes)
    return weights, most
