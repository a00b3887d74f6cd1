"""Small files in the formats in which the data sets are published, with random contents."""

import gzip
import io
import struct
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from jdbench.data.formats import EUROSAT_CLASSES, Arrays


def random_arrays(count: int, shape: tuple[int, int, int], seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return Arrays(rng.integers(0, 256, (count, *shape), np.uint8), rng.integers(0, 10, count))


def idx_bytes(array: np.ndarray) -> bytes:
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(np.uint8).tobytes()


def write_idx(folder: Path, arrays: Arrays) -> list[Path]:
    files = [folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"]
    for file, array in zip(files, (arrays.images[..., 0], arrays.labels), strict=True):
        file.write_bytes(gzip.compress(idx_bytes(array)))
    return files


def write_svhn(folder: Path, arrays: Arrays) -> list[Path]:
    file = folder / "train_32x32.mat"
    digits = np.where(arrays.labels == 0, 10, arrays.labels).astype(np.uint8)
    savemat(file, {"X": arrays.images.transpose(1, 2, 3, 0), "y": digits[:, None]}, do_compression=True)
    return [file]


def write_cifar10(
    folder: Path, arrays: Arrays, extra: tarfile.TarInfo | None = None, files: int = 5
) -> list[Path]:
    """Write an archive of as many files of equal size, and perhaps a member without contents."""
    path = folder / "cifar-10-binary.tar.gz"
    planes = arrays.images.transpose(0, 3, 1, 2).reshape(len(arrays.labels), -1)
    records = np.concatenate([arrays.labels[:, None].astype(np.uint8), planes], 1)
    with tarfile.open(path, "w:gz") as archive:
        for number, part in reversed(list(enumerate(np.split(records, 5), 1))):
            if number > files:
                continue
            member = tarfile.TarInfo(f"cifar-10-batches-bin/data_batch_{number}.bin")
            member.size = part.nbytes
            archive.addfile(member, io.BytesIO(part.tobytes()))
        if extra is not None:
            archive.addfile(extra)
    return [path]


def jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=100, subsampling=0)
    return buffer.getvalue()


def write_eurosat(folder: Path, images: dict[str, bytes]) -> list[Path]:
    """Write an archive of members by name."""
    path = folder / "EuroSAT_RGB.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("EuroSAT_RGB/", b"")
        for name, contents in images.items():
            archive.writestr(name, contents)
    return [path]


def eurosat_members(count: int) -> dict[str, bytes]:
    """Return one-coloured images of a class each: class k is 20k in red, its number 10 times in green."""
    members: dict[str, bytes] = {}
    for label, name in enumerate(EUROSAT_CLASSES):
        for number in range(count, 0, -1):  # not in order
            pixels = np.full((64, 64, 3), (20 * label, 10 * number, 100), np.uint8)
            members[f"EuroSAT_RGB/{name}/{name}_{number}.jpg"] = jpeg(pixels)
    return members
