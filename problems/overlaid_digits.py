"""MultiDigits: two overlaid images, one classifier for each on a shared trunk (after MultiMNIST)."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from jdbench.data import CLASSES, DIGITS, absence
from jdbench.errors import unknown_name
from jdbench.problem import Measure, seeded
from jdbench.problems.baseline_images import difference
from jdbench.problems.flat_model import initialised
from jdbench.problems.images import GREY, labelled_images, pool
from jdbench.problems.single_task import TaskProblem, baseline
from jdbench.problems.sizes import check_size
from jdbench.problems.task_training import TaskTraining
from jdbench.shapes import Objectives, Vector


class TwoHeads(nn.Module):
    """A convolutional trunk and two linear classifiers, ``left`` and ``right``."""

    def __init__(self, side: int) -> None:
        """Draw the parameters from torch's generator.

        Args:
            side: Height and width of an image in pixels, at least 6.
        """
        super().__init__()
        pooled = (side - 4) // 2
        self.trunk = nn.Sequential(
            nn.Conv2d(1, 8, 3),
            nn.ELU(),
            nn.Conv2d(8, 16, 3),
            nn.MaxPool2d(2),
            nn.ELU(),
            nn.Flatten(),
            nn.Linear(16 * pooled * pooled, 32),
            nn.ELU(),
        )
        self.left = nn.Linear(32, CLASSES)
        self.right = nn.Linear(32, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of both classifiers, shape ``[2, N, 10]``, for images ``[N, 1, H, W]``."""
        features = self.trunk(images)
        return torch.stack([self.left(features), self.right(features)])


