"""RGW: the rows weighted by the softmax of standard normal draws ([JD] eq. 39 and 40)."""

from dataclasses import dataclass
from typing import ClassVar

import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.gramian import as_gramian
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class RGW(GramianAggregator):
    """A(J) = Jᵀ softmax(w) with w normal, mean 0 and covariance I ([JD] eq. 39 and 40)."""

    random: ClassVar[bool] = True

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:
        """Return softmax(w), drawn without a look at G.

        Args:
            G: Gramian, shape ``[..., m, m]``.
            generator: Source of the normal draws.

        Returns:
            Weights, shape ``[..., m]``, float64.
        """
        G = as_gramian(G)
        draws = torch.randn(G.shape[:-1], dtype=G.dtype, device=G.device, generator=generator)
        return draws.softmax(-1)

    __repr__ = short_repr
