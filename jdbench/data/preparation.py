"""Preparation of a data set: download with checksum, read, check, and write NAME.npz, whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from jdbench.data.arrays import CACHE, DATA, cache_folder, check_arrays, locate
from jdbench.data.catalogue import DataSet, SourceFile
from jdbench.data.formats import Arrays
from jdbench.errors import DataError, MissingExtraError

TIMEOUT = 30.0
"""Seconds without an answer after which a server is given up."""


def prepare(known: DataSet, folder: Path | None = None, *, progress: bool = False) -> Path:
    """Return the file of a data set, downloaded and written to the cache if it is not there yet.

    A file in the folder that ``JDBENCH_DATA`` names is used instead. Downloaded files stay, checked, until the
    data set is complete: an interrupted preparation goes on there.

    Args:
        known: What to prepare.
        folder: Where to write it, even if it exists elsewhere; the cache if None.
        progress: Whether to show the download on standard error.

    Returns:
        The path of NAME.npz.

    Raises:
        MissingExtraError: pooch, or what a format needs, is not installed.
        DataError: The network or the server fails, a checksum does not fit, a file is not what it should be,
            or the folder cannot be written.
        InputError: ``JDBENCH_DATA`` names no folder.

    Example:
        >>> import os, tempfile
        >>> from pathlib import Path
        >>> from unittest.mock import patch
        >>> from jdbench.data import data_set, prepare
        >>> with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, JDBENCH_DATA=folder):
        ...     Path(folder, "mnist.npz").touch()
        ...     prepare(data_set("mnist")).name  # there already: nothing is downloaded
        'mnist.npz'
    """
    found = locate(known.name) if folder is None else None
    if found is not None:
        return found
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError(
            f'data={known.name!r}, required pooch, got no such package, run `pip install "jdbench[data]"`'
        ) from error
    folder = folder or cache_folder()
    assert folder is not None  # pooch is there
    path = folder / f"{known.name}.npz"
    if path.is_file():
        return path
    downloads = folder / "downloads" / known.name
    try:
        downloads.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    files = [_download(pooch, known, file, downloads, progress) for file in known.files]
    arrays = check_arrays(known, known.read(files), files[0].name)
    if len(arrays.labels) != known.count:
        raise DataError(
            f"file={files[0].name}, required {known.count} images, got {len(arrays.labels)}, download it again"
        )
    try:
        _write(arrays, path)
    except OSError as error:
        raise _unwritable(folder, error) from error
    shutil.rmtree(downloads, ignore_errors=True)
    return path


def _download(pooch: Any, known: DataSet, file: SourceFile, folder: Path, progress: bool) -> Path:
    """Return a downloaded file that has its checksum; places are tried in order."""
    got: list[str] = []
    for url in file.urls:
        downloader = pooch.HTTPDownloader(timeout=TIMEOUT, progressbar=progress)
        try:
            with _quiet(pooch):
                return Path(pooch.retrieve(url, file.checksum, file.name, folder, downloader=downloader))
        except ValueError:
            got.append(f"another checksum from {url}")
        except OSError as error:  # every error of requests is one
            got.append(f"{type(error).__name__} from {url}")
    raise DataError(
        f"data={known.name!r}, required {file.name} with {file.checksum}, got {', then '.join(got)}, try again "
        f"with a network, or set {DATA} to a folder that holds {known.name}.npz"
    )


def _write(arrays: Arrays, path: Path) -> None:
    """Write under another name in the same folder, then rename, which is atomic."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".partial")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, images=arrays.images, labels=arrays.labels)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"cache={folder}, required a folder that can be written, got {type(error).__name__}: {error.strerror}, "
        f"set {CACHE} to another"
    )


@contextlib.contextmanager
def _quiet(pooch: Any) -> Any:
    """Keep pooch from logging where it downloads to, and what it thinks of it."""
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel("CRITICAL")
    try:
        yield
    finally:
        logger.setLevel(level)
