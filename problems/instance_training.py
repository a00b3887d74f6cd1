"""SSJD on the losses of training examples: the objectives of a step are those of its batch ([JD] Section 3)."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from jdbench.problem import Evaluation, Training
from jdbench.problems.batches import batch
from jdbench.problems.flat_model import FlatModel
from jdbench.shapes import Vector

AT_ONCE = 32
"""Examples that go through a model together without a gradient; 256 are 1.7 times slower on EuroSAT."""


class Examples(NamedTuple):
    """Inputs with what they should give.

    Attributes:
        inputs: Shape ``[N, *]``.
        targets: Shape ``[N, *]``.
    """

    inputs: Tensor
    targets: Tensor


Loss = Callable[[Tensor, Tensor], Tensor]
"""Takes outputs and targets of B examples to losses ``[B]``, or ``[B, T]`` of T tasks; nothing is averaged."""

Score = Callable[[Tensor, Tensor], Tensor]
"""Takes outputs and targets of all held-out examples to measures ``[k]``."""


class InstanceTraining(Training):
    """SSJD on instance losses.

    An epoch is a random order of the examples cut into batches; the remainder of an uneven cut is left out.

    Attributes:
        model: The model.
        examples: The training set.
        unseen: The held-out set.
    """

    def __init__(
        self,
        module: nn.Module,
        examples: Examples,
        loss: Loss,
        *,
        batch_size: int,
        seed: int,
        unseen: Examples,
        score: Score,
    ) -> None:
        """Keep the model and the examples.

        Args:
            module: A model that does not mix instances.
            examples: The training set.
            loss: Of each example, and task if there are several.
            batch_size: Examples of a step.
            seed: Seed of the orders.
            unseen: The held-out set.
            score: Gives the problem's measures.
        """
        self.model = FlatModel(module)
        self.parameters = self.model.parameters
        self.examples, self.unseen = examples, unseen
        self.batch_size, self.seed = batch_size, seed
        self.steps_per_epoch = len(examples.inputs) // batch_size
        self._loss, self._score = loss, score

    def batch(self, step: int) -> Tensor:
        """Return the indices of the examples of a step, shape ``[batch_size]``."""
        return batch(len(self.examples.inputs), self.batch_size, self.seed, step)

    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return the losses of the batch, ``[b, m]``, and their Jacobian, ``[b, m, n]``."""
        rows = self.batch(step)
        inputs, targets = self.examples.inputs[rows], self.examples.targets[rows]
        return self.model.evaluation(x, lambda module: self._loss(module(inputs), targets))

    def losses(self, x: Vector) -> Tensor:
        """Return the losses of all examples, shape ``[b, N]``, or ``[b, N·T]`` of T tasks."""
        inputs, targets = self.examples
        return self.model.each(x, lambda module: self._loss(_outputs(module, inputs), targets).reshape(-1))

    def held_out(self, x: Vector) -> Tensor:
        """Return the measures on the held-out set, shape ``[b, k]``."""
        inputs, targets = self.unseen
        return self.model.each(x, lambda module: self._score(_outputs(module, inputs), targets))


def accuracy(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the share of examples whose largest logit is that of their class.

    Args:
        logits: Shape ``[N, C]``.
        labels: Shape ``[N]``.

    Returns:
        Shape ``[1]``, from 0 to 1; NaN where a logit is not finite, for such a model says nothing.
    """
    share = (logits.argmax(-1) == labels).to(logits.dtype).mean()
    return torch.where(torch.isfinite(logits).all(), share, torch.nan).reshape(1)


def _outputs(module: nn.Module, inputs: Tensor) -> Tensor:
    return torch.cat([module(part) for part in inputs.split(AT_ONCE)])
