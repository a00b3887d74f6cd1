"""Every reader gives back what was written in its format, and refuses everything else with one clear line."""

import gzip
import tarfile
import zipfile
from pathlib import Path
from stat import S_IFLNK

import numpy as np
import pytest

from jdbench.data import formats
from jdbench.data.formats import EUROSAT_CLASSES, Arrays, read_cifar10, read_eurosat, read_idx, read_svhn
from jdbench.errors import DataError
from support.published_files import (
    eurosat_members,
    idx_bytes,
    jpeg,
    random_arrays,
    write_cifar10,
    write_eurosat,
    write_idx,
    write_svhn,
)


@pytest.fixture
def small_cifar10(monkeypatch: pytest.MonkeyPatch) -> Arrays:
    monkeypatch.setattr(formats, "CIFAR_ROWS", 4)
    return random_arrays(20, (32, 32, 3))


def assert_same(found: Arrays, expected: Arrays) -> None:
    np.testing.assert_array_equal(found.images, expected.images, strict=True)
    np.testing.assert_array_equal(found.labels, expected.labels, strict=True)


def test_idx(tmp_path: Path) -> None:
    arrays = random_arrays(7, (28, 28, 1))
    assert_same(read_idx(write_idx(tmp_path, arrays)), arrays)


def test_svhn_whose_zero_is_ten(tmp_path: Path) -> None:
    arrays = random_arrays(30, (32, 32, 3))
    assert 0 in arrays.labels
    assert_same(read_svhn(write_svhn(tmp_path, arrays)), arrays)


def test_cifar10_in_the_order_of_its_files(tmp_path: Path, small_cifar10: Arrays) -> None:
    assert_same(read_cifar10(write_cifar10(tmp_path, small_cifar10)), small_cifar10)


def test_eurosat_by_class_and_number(tmp_path: Path) -> None:
    found = read_eurosat(write_eurosat(tmp_path, eurosat_members(11) | {"EuroSAT_RGB/read.me": b"hello"}))
    assert found.images.shape == (110, 64, 64, 3)
    np.testing.assert_array_equal(found.labels, np.repeat(np.arange(10), 11), strict=True)
    # One colour survives JPEG up to the rounding of its colour space: 2 of 256 at quality 100.
    red, green = found.images[..., 0].astype(int), found.images[..., 1].astype(int)
    assert np.abs(red - 20 * found.labels[:, None, None]).max() <= 2
    assert np.abs(green - 10 * np.tile(np.arange(1, 12), 10)[:, None, None]).max() <= 2


@pytest.mark.parametrize(
    "contents",
    [
        b"no gzip",
        gzip.compress(b""),
        gzip.compress(b"\0\0\x08"),
        gzip.compress(idx_bytes(np.zeros((3, 28), np.uint8))),
        gzip.compress(idx_bytes(np.zeros((3, 28, 28), np.uint8))[:-1]),
        gzip.compress(idx_bytes(np.zeros((3, 28, 28), np.uint8)) + b"\0"),
        gzip.compress(idx_bytes(np.zeros((3, 28, 28), np.uint8)))[:-12],
        gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12),
    ],
    ids=["no gzip", "empty", "header", "axes", "short", "long", "truncated", "2**96 entries"],
)
def test_damaged_idx(tmp_path: Path, contents: bytes) -> None:
    files = write_idx(tmp_path, random_arrays(3, (28, 28, 1)))
    files[0].write_bytes(contents)
    with pytest.raises(DataError, match=r"file=train-images-idx3-ubyte\.gz, required the published format"):
        read_idx(files)


@pytest.mark.parametrize("how", ["truncated", "text", "labels", "missing"])
def test_damaged_svhn(tmp_path: Path, how: str) -> None:
    arrays = random_arrays(30, (32, 32, 3))
    if how == "labels":
        arrays = Arrays(arrays.images, arrays.labels + 3)
    (file,) = write_svhn(tmp_path, arrays)
    if how == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif how == "text":
        file.write_bytes(b"text " * 99)
    elif how == "missing":
        file.unlink()
    with pytest.raises(DataError, match=r"file=train_32x32\.mat, required the published format"):
        read_svhn([file])


