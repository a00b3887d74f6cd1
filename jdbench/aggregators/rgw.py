"""RGW: the rows weighted by the softmax of standard normal draws ([JD] eq. 39 and 40)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.gramian import as_gramian
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class RGW(GramianAggregator):
    """A(J) = Jᵀ softmax(w) with w normal, mean 0 and covariance I ([JD] eq. 39 and 40).

    Example:
        >>> import torch
        >>> from jdbench.aggregators import RGW
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> RGW().weights(J @ J.T, draws=torch.tensor([3.0, 1.0]).log()).round(decimals=3)
        tensor([0.7500, 0.2500])
        >>> one, other = (RGW()(J, generator=torch.Generator().manual_seed(7)) for _ in range(2))
        >>> torch.equal(one, other)
        True
    """

    random: ClassVar[bool] = True

    def draw(
        self, shape: torch.Size, *, device: torch.device, generator: torch.Generator | None = None
    ) -> Tensor:
        """Return m normal draws a matrix, shape ``[..., m]``; arguments as in `Drawing`."""
        return torch.randn(*shape[:-1], dtype=torch.float64, device=device, generator=generator)

    def weights(
        self, G: Gramian, *, generator: torch.Generator | None = None, draws: Tensor | None = None
    ) -> Weights:
        """Return softmax(w); the entries of G are not read.

        Args:
            G: Gramian, shape ``[..., m, m]``.
            generator: Source of the normal draws.
            draws: The draws themselves, shape ``[..., m]``, in place of a generator.

        Returns:
            Weights, shape ``[..., m]``, float64.
        """
        G = as_gramian(G)
        if draws is None:
            draws = self.draw(G.shape, device=G.device, generator=generator)
        return draws.softmax(-1)

    __repr__ = short_repr
