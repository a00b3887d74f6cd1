"""PCGrad: each row projected off those it conflicts with, one by one in random order ([JD] eq. 30 to 33)."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.compiled import compiled
from jdbench.gramian import checked_gramian, unit_rows
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class PCGrad(GramianAggregator):
    """A(J) = Σ gᵢ after its projections onto the half-spaces of the other rows ([JD] eq. 32 and 33).

    A sum, not a mean: for m ≤ 2 it is m times UPGrad. Zero rows conflict with nothing and are passed over.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import PCGrad
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> PCGrad()(J).round(decimals=3)  # two rows leave nothing to chance
        tensor([2., 3.])
    """

    random: ClassVar[bool] = True

    def draw(
        self, shape: torch.Size, *, device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return m · (m - 1) uniform draws a matrix, shape ``[..., m, m - 1]``; arguments as in `Drawing`."""
        m = shape[-2]
        return torch.rand((*shape[:-1], m - 1), dtype=torch.float64, device=device, generator=generator)

    def weights(
        self, G: Gramian, *, generator: torch.Generator | None = None, draws: Tensor | None = None
    ) -> Weights:
        """Return the sum of the weights of the projected rows.

        Args:
            G: Gramian, shape ``[..., m, m]``.
            generator: Source of the orders: m · (m - 1) uniform draws a matrix, whatever its entries.
            draws: The draws themselves, shape ``[..., m, m - 1]``, in place of a generator.

        Returns:
            Weights, shape ``[..., m]``, float64, on the device of G.
        """
        G = checked_gramian(G)
        m = G.shape[-1]
        norms, cosines = unit_rows(G)
        if draws is None:
            draws = self.draw(G.shape, device=G.device, generator=generator)
        size = math.prod(G.shape[:-2])
        orders = draws.argsort(-1).reshape(size, m, m - 1).cpu().numpy()
        flat = _project_in_order(cosines.reshape(size, m, m).cpu().numpy(), orders)
        rows = torch.from_numpy(flat).to(G.device).reshape(G.shape)
        # Row i of `rows` holds the unit-row weights of unit row i: scale it up by dᵢ, then each by 1/dⱼ.
        shift = (rows - torch.eye(m, dtype=G.dtype, device=G.device)) * norms.unsqueeze(-1)
        return 1 + torch.where(norms > 0, shift.sum(-2) / norms, 0.0)

    __repr__ = short_repr


@compiled
def _project_in_order(
    cosines: npt.NDArray[np.float64], orders: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Project each unit row in its order; row i of the result holds the weights of its projection."""
    size, m, _ = cosines.shape
    weights = np.zeros((size, m, m))
    for b in range(size):
        for i in range(m):
            w = weights[b, i]
            w[i] = 1.0
            for k in range(m - 1):
                j = orders[b, i, k]
                if j >= i:
                    j += 1  # the orders count the other rows only
                conflict = np.dot(cosines[b, j], w)
                if conflict < 0.0 and cosines[b, j, j] > 0.0:
                    w[j] -= conflict
    return weights
