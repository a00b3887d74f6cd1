"""A data set on disk: NAME.npz with `images` (uint8, ``[N, H, W, C]``) and `labels` (int64, ``[N]``).

Looked for in the folder that the environment variable ``JDBENCH_DATA`` names, then in the cache, which
``JDBENCH_CACHE`` moves. A file may hold a part of the official training split.
"""

import os
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from jdbench.data.catalogue import CLASSES, DataSet, data_set
from jdbench.data.formats import Arrays
from jdbench.errors import DataError, InputError

DATA, CACHE = "JDBENCH_DATA", "JDBENCH_CACHE"
"""Environment variables: the folder of a user's own files, and that of prepared ones."""

DIGITS = "digits"
"""Scikit-learn's 1797 digits of 8 × 8 pixels, values 0 to 16, which need no file."""


def dataset(name: str) -> Arrays:
    """Return a data set, read once a process.

    Args:
        name: ``digits``, or one of `DATASETS`.

    Returns:
        Images, uint8, shape ``[N, H, W, C]``, and labels, int64, shape ``[N]``, values 0 to 9. Read-only.

    Raises:
        UnknownNameError: There is no such data set.
        DataError: Its file is nowhere, or holds something else.
        InputError: ``JDBENCH_DATA`` names no folder.

    Example:
        >>> from jdbench.data import dataset
        >>> images, labels = dataset("digits")
        >>> images.shape, labels[:5].tolist()
        ((1797, 8, 8, 1), [0, 1, 2, 3, 4])
    """
    if name == DIGITS:
        return _digits()
    known = data_set(name)
    path = locate(name)
    if path is None:
        raise DataError(absence(name))
    return _loaded(known, path, path.stat().st_mtime_ns)


def absence(name: str) -> str:
    """Return why a data set is not available and the two remedies, or nothing if its file is there.

    Args:
        name: ``digits``, or one of `DATASETS`.

    Returns:
        One line, or the empty string.

    Raises:
        UnknownNameError: There is no such data set.
        InputError: ``JDBENCH_DATA`` names no folder.

    Example:
        >>> import os, tempfile
        >>> from unittest.mock import patch
        >>> from jdbench.data import absence
        >>> with tempfile.TemporaryDirectory() as empty, patch.dict(os.environ, JDBENCH_CACHE=empty):
        ...     print(absence("digits") or "none", absence("mnist"), sep="; ")
        none; data='mnist', required mnist.npz, got none in ..., run `jdbench data prepare mnist` or ...
    """
    if name == DIGITS or locate(name) is not None:
        return ""
    looked = [str(folder) for folder in _folders()]
    return (
        f"data={name!r}, required {name}.npz, got none in {' or '.join(looked) or 'any folder'}, "
        f"run `jdbench data prepare {name}` or set {DATA} to a folder that holds it"
    )


def locate(name: str) -> Path | None:
    """Return where the file of a data set is, if it is anywhere.

    Args:
        name: One of `DATASETS`.

    Returns:
        Its path, or None.

    Raises:
        UnknownNameError: There is no such data set.
        InputError: ``JDBENCH_DATA`` names no folder.

    Example:
        >>> import os, tempfile
        >>> from pathlib import Path
        >>> from unittest.mock import patch
        >>> from jdbench.data import locate
        >>> with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, JDBENCH_DATA=folder):
        ...     Path(folder, "mnist.npz").touch()
        ...     locate("mnist").name
        'mnist.npz'
    """
    file = f"{data_set(name).name}.npz"
    return next((folder / file for folder in _folders() if (folder / file).is_file()), None)


def cache_folder() -> Path | None:
    """Return the folder of prepared files: ``JDBENCH_CACHE``, or the platform's folder for caches.

    None where neither is known: pooch, which finds the latter, is not installed.
    """
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE])
    try:
        import pooch
    except ImportError:
        return None
    return Path(pooch.os_cache("jdbench"))


def check_arrays(known: DataSet, arrays: Arrays, where: str) -> Arrays:
    """Return the arrays if they are what the data set can hold; the error says where they come from.

    Raises:
        DataError: A dtype, shape or label is wrong.
    """
    images, labels = arrays
    found = f"images {images.dtype} {list(images.shape)}, labels {labels.dtype} {list(labels.shape)}"
    sound = (
        (images.dtype, labels.dtype) == (np.uint8, np.int64)
        and labels.ndim == 1
        and images.shape == (len(labels), *known.shape)
        and 1 <= len(labels) <= known.count
    )
    if sound and not (labels.min() >= 0 and labels.max() < CLASSES):
        sound, found = False, f"labels from {labels.min()} to {labels.max()}"
    if not sound:
        raise DataError(
            f"file={where}, required images uint8 [N, {', '.join(map(str, known.shape))}] and labels int64 [N] "
            f"of 0 to {CLASSES - 1} with N of 1 to {known.count}, got {found}, replace it"
        )
    return arrays


def _folders() -> list[Path]:
    """Return where files are looked for, in order."""
    folders: list[Path] = []
    if os.environ.get(DATA):
        own = Path(os.environ[DATA])
        if not own.is_dir():
            raise InputError(f"{DATA}={own}, required a folder, got none, create it or unset {DATA}")
        folders.append(own)
    cache = cache_folder()
    return folders if cache is None else [*folders, cache]


@lru_cache(maxsize=2)
def _loaded(known: DataSet, path: Path, _changed: int) -> Arrays:
    try:
        # Never unpickle: an array of objects is an error.
        with np.load(path, allow_pickle=False) as file:
            arrays = Arrays(file["images"], file["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, TypeError) as error:
        raise DataError(
            f"file={path}, required arrays images and labels in an npz file, got {type(error).__name__}: "
            f"{error}, replace it"
        ) from error
    return _frozen(check_arrays(known, arrays, str(path)))


@lru_cache(maxsize=1)
def _digits() -> Arrays:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    images = np.asarray(pixels, np.uint8).reshape(-1, 8, 8, 1)
    return _frozen(Arrays(images, np.asarray(labels, np.int64)))


def _frozen(arrays: Arrays) -> Arrays:
    for array in arrays:
        array.flags.writeable = False
    return arrays
