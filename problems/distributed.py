"""Data shares as objectives: the loss of a common model on the data of each of m parties ([JD] Section 3)."""

from typing import ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from jdbench.data import CLASSES
from jdbench.errors import InputError
from jdbench.problem import Evaluation, Measure, Training, TrainingProblem, seeded
from jdbench.problems.batches import order
from jdbench.problems.flat_model import FlatModel, initialised
from jdbench.problems.images import labelled_images
from jdbench.problems.sizes import check_size
from jdbench.shapes import Vector


def split_by_labels(labels: Tensor, shares: int, alpha: float | None, seed: int) -> Tensor:
    """Return the examples of each share: equally many, with labels as unlike as α is small.

    Each share draws a distribution of labels q ~ Dirichlet(α1), then its examples one by one: a label from q,
    restricted to labels that are left, and any example of that label. α → 0 gives a share one label after the
    other, α → ∞ equal distributions. After T.-M. H. Hsu, H. Qi and M. Brown, *Measuring the Effects of
    Non-Identical Data Distribution for Federated Visual Classification* (2019), with equal priors.

    Args:
        labels: Classes of the examples, shape ``[N]``; the remainder of N / shares is left out.
        shares: Number of shares, at most N.
        alpha: α > 0, or None for a random split that ignores the labels.
        seed: Seed of all draws.

    Returns:
        Indices of examples, shape ``[shares, N // shares]``.
    """
    size = len(labels) // shares
    order = torch.randperm(len(labels), generator=seeded(seed))
    if alpha is None:
        return order[: shares * size].view(shares, size)
    random = np.random.default_rng(seed)
    left = [order[labels[order] == label].tolist() for label in range(CLASSES)]
    taken: list[int] = []
    for _ in range(shares):
        # Logarithms of Gamma(α) draws, of which q is the normalised exponential: for small α all but one of
        # them underflow, yet they decide what follows when a label is used up.
        log_q = np.log(random.gamma(alpha + 1, size=CLASSES)) + np.log(1 - random.random(CLASSES)) / alpha
        for _ in range(size):
            present = np.where([bool(examples) for examples in left], log_q, -np.inf)
            p = np.exp(present - present.max())
            taken.append(left[random.choice(CLASSES, p=p / p.sum())].pop())
    return torch.tensor(taken).view(shares, size)


class Digits(NamedTuple):
    """Examples: images, shape ``[·, 64]``, float32, and labels, shape ``[·]``, int64."""

    images: Tensor
    labels: Tensor
    held_out_images: Tensor
    held_out_labels: Tensor


class SharesTraining(Training):
    """SEJD on the shares' losses: objective i is the mean loss of a batch of share i.

    An epoch is a random order of each share's examples cut into batches; the remainder of an uneven cut is left
    out.
    """

    def __init__(self, model: nn.Module, data: Digits, split: Tensor, batch_size: int, seed: int) -> None:
        """Flatten the model's parameters and split the data.

        Args:
            model: A classifier.
            data: Training and held-out examples.
            split: Training examples of each share, shape ``[m, k]``.
            batch_size: Examples in a share's batch.
            seed: Seed of the orders.
        """
        self.model, self.data, self.split = FlatModel(model), data, split
        self.parameters = self.model.parameters
        self.shares, size = split.shape
        self.batch_size, self.seed = batch_size, seed
        self.steps_per_epoch = size // batch_size
        counts = torch.stack([data.labels[rows].bincount(minlength=CLASSES) for rows in split])
        self.labels_of_shares = counts.to(torch.float64) / size

    def batch(self, step: int, index: int) -> Tensor:
        """Return the examples of a share's batch, shape ``[batch_size]``."""
        epoch, within = divmod(step, self.steps_per_epoch)
        examples = order(self.split.shape[1], self.seed, epoch * self.shares + index)
        return self.split[index, examples[within * self.batch_size : (within + 1) * self.batch_size]]

    def share(self, x: Vector, step: int, index: int) -> tuple[Tensor, Vector]:
        """Return the mean cross-entropy of one share's batch, a scalar, and its gradient, ``[n]``."""
        rows = self.batch(step, index)
        x = x.detach().requires_grad_()
        loss = nn.functional.cross_entropy(self.model(x, self.data.images[rows]), self.data.labels[rows])
        (gradient,) = torch.autograd.grad(loss, x)
        return loss.detach(), gradient

    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return the losses of all shares' batches, ``[b, m]``, and their Jacobian, ``[b, m, n]``."""
        points = [[self.share(point, step, index) for index in range(self.shares)] for point in x]
        losses, gradients = (
            torch.stack([torch.stack([pair[part] for pair in pairs]) for pairs in points]) for part in (0, 1)
        )
        return Evaluation(losses, gradients)

    def losses(self, x: Vector) -> Tensor:
        """Return the mean cross-entropy of each whole share, shape ``[b, m]``."""
        images, labels = self.data.images[self.split.flatten()], self.data.labels[self.split.flatten()]
        with torch.no_grad():
            every = torch.stack([
                nn.functional.cross_entropy(self.model(point, images), labels, reduction="none") for point in x
            ])
        return every.view(len(x), *self.split.shape).mean(-1)

    def held_out(self, x: Vector) -> Tensor:
        """Return the accuracy, and the least that a share has, shape ``[b, 2]``.

        A share's accuracy is that of each label on held-out images, weighted by the share's own labels.
        """
        images, labels = self.data.held_out_images, self.data.held_out_labels
        with torch.no_grad():
            hits = torch.stack([self.model(point, images).argmax(-1) == labels for point in x]).to(
                torch.float64
            )
        by_label = torch.stack([hits[:, labels == label].mean(-1) for label in range(CLASSES)], -1)
        return torch.stack([hits.mean(-1), (by_label @ self.labels_of_shares.T).amin(-1)], -1).to(x)


