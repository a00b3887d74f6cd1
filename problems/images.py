"""Images for training problems: normalised, cut into a random subset to train on and images held out."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jdbench.data import DIGITS, contents, data_set, dataset
from jdbench.problem import seeded
from jdbench.problems.instance_training import Examples

SUBSET = 1024
"""Images to train on ([JD] D.2)."""

HELD_OUT = 2048
"""Images held out, at most."""


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
