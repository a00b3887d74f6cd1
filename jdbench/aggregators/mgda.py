"""MGDA: the shortest vector in the convex hull of the rows ([JD] eq. 26 and 27)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.compiled import compiled
from jdbench.dual_cone.kernels.nonnegative_qp import EPS, nonnegative_qp
from jdbench.gramian import checked_gramian, unit_rows
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class MGDA(GramianAggregator):
    """A(J) = Jᵀw with w the argmin of ‖Jᵀv‖ over the simplex ([JD] eq. 27), by an active-set method.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import MGDA
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> d = MGDA()(J)
        >>> d.round(decimals=3)
        tensor([0.1540, 0.7690])
        >>> (J @ d).round(decimals=3)  # both objectives improve alike
        tensor([0.6150, 0.6150])
    """

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return w ≥ 0 with sum 1, all of it on the zero rows if there are any.

        Where G is singular w is not unique; Jᵀw is.
        """
        G = checked_gramian(G)
        m = G.shape[-1]
        norms, cosines = unit_rows(G)
        flat = minimum_norm(cosines.reshape(-1, m, m).cpu().numpy(), norms.reshape(-1, m).cpu().numpy())
        return torch.from_numpy(flat).to(G.device).reshape(G.shape[:-1])

    __repr__ = short_repr


@compiled
def minimum_norm(cosines: npt.NDArray[np.float64], norms: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the simplex weights of the shortest vector in the convex hull of each set of rows.

    The least-squares problem min ‖Σ zᵢ(ĝᵢ, bᵢ) - (0, 1)‖² over z ≥ 0 with bᵢ = 1/dᵢ splits into a length t
    and a point of the simplex: with zᵢ = t wᵢ dᵢ it is t²‖Jᵀw‖² + (t - 1)². Its w is MGDA's, and its columns
    have length 1 to √2 whatever the row norms, once those are divided by the smallest.

    Args:
        cosines: Unit-row Gramians, shape ``[b, m, m]``.
        norms: Row norms d, shape ``[b, m]``.

    Returns:
        Weights, shape ``[b, m]``.
    """
    weights = np.zeros_like(norms)
    for b in range(norms.shape[0]):
        smallest = np.min(norms[b])
        if smallest == 0.0:
            weights[b] = (norms[b] == 0.0) / np.sum(norms[b] == 0.0)
            continue
        inverse = np.ones_like(norms[b])
        z, _ = nonnegative_qp(cosines[b] + 1.0, -inverse, 1.0)
        z /= np.sum(z)
        if np.dot(z, np.dot(cosines[b], z)) > 4 * z.size * EPS:
            inverse = smallest / norms[b]
            z, _ = nonnegative_qp(cosines[b] + np.outer(inverse, inverse), -inverse, 1.0)
        else:
            # The hull of the unit rows holds 0, and so does that of the rows, whatever their norms.
            inverse = smallest / norms[b]
        weights[b] = z * inverse
        weights[b] /= np.sum(weights[b])
    return weights
