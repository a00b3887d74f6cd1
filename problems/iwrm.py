"""Instance-wise risk minimisation: every training example's loss is an objective ([JD] Section 3, eq. 8)."""

from collections.abc import Callable
from typing import ClassVar

from torch import nn

from jdbench.data import DIGITS, absence, data_set
from jdbench.problem import Measure, TrainingProblem
from jdbench.problems.flat_model import initialised
from jdbench.problems.images import SUBSET, described, split
from jdbench.problems.instance_training import InstanceTraining, accuracy
from jdbench.problems.networks import cifar10, digits, eurosat, mnist, svhn
from jdbench.problems.sizes import check_size

MODELS: dict[str, Callable[[], nn.Sequential]] = {
    "svhn": svhn,
    "cifar10": cifar10,
    "eurosat": eurosat,
    "mnist": mnist,
    "fashion_mnist": mnist,
    "kmnist": mnist,
}
"""By the name of the data set: [JD] Tables 2 to 5."""

FAMILY = "instance-wise risk minimisation"
MEASURES = (Measure("accuracy", larger_is_better=True),)


class ImageInstances(TrainingProblem):
    """IWRM on 1024 images of one of the six data sets of [JD] Section 5, a batch of 32 a step.

    The network is the paper's for that set ([JD] Tables 2 to 5), in PyTorch's default initialisation and
    float32. Which images, and how they are normalised: `jdbench.problems.images.split`. Accuracy is measured
    on up to 2048 others.

    Attributes:
        data: The data set.
        batch_size: Number of objectives of a step.

    Example:
        >>> from jdbench.problems.iwrm import MODELS, ImageInstances
        >>> problem = ImageInstances("cifar10", batch_size=64)  # 64 objectives a step
        >>> sum(p.numel() for p in MODELS[problem.data]().parameters())  # columns of the Jacobian
        134666
    """

    family: ClassVar[str] = FAMILY
    source: ClassVar[str] = "[JD] Section 5"
    large: ClassVar[bool] = True
    measures: tuple[Measure, ...] = MEASURES

    def __init__(self, data: str = "mnist", batch_size: int = 32) -> None:
        """Set the data set and the number of objectives.

        Args:
            data: One of the six.
            batch_size: Examples in a batch, 1 to 1024; 32 as in [JD] Section 5.

        Raises:
            UnknownNameError: There is no such data set.
            InputError: The batch size is not within 1 to 1024.
        """
        self.data = data_set(data).name
        check_size("batch_size", batch_size, 1, SUBSET)
        self.batch_size = batch_size

    def absence(self) -> str:
        """Return why the images are not available and the two remedies, or nothing."""
        return absence(self.data)

    def provenance(self) -> str:
        """Return how many images are trained on and held out, and from which file."""
        return described(self.data)

    def training(self, seed: int) -> InstanceTraining:
        """Return the training of run ``seed``: its subset, initial weights and batches."""
        return _training(self.data, MODELS[self.data], self.batch_size, seed)


class DigitsInstances(TrainingProblem):
    """IWRM on handwritten digits, a batch of 32 of 1024 real images of 8 × 8 pixels.

    The images are scikit-learn's 1797, of which the seed draws 1024; accuracy is measured on the other 773. The
    network follows the paper's, cut down to 8 × 8 pixels: 3,658 parameters in PyTorch's default
    initialisation. Images are normalised by mean and standard deviation of the whole set ([JD] D.6).
    float32, as in the paper.

    Attributes:
        batch_size: Number of objectives of a step.

    Example:
        >>> from jdbench.problems.iwrm import DigitsInstances
        >>> training = DigitsInstances(batch_size=8).training(seed=1)
        >>> losses, jacobian = training.evaluate(training.parameters.unsqueeze(0), step=0)
        >>> losses.shape, jacobian.shape  # one model, 8 objectives
        (torch.Size([1, 8]), torch.Size([1, 8, 3658]))
    """

    family: ClassVar[str] = FAMILY
    source: ClassVar[str] = "[JD] Section 3; UCI optical digits as shipped by scikit-learn"
    quick: ClassVar[bool] = True
    measures: tuple[Measure, ...] = MEASURES

    def __init__(self, batch_size: int = 32) -> None:
        """Set the number of objectives.

        Args:
            batch_size: Examples in a batch, 1 to 1024; 32 as in [JD] Section 5.

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
        return _training(DIGITS, digits, self.batch_size, seed)


def on_svhn(batch_size: int = 32) -> ImageInstances:
    """Return IWRM on SVHN ([JD] Table 2).

    Example:
        >>> from jdbench.problems.iwrm import on_svhn
        >>> problem = on_svhn(batch_size=16)  # as a spec: IWRM-svhn(batch_size=16)
        >>> problem.data, problem.batch_size
        ('svhn', 16)
    """
    return ImageInstances("svhn", batch_size)


def on_cifar10(batch_size: int = 32) -> ImageInstances:
    """Return IWRM on CIFAR-10 ([JD] Table 3).

    Example:
        >>> from jdbench.problems.iwrm import on_cifar10
        >>> problem = on_cifar10(batch_size=16)  # as a spec: IWRM-cifar10(batch_size=16)
        >>> problem.data, problem.batch_size
        ('cifar10', 16)
    """
    return ImageInstances("cifar10", batch_size)


def on_eurosat(batch_size: int = 32) -> ImageInstances:
    """Return IWRM on EuroSAT ([JD] Table 4).

    Example:
        >>> from jdbench.problems.iwrm import on_eurosat
        >>> problem = on_eurosat(batch_size=16)  # as a spec: IWRM-eurosat(batch_size=16)
        >>> problem.data, problem.batch_size
        ('eurosat', 16)
    """
    return ImageInstances("eurosat", batch_size)


def on_mnist(batch_size: int = 32) -> ImageInstances:
    """Return IWRM on MNIST ([JD] Table 5).

    Example:
        >>> from jdbench.problems.iwrm import on_mnist
        >>> problem = on_mnist(batch_size=16)  # as a spec: IWRM-mnist(batch_size=16)
        >>> problem.data, problem.batch_size
        ('mnist', 16)
    """
    return ImageInstances("mnist", batch_size)


def on_fashion_mnist(batch_size: int = 32) -> ImageInstances:
    """Return IWRM on Fashion-MNIST ([JD] Table 5).

    Example:
        >>> from jdbench.problems.iwrm import on_fashion_mnist
        >>> problem = on_fashion_mnist(batch_size=16)  # as a spec: IWRM-fashion_mnist(batch_size=16)
        >>> problem.data, problem.batch_size
        ('fashion_mnist', 16)
    """
    return ImageInstances("fashion_mnist", batch_size)


def on_kmnist(batch_size: int = 32) -> ImageInstances:
    """Return IWRM on Kuzushiji-MNIST ([JD] Table 5).

    Example:
        >>> from jdbench.problems.iwrm import on_kmnist
        >>> problem = on_kmnist(batch_size=16)  # as a spec: IWRM-kmnist(batch_size=16)
        >>> problem.data, problem.batch_size
        ('kmnist', 16)
    """
    return ImageInstances("kmnist", batch_size)


def _training(data: str, build: Callable[[], nn.Module], batch_size: int, seed: int) -> InstanceTraining:
    examples, unseen = split(data, seed)
    return InstanceTraining(
        initialised(build, seed),
        examples,
        nn.CrossEntropyLoss(reduction="none"),
        batch_size=batch_size,
        seed=seed,
        unseen=unseen,
        score=accuracy,
    )
