"""Images for training problems: grey ones as they are, or any set normalised and cut in two by the seed."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jdbench.data import DIGITS, absence, contents, data_set, dataset
from jdbench.problem import seeded
from jdbench.problems.instance_training import Examples

SUBSET = 1024
"""Images to train on ([JD] D.2)."""

HELD_OUT = 2048
"""Images held out, at most."""

GREY = (DIGITS, "mnist", "fashion_mnist")
"""Data sets of grey digits and garments, for problems of several tasks or players."""


def available_grey_images() -> tuple[str, ...]:
    """Return the names that `labelled_images` would find now, ``digits`` first."""
    return tuple(name for name in GREY if not absence(name))


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


def split(name: str, seed: int) -> tuple[Examples, Examples]:
    """Return the images that a run trains on and those held out from it, labels as targets.

    The seed draws `SUBSET` images of the data set's file, and from the others up to `HELD_OUT`: both come from
    the official training split, of which the file may hold a part. Of a file of 1083 images, 59 are held out.

    Images are normalised per channel by mean and standard deviation over the whole training split ([JD] D.6),
    whichever part of it the file holds: these constants are known for all six sets (`jdbench.data.DATASETS`).
    The digits have no split; all 1797 count.

    Args:
        name: A data set of `jdbench.data`.
        seed: Number of the run.

    Returns:
        Images, float32, shape ``[N, C, H, W]``, with labels, int64, shape ``[N]``; to train on and held out.

    Raises:
        DataError: The data set is nowhere, or damaged.
    """
    images, labels = dataset(name)
    order = torch.randperm(len(labels), generator=seeded(seed)).numpy()
    return _taken(name, images, labels, order[:SUBSET]), _taken(
        name, images, labels, order[SUBSET : SUBSET + HELD_OUT]
    )


class Pool(NamedTuple):
    """The images that runs draw from.

    Attributes:
        images: Their number.
        where: What they are, and what tells them from others.
    """

    images: int
    where: str


def pool(name: str) -> Pool | None:
    """Return which images of a data set are here.

    Args:
        name: A data set of `jdbench.data`.

    Returns:
        Number and description; None where there are none.

    Raises:
        DataError: The data set is damaged.
    """
    if name == DIGITS:
        return Pool(1797, "all of scikit-learn's 1797 digits")
    here = contents(name)
    whole = data_set(name).count
    return here and Pool(here.images, f"{name}.npz: {here.images} of {whole} images, sha256 {here.sha256[:12]}")


def described(name: str) -> str:
    """Return how `split` cuts the images that are here.

    Args:
        name: A data set of `jdbench.data`.

    Returns:
        One line, such as "1024 images to train on, 59 held out; …"; empty where there are no images.

    Raises:
        DataError: The data set is damaged.
    """
    there = pool(name)
    if there is None:
        return ""
    seen = min(SUBSET, there.images)
    return f"{seen} images to train on, {min(HELD_OUT, there.images - seen)} held out; {there.where}"


def _taken(name: str, images: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> Examples:
    chosen = torch.from_numpy(images[rows]).to(torch.float32).movedim(-1, 1)
    mean, deviation = _scale(name)
    return Examples(((chosen - mean) / deviation).contiguous(), torch.from_numpy(labels[rows]))


def _scale(name: str) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of each channel in units of the pixels, shape ``[C, 1, 1]``."""
    if name == DIGITS:
        pixels = torch.tensor(dataset(name).images).to(torch.float32)
        return pixels.mean().reshape(1, 1, 1), pixels.std().reshape(1, 1, 1)
    known = data_set(name)
    mean, deviation = (255 * torch.tensor(v, dtype=torch.float32) for v in (known.mean, known.deviation))
    return mean.reshape(-1, 1, 1), deviation.reshape(-1, 1, 1)
