"""Adversarial fairness on data with a known bias: predict the label, hide the group (Adel et al. 2019)."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.problem import Measure, TrainingProblem, seeded
from jdbench.problems.flat_model import initialised
from jdbench.problems.gradient_reversal import Reversal, ReversalTraining
from jdbench.shapes import Objectives, Vector

BLUR = 0.5
"""Standard deviation of the noise in every feature and in the label's threshold."""


class People(NamedTuple):
    """A sample of the generator.

    Attributes:
        features: Shape ``[N, 6]``.
        labels: 0 or 1, shape ``[N]``.
        groups: 0 or 1, shape ``[N]``.
    """

    features: Tensor
    labels: Tensor
    groups: Tensor


def people(count: int, bias: float, generator: torch.Generator) -> People:
    """Return a sample whose labels favour group 1 though merit does not depend on the group.

    Merit u ~ N(0, 1) and group g, a fair coin, are independent. The label is 1 where
    u + bias(2g - 1)/2 + 0.5ε > 0, so the groups' rates of label 1 are Φ(±bias/(2√1.25)): at bias 1 they are
    0.673 and 0.327, a gap of 0.345. Three features show the merit, u + 0.5ε, and three the group,
    (2g - 1) + 0.5ε: a classifier that uses all it sees repeats the bias.

    Args:
        count: Number of people.
        bias: 0 for none; in units of merit's deviation.
        generator: Source of the draws.

    Returns:
        Features float32, labels and groups float32 of 0 and 1.
    """
    merit = torch.randn(count, 1, generator=generator)
    groups = torch.randint(2, (count, 1), generator=generator).float()
    noise = BLUR * torch.randn(count, 7, generator=generator)
    side = 2 * groups - 1
    labels = (merit + bias * side / 2 + noise[:, :1] > 0).float()
    features = torch.cat([merit.expand(-1, 3), side.expand(-1, 3)], 1) + noise[:, 1:]
    return People(features, labels.squeeze(1), groups.squeeze(1))


class FairnessTraining(ReversalTraining):
    """Label loss and adversary's loss of a batch; the criterion adds the gap between the groups."""

    def __init__(self, module: nn.Module, train: People, test: People, batch_size: int, seed: int) -> None:
        """Keep both samples."""
        super().__init__(module, len(train.labels), batch_size, seed)
        self.train, self.test = train, test

    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the cross-entropies of the label and of the group, shape ``[2]``."""
        truths = (self.train.labels[rows], self.train.groups[rows])
        logits = self.model.several(x, self.train.features[rows])
        pairs = zip(logits, truths, strict=True)
        return torch.stack([
            nn.functional.binary_cross_entropy_with_logits(given.squeeze(-1), truth) for given, truth in pairs
        ])

    def loss(self, x: Vector) -> Tensor:
        """Return the label's cross-entropy plus the demographic-parity gap of the probabilities, ``[b]``.

        The gap is |mean p over group 1 - mean p over group 0|, p the probability given to label 1.
        """
        with torch.no_grad():
            logits = torch.stack([self.model.several(point, self.train.features)[0].squeeze(-1) for point in x])
        labels = self.train.labels.expand_as(logits)
        risk = nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(-1)
        return risk + parity_gap(logits.sigmoid(), self.train.groups)

    def held_out(self, x: Vector) -> Tensor:
        """Return accuracy and the parity gap of the decisions on held-out people, shape ``[b, 2]``."""
        with torch.no_grad():
            logits = torch.stack([self.model.several(point, self.test.features)[0].squeeze(-1) for point in x])
        decisions = (logits > 0).to(x)
        accuracy = (decisions == self.test.labels).to(x).mean(-1)
        return torch.stack([accuracy, parity_gap(decisions, self.test.groups)], -1)


class AdversarialFairness(TrainingProblem):
    """Adversarial fairness, where a classifier learns biased labels while its features are to hide the group.

    2048 people of a generator whose bias is documented (see `people`) to train on and 2048 held out, drawn by
    the seed; batches of 64. A trunk of 16 tanh units, a linear head for the label, an adversary of 8 units for
    the group; float32.

    Objectives, and the two rows of the Jacobian, are those of gradient reversal, kept apart: see
    `jdbench.problems.gradient_reversal.ReversalTraining`. The criterion is the label's cross-entropy plus the
    demographic-parity gap on the training part.

    Example:
        >>> from jdbench.problems.fairness import AdversarialFairness
        >>> problem = AdversarialFairness()
        >>> training = problem.training(seed=1)
        >>> training.held_out(training.parameters.unsqueeze(0)).shape, [m.name for m in problem.measures]
        (torch.Size([1, 2]), ['accuracy', 'parity gap'])
    """

    family: ClassVar[str] = "adversarial"
    source: ClassVar[str] = "[JD] Section 3; Adel et al. 2019; jdbench's generator"
    SIZE: ClassVar[int] = 2048

    def __init__(self, bias: float = 1.0, strength: float = 1.0) -> None:
        """Set the bias and the weight of the reversed gradient.

        Args:
            bias: Of the labels, at least 0.
            strength: λ of the gradient reversal, positive.

        Raises:
            InputError: A number is out of its range.
        """
        if not 0 <= bias < float("inf"):
            raise InputError(f"bias={bias}, required a number ≥ 0, got another, try 1")
        if not 0 < strength < float("inf"):
            raise InputError(f"strength={strength}, required a positive number, got another, try 1")
        self.bias, self.strength = bias, strength
        self.measures = (Measure("accuracy", True), Measure("parity gap", False))

    def training(self, seed: int) -> FairnessTraining:
        """Return the training of run ``seed``: its people, initial weights and batches."""
        generator = seeded(seed)
        train, test = (people(self.SIZE, self.bias, generator) for _ in range(2))
        module = initialised(lambda: _network(self.strength), seed)
        return FairnessTraining(module, train, test, 64, seed)


def _network(strength: float) -> nn.Module:
    trunk = nn.Sequential(nn.Linear(6, 16), nn.Tanh())
    adversary = nn.Sequential(nn.Linear(16, 8), nn.Tanh(), nn.Linear(8, 1))
    return Reversal(trunk, nn.Linear(16, 1), adversary, strength)


def parity_gap(chances: Tensor, groups: Tensor) -> Tensor:
    """Return |mean over group 1 - mean over group 0|, the demographic-parity gap.

    Args:
        chances: Probabilities of label 1, or decisions, shape ``[b, N]``.
        groups: 0 or 1, shape ``[N]``.

    Returns:
        Gaps, 0 to 1, shape ``[b]``.
    """
    return (chances[:, groups == 1].mean(-1) - chances[:, groups == 0].mean(-1)).abs()
