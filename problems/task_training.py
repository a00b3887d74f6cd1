"""SEJD on a few losses of one model: batches, and one gradient a loss ([JD] Section 3)."""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from jdbench.problem import Evaluation, Training
from jdbench.problems.batches import batch
from jdbench.problems.flat_model import FlatModel, rowwise
from jdbench.shapes import Objectives, Vector


class TaskTraining(Training):
    """SEJD on m losses that share a model: a step's objectives are the m losses of its batch.

    A row of the Jacobian is the gradient with respect to all parameters, shared and private, as [JD]
    A.2 takes it; where a task has a head of its own, the columns of the other heads are zero in its row.
    An epoch is a random order of the examples cut into batches; the remainder of an uneven cut is left out.
    """

    def __init__(
        self, module: nn.Module, size: int, batch_size: int, seed: int, steps_per_epoch: int | None = None
    ) -> None:
        """Flatten the parameters.

        Args:
            module: The model at the start.
            size: Number of training examples.
            batch_size: Examples of a step, 1 to ``size``; ``size`` makes every step see them all, in order.
            seed: Seed of the orders.
            steps_per_epoch: What counts as an epoch; by default the number of batches.
        """
        self.model = FlatModel(module)
        self.parameters = self.model.parameters
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.steps_per_epoch = steps_per_epoch or size // batch_size

    @abstractmethod
    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the m losses of some training examples.

        Args:
            x: Parameters of one model, shape ``[n]``.
            rows: Indices of the examples, shape ``[k]``.

        Returns:
            Differentiable losses, shape ``[m]``.
        """

    def batch(self, step: int) -> Tensor:
        """Return the indices of the examples of a step, shape ``[batch_size]``."""
        if self.batch_size == self.size:
            return torch.arange(self.size)
        return batch(self.size, self.batch_size, self.seed, step)

    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return the losses of the batch, ``[b, m]``, and their Jacobian, ``[b, m, n]``."""
        rows = self.batch(step)
        return rowwise(lambda point: self.objectives(point, rows), x)

    def losses(self, x: Vector) -> Tensor:
        """Return the objectives over all training examples, shape ``[b, m]``."""
        rows = torch.arange(self.size)
        with torch.no_grad():
            return torch.stack([self.objectives(point, rows) for point in x])
