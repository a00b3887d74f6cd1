"""What an optimiser is: a rule that takes the step, given a direction."""

from abc import ABC, abstractmethod

from torch import Tensor

from jdbench.shapes import Vector


class Optimizer(ABC):
    """A rule that moves a batch of points, each with its own rate and state."""

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