class OverlaidTraining(TaskTraining):
    """The two cross-entropies of a batch; held out: the two accuracies."""

    def __init__(
        self,
        module: nn.Module,
        train: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        batch: int,
        seed: int,
    ) -> None:
        """Keep images ``[N, 1, H, W]`` and classes ``[2, N]`` of both parts."""
        super().__init__(module, train[0].shape[0], batch, seed)
        self.images, self.labels = train
        self.test_images, self.test_labels = test

    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the mean cross-entropies of the left and the right classifier, shape ``[2]``."""
        logits, labels = self.model(x, self.images[rows]), self.labels[:, rows]
        return nn.functional.cross_entropy(logits.mT, labels, reduction="none").mean(-1)

    def held_out(self, x: Vector) -> Tensor:
        """Return the two accuracies, shape ``[b, 2]``."""
        with torch.no_grad():
            guesses = torch.stack([self.model(point, self.test_images).argmax(-1) for point in x])
        return (guesses == self.test_labels).to(x).mean(-1)


class MultiDigits(TaskProblem):
    """MultiDigits, which digit is left above and which right below, of two that overlap.

    Built as MultiMNIST is: one image lies at the upper left, another at the lower right of a canvas 2/7
    longer than an image, and where both have ink the darker counts. That is 10 × 10 pixels from
    scikit-learn's digits; for 28 × 28 images it is 36 × 36, averaged over 2 × 2 to 18 × 18. The seed splits the
    images, three quarters to draw 1024 training pairs from and the rest for 512 held-out pairs, so that no
    image is in both. Pixels are normalised by mean and standard deviation of the training pairs; float32.

    The two objectives are the classifiers' mean cross-entropies over a batch. Their Jacobian, ``[2, n]``,
    covers all parameters as in [JD] A.2, not only the shared ones: the columns of a head are zero in
    the other task's row, so heads add to the norms of the rows but never to their conflict. The criterion is
    the mean of both losses over the training pairs.

    Example:
        >>> from jdbench.problems.overlaid_digits import MultiDigits
        >>> training = MultiDigits(batch_size=8).training(seed=1)
        >>> training.images.shape, training.labels.shape  # overlaid images, two classes each
        (torch.Size([1024, 1, 10, 10]), torch.Size([2, 1024]))
        >>> training.evaluate(training.parameters.unsqueeze(0), step=0).objectives.shape
        torch.Size([1, 2])
    """

    family: ClassVar[str] = "multi-task"
    source: ClassVar[str] = "after MultiMNIST (Sabour et al. 2017; Sener & Koltun 2018)"
    variants: ClassVar[tuple[str, ...]] = tuple("" if n == DIGITS else f"(images={n!r})" for n in GREY)
    PAIRS: ClassVar[int] = 1024
    HELD_OUT: ClassVar[int] = 512

    def __init__(self, images: str = "digits", batch_size: int = 32) -> None:
        """Choose the images.

        Args:
            images: ``digits``, ``mnist`` or ``fashion_mnist``.
            batch_size: Pairs in a batch, 1 to 1024.

        Raises:
            InputError: The batch size is not within 1 to 1024.
            UnknownNameError: There are no such images.
        """
        check_size("batch_size", batch_size, 1, self.PAIRS)
        if images not in GREY:
            raise unknown_name("images", images, GREY)
        self.images, self.batch_size = images, batch_size
        self.key = f"MultiDigits(images={images!r},batch_size={batch_size})"
        names = ("left above: accuracy", "right below: accuracy")
        known = {name: baseline(self.key, name) for name in names}
        self._caution = difference(images) if any(known.values()) else ""
        self.measures = tuple(
            Measure(name, True, None if self._caution else value) for name, value in known.items()
        )

    def absence(self) -> str:
        """Return why the images are not available and the two remedies, or nothing."""
        return absence(self.images)

    def caution(self) -> str:
        """Return that there is no Δm% where the baselines were measured on other images, or nothing."""
        return self._caution

    def provenance(self) -> str:
        """Return how many pairs there are, and of which images."""
        there = pool(self.images)
        if there is None:
            return ""
        cut = there.images * 3 // 4
        return (
            f"{self.PAIRS} pairs of {cut} images to train on, {self.HELD_OUT} pairs of {there.images - cut} "
            f"others held out; {there.where}"
        )

    def training(self, seed: int) -> OverlaidTraining:
        """Return the training of run ``seed``: its pairs, initial weights and batches."""
        images, labels = labelled_images(self.images)
        generator = seeded(seed)
        order = torch.randperm(len(labels), generator=generator)
        cut = len(labels) * 3 // 4
        train = _pairs(images, labels, order[:cut], self.PAIRS, generator)
        test = _pairs(images, labels, order[cut:], self.HELD_OUT, generator)
        mean, deviation = train[0].mean(), train[0].std()
        train, test = (((overlaid - mean) / deviation, classes) for overlaid, classes in (train, test))
        module = initialised(lambda: TwoHeads(train[0].shape[-1]), seed)
        return OverlaidTraining(module, train, test, self.batch_size, seed)


def overlay(first: Tensor, second: Tensor) -> Tensor:
    """Return images with ``first`` at the upper left and ``second`` at the lower right.

    Args:
        first: Images, shape ``[N, S, S]``.
        second: Images, shape ``[N, S, S]``.

    Returns:
        The pixel-wise maximum on a canvas of side S + 2S/7 (rounded down), shape ``[N, side, side]``.
    """
    shift = first.shape[-1] * 2 // 7
    return torch.maximum(
        nn.functional.pad(first, (0, shift, 0, shift)), nn.functional.pad(second, (shift, 0, shift, 0))
    )


def _pairs(
    images: Tensor, labels: Tensor, pool: Tensor, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return overlaid images ``[count, 1, H, W]`` and both classes ``[2, count]`` of random pairs of a pool."""
    first, second = pool[torch.randint(len(pool), (2, count), generator=generator)]
    canvas = overlay(images[first], images[second]).unsqueeze(1)
    if canvas.shape[-1] > 20:
        canvas = nn.functional.avg_pool2d(canvas, 2)
    return canvas, labels[torch.stack([first, second])]