class SharesOfDigits(TrainingProblem):
    """Digits shared among parties with different labels, one objective each, the loss on its own data.

    Of scikit-learn's 1797 images of 8 × 8 pixels the seed draws 1024 for training, split by `split_by_labels`;
    the other 773 are held out. A perceptron with one hidden layer of 32, ELU: 2,410 parameters in PyTorch's
    default initialisation, float32. `jdbench.distributed.train_distributed` trains it
    with processes that hold the shares.

    Example:
        >>> from jdbench.problems.distributed import SharesOfDigits
        >>> unlike, alike = (SharesOfDigits(alpha=a).training(seed=1) for a in (0.1, None))
        >>> unlike.labels_of_shares.shape  # of each of 8 shares, how frequent each digit is
        torch.Size([8, 10])
        >>> bool(unlike.labels_of_shares.amax() > 2 * alike.labels_of_shares.amax())
        True
    """

    family: ClassVar[str] = "distributed"
    source: ClassVar[str] = "[JD] Section 3; UCI optical digits as shipped by scikit-learn"
    variants: ClassVar[tuple[str, ...]] = ("", "(alpha=None)")
    measures: tuple[Measure, ...] = (Measure("accuracy", True), Measure("accuracy of the worst share", True))
    SUBSET: ClassVar[int] = 1024

    def __init__(self, shares: int = 8, alpha: float | None = 0.1, batch_size: int = 16) -> None:
        """Set the number of objectives and how unlike they are.

        Args:
            shares: Number of shares m, 1 to 64.
            alpha: How alike the shares' labels are, positive, or None for a random split; see
                `split_by_labels`.
            batch_size: Examples in a share's batch, at most 1024 // shares.

        Raises:
            InputError: An argument is out of its range.
        """
        check_size("shares", shares, 1, 64)
        if alpha is not None and not 0 < alpha <= 1e6:
            raise InputError(f"alpha={alpha}, required positive, at most 1e6, or None, got another, try 0.1")
        check_size("batch_size", batch_size, 1, self.SUBSET // shares)
        self.shares, self.alpha, self.batch_size = shares, alpha, batch_size

    def training(self, seed: int) -> SharesTraining:
        """Return the training of run ``seed``: its subset, split, initial weights and batches."""
        images, labels = labelled_images("digits")
        images = ((images - images.mean()) / images.std()).flatten(1)
        drawn = torch.randperm(len(labels), generator=seeded(seed))
        inside, outside = drawn[: self.SUBSET], drawn[self.SUBSET :]
        data = Digits(images[inside], labels[inside], images[outside], labels[outside])
        model = initialised(lambda: nn.Sequential(nn.Linear(64, 32), nn.ELU(), nn.Linear(32, CLASSES)), seed)
        split = split_by_labels(data.labels, self.shares, self.alpha, seed)
        return SharesTraining(model, data, split, self.batch_size, seed)
