"""Instance-wise multi-task learning: the loss of every training example on every task is an objective.

[JD] Section 3, the extension of IWRM to vector-valued fᵢ: the objective concatenates all examples' losses.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from jdbench.data import CLASSES, DIGITS
from jdbench.problem import Measure, TrainingProblem
from jdbench.problems.flat_model import initialised
from jdbench.problems.images import SUBSET, described, split
from jdbench.problems.instance_training import Examples, InstanceTraining, accuracy
from jdbench.problems.networks import digits
from jdbench.problems.sizes import check_size


class DigitsTasks(TrainingProblem):
    """IWMTL on handwritten digits: three tasks on each of 16 images, 48 objectives a step.

    - *digit*: which of ten; cross-entropy of ten logits;
    - *parity*: odd or even; cross-entropy of one logit. It follows from the digit, but groups digits that look
      nothing like each other (0 and 4, but not 9);
    - *balance*: how much more ink the left half of the image has than the right, in standard deviations over
      the training subset; half the squared error. It has little to do with the others, and shares all but the
      last layer with them.

    Images, subsets and network are those of IWRM-digits, the last layer having twelve outputs instead of ten.
    The held-out measures are the two accuracies, and the squared error as a share of the held-out variance,
    which is 1 for a model that always answers the mean.

    Attributes:
        batch_size: Examples of a step; the number of objectives is three times that.

    Example:
        >>> from jdbench.problems.iwmtl import DigitsTasks
        >>> training = DigitsTasks(batch_size=16).training(seed=1)
        >>> training.evaluate(training.parameters.unsqueeze(0), step=0).objectives.shape  # three for each image
        torch.Size([1, 48])
    """

    family: ClassVar[str] = "instance-wise multi-task learning"
    source: ClassVar[str] = "[JD] Section 3; UCI optical digits as shipped by scikit-learn"
    measures: tuple[Measure, ...] = (
        Measure("digit: accuracy", larger_is_better=True),
        Measure("parity: accuracy", larger_is_better=True),
        Measure("balance: unexplained variance", larger_is_better=False),
    )

    def __init__(self, batch_size: int = 16) -> None:
        """Set the number of examples of a step.

        Args:
            batch_size: 1 to 1024.

        Raises:
            InputError: The batch size is not within 1 to 1024.
        """
        check_size("batch_size", batch_size, 1, SUBSET)
        self.batch_size = batch_size

    def provenance(self) -> str:
        """Return how many images are trained on and held out."""
        return described(DIGITS)

    def training(self, seed: int) -> InstanceTraining:
        """Return the training of run ``seed``: its subset, initial weights and batches."""
        seen, unseen = split(DIGITS, seed)
        leaning = _leaning(seen.inputs)
        mean, deviation = leaning.mean(), leaning.std()
        examples, held_out = (
            Examples(inputs, torch.stack([labels, (_leaning(inputs) - mean) / deviation], -1))
            for inputs, labels in (seen, unseen)
        )
        return InstanceTraining(
            initialised(lambda: digits(CLASSES + 2), seed),
            examples,
            task_losses,
            batch_size=self.batch_size,
            seed=seed,
            unseen=held_out,
            score=task_scores,
        )


def task_losses(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the loss of every example on every task.

    Args:
        outputs: Ten logits of the digit, one of "odd", one balance; shape ``[B, 12]``.
        targets: Digit and balance, shape ``[B, 2]``.

    Returns:
        Shape ``[B, 3]``.
    """
    labels, balance = targets[:, 0].long(), targets[:, 1]
    odd = (labels % 2).to(outputs.dtype)
    return torch.stack(
        [
            nn.functional.cross_entropy(outputs[:, :CLASSES], labels, reduction="none"),
            nn.functional.binary_cross_entropy_with_logits(outputs[:, CLASSES], odd, reduction="none"),
            (outputs[:, CLASSES + 1] - balance).square() / 2,
        ],
        -1,
    )


def task_scores(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the two accuracies and the unexplained share of the variance.

    Args:
        outputs: As of `task_losses`, shape ``[N, 12]``.
        targets: As of `task_losses`, shape ``[N, 2]``.

    Returns:
        Shape ``[3]``.
    """
    labels, balance = targets[:, 0].long(), targets[:, 1]
    # The logit of "odd" against 0 for "even".
    parity = nn.functional.pad(outputs[:, CLASSES : CLASSES + 1], (1, 0))
    unexplained = (outputs[:, CLASSES + 1] - balance).square().mean() / balance.var(correction=0)
    digit, odd = accuracy(outputs[:, :CLASSES], labels), accuracy(parity, labels % 2)
    return torch.cat([digit, odd, unexplained.reshape(1)])


def _leaning(images: Tensor) -> Tensor:
    """Return how much more ink the left half of each image has than the right, shape ``[N]``."""
    left, right = images.sum((1, 2)).tensor_split(2, dim=-1)
    return left.sum(-1) - right.sum(-1)
