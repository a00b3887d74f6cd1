"""What a file of a data set holds: how many images, and a digest of them that no way of packing changes."""

import hashlib
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jdbench.data.arrays import dataset, locate
from jdbench.data.formats import Arrays


class Contents(NamedTuple):
    """What identifies the images of a file.

    Attributes:
        images: Their number.
        sha256: Digest of the images, uint8, then of the labels, int64 with the least byte first, each after its
            shape.

    Example:
        >>> from jdbench.data import Contents
        >>> print(Contents(60_000, "0123456789abcdef" * 4))
        60000 images, sha256 0123456789ab
    """

    images: int
    sha256: str

    def __str__(self) -> str:
        """Return both, the digest cut to twelve digits."""
        return f"{self.images} images, sha256 {self.sha256[:12]}"


def contents(name: str) -> Contents | None:
    """Return what the file of a data set holds, digested once a process.

    Args:
        name: One of `jdbench.data.DATASETS`.

    Returns:
        Number and digest, or None where there is no file.

    Raises:
        UnknownNameError: There is no such data set.
        DataError: The file holds something else.
        InputError: ``JDBENCH_DATA`` names no folder.

    Example:
        >>> import os, tempfile
        >>> from unittest.mock import patch
        >>> import numpy as np
        >>> from jdbench.data import contents
        >>> arrays = {"images": np.zeros((3, 28, 28, 1), np.uint8), "labels": np.array([7, 0, 4])}
        >>> with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, JDBENCH_DATA=folder):
        ...     np.savez(f"{folder}/mnist.npz", **arrays)
        ...     print(contents("mnist"))
        3 images, sha256 3623da46ce90
    """
    path = locate(name)
    return None if path is None else _contents(name, path, path.stat().st_mtime_ns)


def image_count(name: str) -> int | None:
    """Return the number of images in the file of a data set, without reading them.

    Args:
        name: One of `jdbench.data.DATASETS`.

    Returns:
        The number, or None where there is no file or none that can be read.

    Raises:
        UnknownNameError: There is no such data set.
        InputError: ``JDBENCH_DATA`` names no folder.

    Example:
        >>> import os, tempfile
        >>> from unittest.mock import patch
        >>> import numpy as np
        >>> from jdbench.data import image_count
        >>> arrays = {"images": np.zeros((3, 28, 28, 1), np.uint8), "labels": np.array([7, 0, 4])}
        >>> with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, JDBENCH_DATA=folder):
        ...     np.savez(f"{folder}/mnist.npz", **arrays)
        ...     image_count("mnist")
        3
    """
    path = locate(name)
    try:
        if path is not None:
            with np.load(path, allow_pickle=False) as file:
                return len(file["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, TypeError):
        pass  # `dataset` says what is wrong when it is used
    return None


def digest(arrays: Arrays) -> Contents:
    """Return the number of images and the digest of a data set."""
    found = hashlib.sha256()
    for array in (arrays.images.astype("|u1", copy=False), arrays.labels.astype("<i8", copy=False)):
        found.update(repr(array.shape).encode())
        found.update(np.ascontiguousarray(array).data)
    return Contents(len(arrays.labels), found.hexdigest())


@lru_cache(maxsize=8)
def _contents(name: str, _path: Path, _changed: int) -> Contents:
    return digest(dataset(name))
