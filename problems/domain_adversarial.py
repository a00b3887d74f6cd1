"""Domain-adversarial training: labelled digits to shifted ones without labels (Ganin et al. 2016)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from jdbench.data import CLASSES
from jdbench.errors import InputError
from jdbench.problem import Measure, TrainingProblem, seeded
from jdbench.problems.flat_model import initialised
from jdbench.problems.gradient_reversal import Reversal, ReversalTraining
from jdbench.problems.images import labelled_images
from jdbench.shapes import Objectives, Vector


class DomainTraining(ReversalTraining):
    """Label loss on source images and domain loss on both; the criterion is the label loss on target images."""

    def __init__(
        self,
        module: nn.Module,
        source: tuple[Tensor, Tensor],
        target: tuple[Tensor, Tensor],
        held_out: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]],
        batch_size: int,
        seed: int,
    ) -> None:
        """Keep images ``[N, 1, H, W]`` and classes ``[N]`` of source, target, and both held out."""
        super().__init__(module, len(source[0]), batch_size, seed)
        self.source, self.target, self.held = source, target, held_out

    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the label's cross-entropy on source images and the domain's on both, shape ``[2]``."""
        images = torch.cat([self.source[0][rows], self.target[0][rows]])
        logits, domain = self.model.several(x, images)
        truth = torch.cat([domain.new_zeros(len(rows)), domain.new_ones(len(rows))])
        label = nn.functional.cross_entropy(logits[: len(rows)], self.source[1][rows])
        return torch.stack([label, nn.functional.binary_cross_entropy_with_logits(domain.squeeze(-1), truth)])

    def loss(self, x: Vector) -> Tensor:
        """Return the label's cross-entropy on the target's training images, shape ``[b]``.

        No step sees these labels: they only judge.
        """
        images, labels = self.target
        with torch.no_grad():
            losses = [nn.functional.cross_entropy(self.model.several(point, images)[0], labels) for point in x]
        return torch.stack(losses)

    def held_out(self, x: Vector) -> Tensor:
        """Return the accuracies on held-out target and source images, shape ``[b, 2]``."""
        with torch.no_grad():
            found = [
                [
                    (self.model.several(point, images)[0].argmax(-1) == labels).to(x).mean()
                    for images, labels in self.held
                ]
                for point in x
            ]
        return torch.stack([torch.stack(row) for row in found])


class DomainAdversarialDigits(TrainingProblem):
    """DANN from labelled digits to others without labels, which are shifted and faint on a bright ground.

    From scikit-learn's digits the seed draws 640 source images, 640 target images and 256 of each held out, all
    different. A target image is moved a pixel to the right, ink and paper are mixed (v becomes 0.4 + 0.4v) and
    normal noise of deviation 0.15 is added. All pixels are normalised by mean and standard deviation of the
    source. A convolutional trunk with 32 features, a linear head for the
    label, an adversary of 16 units for the domain; float32, batches of 20 + 20.

    Objectives, and the two rows of the Jacobian, are those of gradient reversal, kept apart: see
    `jdbench.problems.gradient_reversal.ReversalTraining`. The criterion is the label loss on the target's
    training images, whose labels no step sees.

    Example:
        >>> from jdbench.problems.domain_adversarial import DomainAdversarialDigits
        >>> problem = DomainAdversarialDigits()
        >>> training = problem.training(seed=1)
        >>> training.evaluate(training.parameters.unsqueeze(0), step=0).objectives.shape  # labels, domains
        torch.Size([1, 2])
        >>> [measure.name for measure in problem.measures]
        ['target accuracy', 'source accuracy']
    """

    family: ClassVar[str] = "adversarial"
    source: ClassVar[str] = "[JD] Section 3; Ganin et al. 2016"
    SIZE: ClassVar[int] = 640
    HELD_OUT: ClassVar[int] = 256

    def __init__(self, strength: float = 0.3) -> None:
        """Set the weight of the reversed gradient.

        Args:
            strength: λ of the gradient reversal, positive.

        Raises:
            InputError: The strength is not positive.
        """
        if not 0 < strength < float("inf"):
            raise InputError(f"strength={strength}, required a positive number, got another, try 0.3")
        self.strength = strength
        self.measures = (Measure("target accuracy", True), Measure("source accuracy", True))

    def training(self, seed: int) -> DomainTraining:
        """Return the training of run ``seed``: its images, noise, initial weights and batches."""
        images, labels = labelled_images("digits")
        generator = seeded(seed)
        order = torch.randperm(len(labels), generator=generator)
        parts = order[: 2 * (self.SIZE + self.HELD_OUT)].split([
            self.SIZE,
            self.SIZE,
            self.HELD_OUT,
            self.HELD_OUT,
        ])
        source, target, held_target, held_source = ((images[part].unsqueeze(1), labels[part]) for part in parts)
        target, held_target = ((shifted(i, generator), c) for i, c in (target, held_target))
        mean, deviation = source[0].mean(), source[0].std()
        source, target, held_target, held_source = (
            ((i - mean) / deviation, c) for i, c in (source, target, held_target, held_source)
        )
        module = initialised(lambda: _network(self.strength), seed)
        return DomainTraining(module, source, target, (held_target, held_source), 20, seed)


def shifted(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images of the target domain.

    Args:
        images: Images in [0, 1], shape ``[N, 1, H, W]``.
        generator: Source of the noise.

    Returns:
        Moved, faint and noisy images, same shape.
    """
    moved = nn.functional.pad(images[..., :-1], (1, 0))
    return 0.4 + 0.4 * moved + 0.15 * torch.randn(images.shape, generator=generator)


def _network(strength: float) -> nn.Module:
    trunk = nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ELU(),
        nn.Conv2d(8, 16, 3),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ELU(),
    )
    adversary = nn.Sequential(nn.Linear(32, 16), nn.ELU(), nn.Linear(16, 1))
    return Reversal(trunk, nn.Linear(32, CLASSES), adversary, strength)
