"""The convolutional networks of [JD] Tables 2 to 5, in PyTorch's default initialisation ([JD] D.3)."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from jdbench.data import CLASSES


@dataclass(frozen=True)
class Network:
    """An architecture and what it takes.

    Attributes:
        table: Number of its table in [JD].
        shape: Channels, height and width of an image.
        build: Makes one, float32, on the CPU, drawn from torch's global generator.
    """

    table: int
    shape: tuple[int, int, int]
    build: Callable[[], nn.Sequential]


def svhn() -> nn.Sequential:
    """Return the network of [JD] Table 2."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ELU(),
        nn.Conv2d(16, 32, 3, groups=16),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Conv2d(32, 32, 3, groups=32),
        nn.MaxPool2d(3),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.ELU(),
        nn.Linear(64, CLASSES),
    )


def cifar10() -> nn.Sequential:
    """Return the network of [JD] Table 3."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3),
        nn.ELU(),
        nn.Conv2d(32, 64, 3, groups=32),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Conv2d(64, 64, 3, groups=64),
        nn.MaxPool2d(3),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(1024, 128),
        nn.ELU(),
        nn.Linear(128, CLASSES),
    )


def eurosat() -> nn.Sequential:
    """Return the network of [JD] Table 4."""
    return nn.Sequential(
        nn.Conv2d(3, 32, 3),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Conv2d(32, 64, 3, groups=32),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Conv2d(64, 64, 3, groups=64),
        nn.MaxPool2d(3),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(1024, 128),
        nn.ELU(),
        nn.Linear(128, CLASSES),
    )


def mnist() -> nn.Sequential:
    """Return the network of [JD] Table 5, which serves Fashion-MNIST and Kuzushiji-MNIST too."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ELU(),
        nn.Conv2d(32, 64, 3),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Conv2d(64, 64, 3),
        nn.MaxPool2d(3),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(576, 128),
        nn.ELU(),
        nn.Linear(128, CLASSES),
    )


def digits(outputs: int = CLASSES) -> nn.Sequential:
    """Return the paper's kind of network cut down to the 8 × 8 pixels of scikit-learn's digits.

    Args:
        outputs: Number of outputs.

    Returns:
        Two convolutions 3 × 3 without padding, ELU, max-pooling, two linear layers: 3,658 parameters for ten.
    """
    return nn.Sequential(
        nn.Conv2d(1, 8, 3),
        nn.ELU(),
        nn.Conv2d(8, 16, 3),
        nn.MaxPool2d(2),
        nn.ELU(),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ELU(),
        nn.Linear(32, outputs),
    )


NETWORKS = {
    "SVHN": Network(2, (3, 32, 32), svhn),
    "CIFAR-10": Network(3, (3, 32, 32), cifar10),
    "EuroSAT": Network(4, (3, 64, 64), eurosat),
    "MNIST": Network(5, (1, 28, 28), mnist),
}
"""By the data set, in the order of [JD] Table 7."""
