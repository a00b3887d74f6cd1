"""Readers of the files in which MNIST, sets made like it, and SVHN are published: IDX and MATLAB.

Like those of `jdbench.data.archives` they unpickle nothing, and check sizes against the headers before they
read. What is read is checked for its meaning by `jdbench.data.arrays`.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.errors import DataError


class Arrays(NamedTuple):
    """A data set in memory.

    Attributes:
        images: Shape ``[N, H, W, C]``, uint8.
        labels: Shape ``[N]``, int64.

    Example:
        >>> from jdbench.data import Arrays, dataset
        >>> isinstance(dataset("digits"), Arrays)
        True
        >>> images, labels = dataset("digits")
        >>> images.dtype, labels.dtype
        (dtype('uint8'), dtype('int64'))
    """

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


LARGEST_IDX = 2**31
"""Bytes that an IDX file may hold: a header cannot make us fill the memory."""


def read_idx(files: Sequence[Path]) -> Arrays:
    """Return the images and labels of two files in the IDX format, compressed by gzip (MNIST and others).

    Args:
        files: ``…-images-idx3-ubyte.gz`` and ``…-labels-idx1-ubyte.gz``.

    Returns:
        Images with one channel, and labels.

    Raises:
        DataError: A file is damaged or something else.
    """
    images, labels = _idx(files[0], 3), _idx(files[1], 1)
    return Arrays(images[..., np.newaxis], labels.astype(np.int64))


def read_svhn(files: Sequence[Path]) -> Arrays:
    """Return the images and labels of SVHN's second format, a MATLAB file.

    Args:
        files: ``train_32x32.mat``: X of shape ``[H, W, C, N]``, y of shape ``[N, 1]`` with the digit 0 as 10.

    Returns:
        Images and labels, the digit 0 as 0.

    Raises:
        DataError: The file is damaged or something else.
    """
    from scipy.io import loadmat

    with damage(files[0], Exception):  # scipy lets anything through that a damaged file provokes
        found = loadmat(files[0], variable_names=["X", "y"])
        images, digits = found["X"], found["y"].reshape(-1)
        if images.ndim != 4 or images.dtype != np.uint8 or not np.isin(digits, np.arange(1, 11)).all():
            raise ValueError(f"X {images.dtype} {images.shape}, y {digits.dtype} {digits.shape}")
        return Arrays(np.ascontiguousarray(images.transpose(3, 0, 1, 2)), digits.astype(np.int64) % 10)


@contextmanager
def damage(file: Path, *expected: type[Exception]) -> Generator[None]:
    """Turn the exceptions that a reader is expected to raise for a damaged file into a `DataError`."""
    try:
        yield
    except DataError:
        raise
    except expected as error:
        raise DataError(
            f"file={file.name}, required the published format, got {type(error).__name__}: {error}, "
            "download it again"
        ) from error


def _idx(file: Path, axes: int) -> npt.NDArray[np.uint8]:
    """Return an array of bytes: two zeros, 8 for uint8, the number of axes, their lengths, the entries."""
    with damage(file, OSError, EOFError, zlib.error, struct.error), gzip.open(file) as stream:
        zeros, kind, found = struct.unpack(">HBB", stream.read(4))
        if (zeros, kind, found) != (0, 8, axes):
            raise EOFError(f"header {(zeros, kind, found)}, required {(0, 8, axes)}")
        shape = struct.unpack(f">{axes}I", stream.read(4 * axes))
        size = math.prod(shape)
        entries = stream.read(size + 1) if size <= LARGEST_IDX else b""
        if len(entries) != size:
            raise EOFError(f"shape {shape}, which is not what follows")
        return np.frombuffer(entries, np.uint8).reshape(shape)
