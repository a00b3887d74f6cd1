"""Grey images and their classes: scikit-learn's digits, and others from the folder that JDBENCH_DATA names."""

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jdbench.errors import InputError, unknown_name

FILES = {"mnist": "mnist.npz", "fashion_mnist": "fashion_mnist.npz"}
"""What is read from the folder: ``images``, uint8 ``[N, H, W, 1]``, and ``labels``, int64 ``[N]``."""


def available_images() -> tuple[str, ...]:
    """Return the names that `labelled_images` would find now, ``digits`` first."""
    folder = os.environ.get("JDBENCH_DATA")
    found = [name for name, file in FILES.items() if folder and (Path(folder) / file).is_file()]
    return ("digits", *found)


@lru_cache(maxsize=4)
def labelled_images(name: str) -> tuple[Tensor, Tensor]:
    """Return all images of a set and their classes.

    Args:
        name: ``digits``, ``mnist`` or ``fashion_mnist``.

    Returns:
        Images ``[N, H, W]``, float32 in [0, 1], and classes ``[N]``, int64, 0 to 9.

    Raises:
        InputError: The file is not there.
        UnknownNameError: There is no such set.
    """
    if name == "digits":
        from sklearn.datasets import load_digits

        bunch = load_digits()
        return torch.from_numpy(bunch.images / 16).float(), torch.from_numpy(bunch.target).long()
    if name not in FILES:
        raise unknown_name("images", name, ["digits", *FILES])
    if name not in available_images():
        raise InputError(
            f"images={name!r}, required {FILES[name]} in the folder that JDBENCH_DATA names, got no such file, "
            "set JDBENCH_DATA, or take images='digits'"
        )
    with np.load(Path(os.environ["JDBENCH_DATA"]) / FILES[name], allow_pickle=False) as arrays:
        images, labels = torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"])
    return images.squeeze(-1).float() / 255, labels.long()
