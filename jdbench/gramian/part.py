"""What one layer adds to the Gramian and to the gradient, kept until the weights of the rows are known.

By (12) of [JD] the Gramian is a sum over parameters. A part stands for the per-instance gradients of some of
them, in whatever form is cheapest: explicitly (`Rows`), or as a sum of outer products (`OuterProducts`).
"""

from abc import ABC, abstractmethod

from torch import Tensor
from torch.nn import Parameter

from jdbench.shapes import Gramian, Weights


class Part(ABC):
    """The per-instance gradients gᵢ of some parameters, i = 1 to m."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, each once."""

    @abstractmethod
    def gramian(self) -> Gramian:
        """Return gᵢᵀgⱼ, shape ``[m, m]``, float64."""

    @abstractmethod
    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ.

        Args:
            w: Shape ``[m]``, float64.

        Returns:
            One tensor a parameter, of its shape.
        """

    @abstractmethod
    def rows(self) -> list[Tensor]:
        """Return gᵢ itself, one tensor ``[m, *shape]`` a parameter."""
