"""Grey images and their classes for problems of several tasks or players."""

from functools import lru_cache

import torch
from torch import Tensor

from jdbench.data import DIGITS, absence, dataset

NAMES = (DIGITS, "mnist", "fashion_mnist")
"""Data sets of grey digits and garments."""


def available_images() -> tuple[str, ...]:
    """Return the names that `labelled_images` would find now, ``digits`` first."""
    return tuple(name for name in NAMES if not absence(name))


@lru_cache(maxsize=4)
def labelled_images(name: str) -> tuple[Tensor, Tensor]:
    """Return all images of a data set of `jdbench.data` that has one channel, and their classes.

    Args:
        name: ``digits``, ``mnist``, ``fashion_mnist`` or ``kmnist``.

    Returns:
        Images ``[N, H, W]``, float32, 1 for full ink (16 of the digits, 255 of the others), and classes
        ``[N]``, int64, 0 to 9.

    Raises:
        UnknownNameError: There is no such data set.
        DataError: Its file is nowhere, or damaged.
    """
    images, labels = dataset(name)
    full = 16 if name == DIGITS else 255
    return torch.tensor(images[..., 0]).float() / full, torch.tensor(labels)
