"""Mean, the average of the rows, short because a method has a file and an average is a line ([JD] eq. 25).

Descent along it is gradient descent on the mean objective.
"""

from dataclasses import dataclass

import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.gramian import as_gramian
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class Mean(GramianAggregator):
    """A(J) = (1/m) Jᵀ1 ([JD] eq. 25).

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> Mean()(J)
        tensor([1.5000, 0.5000])
        >>> J @ Mean()(J)  # worsens the second objective
        tensor([ 6., -1.])
    """

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return the weights 1/m; the entries of G are not read."""
        G = as_gramian(G)
        return G.new_full(G.shape[:-1], 1 / G.shape[-1])

    __repr__ = short_repr