@pytest.mark.parametrize("how", ["truncated", "text", "a file fewer", "size"])
def test_damaged_cifar10(
    tmp_path: Path, small_cifar10: Arrays, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (file,) = write_cifar10(tmp_path, small_cifar10, files=4 if how == "a file fewer" else 5)
    if how == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif how == "text":
        file.write_bytes(b"text " * 99)
    elif how == "size":
        monkeypatch.setattr(formats, "CIFAR_ROWS", 5)
    with pytest.raises(DataError, match=r"file=cifar-10-binary\.tar\.gz, required the published format"):
        read_cifar10([file])


@pytest.mark.parametrize("name", ["../evil.bin", "/etc/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_archives_that_point_outside_themselves_are_refused(
    tmp_path: Path, small_cifar10: Arrays, name: str
) -> None:
    before = {path: path.read_bytes() for path in tmp_path.parent.rglob("*") if path.is_file()}
    inside = tmp_path / "inside"
    inside.mkdir()
    files = write_cifar10(inside, small_cifar10, extra=tarfile.TarInfo(name))
    with pytest.raises(DataError, match="required an archive whose members lie within it"):
        read_cifar10(files)
    with pytest.raises(DataError, match="required an archive whose members lie within it"):
        read_eurosat(write_eurosat(inside, eurosat_members(1) | {name: b"evil"}))
    written = {path for path in tmp_path.parent.rglob("*") if path.is_file()} - set(before)
    assert {path.parent for path in written} == {inside}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE])
def test_links_in_place_of_files_are_not_followed(tmp_path: Path, small_cifar10: Arrays, kind: bytes) -> None:
    link = tarfile.TarInfo("cifar-10-batches-bin/data_batch_5.bin")
    link.type, link.linkname = kind, "cifar-10-batches-bin/data_batch_1.bin"
    with pytest.raises(DataError, match="is no file of 4 records"):
        read_cifar10(write_cifar10(tmp_path, small_cifar10, extra=link, files=4))


def test_a_link_among_images_is_refused(tmp_path: Path) -> None:
    (file,) = write_eurosat(tmp_path, eurosat_members(1))
    link = zipfile.ZipInfo("EuroSAT_RGB/River/River_9.jpg")
    link.external_attr = (S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(link, "/etc/hostname")
    with pytest.raises(DataError, match="is a link"):
        read_eurosat([file])


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"no image", "UnidentifiedImageError"),
        (jpeg(np.zeros((64, 64, 3), np.uint8))[:300], "OSError"),
        (jpeg(np.zeros((65, 64, 3), np.uint8)), r"size \(64, 65\)"),
        (jpeg(np.zeros((64, 64), np.uint8)), "mode L"),
        (b"\0" * 2**21, "too large"),
    ],
    ids=["text", "truncated", "another size", "grey", "huge"],
)
def test_images_of_another_kind_are_refused(tmp_path: Path, contents: bytes, message: str) -> None:
    members = eurosat_members(1) | {f"EuroSAT_RGB/{EUROSAT_CLASSES[3]}/{EUROSAT_CLASSES[3]}_1.jpg": contents}
    with pytest.raises(DataError, match=message):
        read_eurosat(write_eurosat(tmp_path, members))


@pytest.mark.parametrize("how", ["truncated", "text", "no image"])
def test_damaged_eurosat(tmp_path: Path, how: str) -> None:
    (file,) = write_eurosat(tmp_path, {} if how == "no image" else eurosat_members(1))
    if how == "truncated":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif how == "text":
        file.write_bytes(b"text " * 99)
    with pytest.raises(DataError, match=r"file=EuroSAT_RGB\.zip, required the published format"):
        read_eurosat([file])
