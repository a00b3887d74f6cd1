"""What an optimiser is, in a file of its own because both `optimizers` and `momentum` stand on it."""

from abc import ABC, abstractmethod

from torch import Tensor

from jdbench.shapes import Vector


class Optimizer(ABC):
    """A rule that moves a batch of points, each with its own rate and state.

    Example:
        >>> import torch
        >>> from jdbench.descent import Optimizer
        >>> class SignDescent(Optimizer):
        ...     def step(self, x, direction, members):
        ...         return x - 0.1 * direction.sign()
        >>> SignDescent().step(torch.ones(1, 2), torch.tensor([[3.0, -0.01]]), torch.tensor([0]))
        tensor([[0.9000, 1.1000]])
    """

    @abstractmethod
    def step(self, x: Vector, direction: Vector, members: Tensor) -> Vector:
        """Return the points after one step against their directions.

        Args:
            x: The points that still run, shape ``[k, n]``.
            direction: Their aggregations, shape ``[k, n]``.
            members: Their places in the whole batch, shape ``[k]``, int64.

        Returns:
            New points, shape ``[k, n]``.
        """
