"""Readers of the files in which image sets are published: IDX, MATLAB, and archives of binary files or images.

IDX is the format of MNIST and of sets made like it, MATLAB that of SVHN; CIFAR-10 and EuroSAT come in archives.
Members of archives are read in memory: nothing is extracted, no link followed, and one that points outside its
archive is refused. Nothing is unpickled, and sizes are checked against the headers before anything is read.
What is read is checked for its meaning by `jdbench.data.arrays`.
"""

import gzip
import math
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from stat import S_IFLNK, S_IFMT
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.errors import DataError, MissingExtraError


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


CIFAR_ROWS, CIFAR_PIXELS = 10_000, 3 * 32 * 32
"""Of each of the five files of CIFAR-10's binary version."""

EUROSAT_CLASSES = (
    "AnnualCrop",
    "Forest",
    "HerbaceousVegetation",
    "Highway",
    "Industrial",
    "Pasture",
    "PermanentCrop",
    "Residential",
    "River",
    "SeaLake",
)
"""Labels 0 to 9: alphabetical, as usual."""

LARGEST_JPEG = 2**20
"""Bytes of one image of 64 × 64 pixels, unpacked from the archive, at most."""


def read_cifar10(files: Sequence[Path]) -> Arrays:
    """Return the training images and labels of CIFAR-10's binary version.

    Args:
        files: ``cifar-10-binary.tar.gz``: five files of 10,000 records, a label and 3 × 32 × 32 pixels each.

    Returns:
        Images and labels, file by file.

    Raises:
        DataError: The archive is damaged, misses a file, or names paths outside itself.
    """
    wanted = {f"cifar-10-batches-bin/data_batch_{i}.bin": i for i in range(1, 6)}
    batches: dict[int, npt.NDArray[np.uint8]] = {}
    with damage(files[0], tarfile.TarError, EOFError, OSError, zlib.error), tarfile.open(files[0]) as archive:
        for member in archive:
            _check_inside(files[0], member.name)
            if member.name not in wanted:
                continue
            if not member.isfile() or member.size != CIFAR_ROWS * (1 + CIFAR_PIXELS):
                raise tarfile.TarError(f"{member.name} is no file of {CIFAR_ROWS} records")
            stream = archive.extractfile(member)
            assert stream is not None  # of a file it never is
            batches[wanted[member.name]] = np.frombuffer(stream.read(), np.uint8)
        if len(batches) < len(wanted):
            raise tarfile.TarError(f"{len(batches)} of {len(wanted)} training files")
    records = np.concatenate([batches[i] for i in sorted(batches)]).reshape(-1, 1 + CIFAR_PIXELS)
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Arrays(np.ascontiguousarray(images), records[:, 0].astype(np.int64))


def read_eurosat(files: Sequence[Path]) -> Arrays:
    """Return all images and labels of EuroSAT's RGB version, decoded from JPEG.

    Args:
        files: ``EuroSAT_RGB.zip``: ``FOLDER/CLASS/CLASS_NUMBER.jpg``.

    Returns:
        Images and labels, class by class, by number.

    Raises:
        DataError: The archive is damaged, names paths outside itself, or holds another kind of image.
        MissingExtraError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError(
            'data=eurosat, required pillow, got no such package, run `pip install "jdbench[data]"`'
        ) from error
    found: dict[tuple[int, int], npt.NDArray[np.uint8]] = {}
    # Pillow's for images, then zipfile's for what it cannot read.
    damages = (
        Image.DecompressionBombError,
        SyntaxError,
        zipfile.BadZipFile,
        EOFError,
        OSError,
        zlib.error,
        RuntimeError,
    )
    with damage(files[0], *damages), zipfile.ZipFile(files[0]) as archive:
        for member in archive.infolist():
            _check_inside(files[0], member.filename)
            matched = re.fullmatch(r"[^/]+/([A-Za-z]+)/\1_(\d+)\.jpg", member.filename)
            if matched is None or matched[1] not in EUROSAT_CLASSES:
                continue
            if S_IFMT(member.external_attr >> 16) == S_IFLNK or member.file_size > LARGEST_JPEG:
                raise zipfile.BadZipFile(f"{member.filename} is a link, or too large")
            with archive.open(member) as stream, Image.open(stream, formats=["JPEG"]) as image:
                if (image.size, image.mode) != ((64, 64), "RGB"):  # known before the image is decoded
                    raise zipfile.BadZipFile(f"{member.filename} has size {image.size}, mode {image.mode}")
                found[EUROSAT_CLASSES.index(matched[1]), int(matched[2])] = np.asarray(image)
        if not found:
            raise zipfile.BadZipFile("no image")
    order = sorted(found)
    return Arrays(np.stack([found[key] for key in order]), np.array([label for label, _ in order], np.int64))


def _check_inside(archive: Path, name: str) -> None:
    """Raise where a member points outside its archive: nothing is extracted, but no honest archive has that."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts[:1] and path.parts[0][1:2] == ":"):
        raise DataError(
            f"file={archive.name}, required an archive whose members lie within it, got {name!r}, "
            "do not trust where it came from"
        )
