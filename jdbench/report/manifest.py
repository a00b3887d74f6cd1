"""The list of the files that reports wrote into a folder: what a later report may replace and remove there.

A report is written beside its place first and moved there whole. At every moment the list names whatever of it
may have arrived, so that the next report cleans up after one that was interrupted, or killed.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import cast

from jdbench.errors import InputError

try:
    import fcntl
except ImportError:  # not on Windows, where two reports at once are the caller's care
    fcntl = None

NAME = ".jdbench-report.json"
STAGING = ".jdbench-report.new"

PATIENCE = 60.0
"""Seconds that a report waits for another one that is being written into the same folder."""

FIRST = "index.html"


@dataclass(frozen=True)
class Manifest:
    """What a folder's list says.

    Attributes:
        store: The store of the report, as seen from the folder.
        files: Paths of its files, as seen from the folder, sorted.
        unfinished: Whether a report is being written, or was interrupted.
    """

    store: str
    files: tuple[str, ...]
    unfinished: bool = False


def seen_from(out: Path, store: Path) -> str:
    """Return the path of a store as seen from a report's folder, which stays true when both are moved."""
    return Path(os.path.relpath(store, out)).as_posix()


def read_manifest(out: Path) -> Manifest | None:
    """Return what a folder's list says; None where no report is.

    Raises:
        InputError: It cannot be read, or names what lies outside the folder: nothing is removed by such a list.
    """
    file = out / NAME
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _damaged(out, error) from error
    try:
        said = cast("dict[str, object]", json.loads(text))
        store, files, unfinished = said["store"], said["files"], said["unfinished"]
        if not (isinstance(store, str) and isinstance(files, list) and isinstance(unfinished, bool)):
            raise TypeError("values of other types")
        paths = tuple(str(one) for one in cast("list[object]", files))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _damaged(out, error) from error
    for path in paths:
        if not _inside(out, path):
            raise _damaged(out, f"{path!r}, which is no file in the folder")
    return Manifest(store, paths, unfinished)


def check_folder(out: Path, store: Path, *, replace: bool = False) -> Manifest | None:
    """Return what a folder's list says, if a report may be written there.

    Args:
        out: The folder; need not exist.
        store: What the report is of.
        replace: Whether it may take the place of a report of another store.

    Returns:
        As `read_manifest`.

    Raises:
        InputError: The list is damaged, or the folder has a report of another store, or a first page that is
            in no list.
    """
    found = read_manifest(out)
    if found is not None and not replace and found.store != seen_from(out, store):
        raise InputError(
            f"out={out}, required a folder without a report or with one of {seen_from(out, store)}, got one "
            f"of {found.store} (both as seen from there), choose another with --out, or say --replace"
        )
    _check_foreign(out, [FIRST], found)
    return found


@contextlib.contextmanager
def replacing(out: Path, store: Path, *, replace: bool = False) -> Generator[Path]:
    """Give a folder to write a report into; what was written takes the place of the last report in another.

    Files of the last report that the new one has not are removed, with folders that this leaves empty; files
    that no list names are never touched. If the writer raises, the last report stays as it was.

    Args:
        out: Where the report is to be, made if missing.
        store: What it is of.
        replace: Whether it may take the place of a report of another store.

    Yields:
        An empty folder.

    Raises:
        InputError: As `check_folder`; or the folder cannot be written to, a file of the report would replace
            one that is in no list, or another report is being written there for more than `PATIENCE` seconds.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        with _alone(out):
            last = check_folder(out, store, replace=replace)
            staging = _staging(out, last)
            before = Manifest(seen_from(out, store), ()) if last is None else last
            try:
                _write(out, Manifest(before.store, before.files, unfinished=True))
                yield staging
                new = sorted(one.relative_to(staging).as_posix() for one in staging.rglob("*") if one.is_file())
                _check_foreign(out, new, last)
                for path in new:
                    (out / path).parent.mkdir(parents=True, exist_ok=True)
            except BaseException:
                shutil.rmtree(staging)
                if last is None:
                    (out / NAME).unlink(missing_ok=True)
                else:
                    _write(out, last)
                raise
            made = Manifest(seen_from(out, store), tuple(new))
            _write(out, Manifest(made.store, tuple(sorted({*new, *before.files})), unfinished=True))
            for path in new:
                (staging / path).replace(out / path)
            _remove(out, sorted({*before.files} - {*new}))
            shutil.rmtree(staging)
            _write(out, made)
    except OSError as error:
        raise InputError(
            f"out={out}, required a folder that can be written to, got {error}, choose another with --out"
        ) from error


def _inside(out: Path, path: str) -> bool:
    """Tell whether a path is one of a file in the folder: no way up, no root, no link that leads out."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or parts[0] in {NAME, STAGING} or PurePosixPath(path).is_absolute():
        return False
    there = out / path
    return there.resolve().is_relative_to(out.resolve()) and not there.is_dir()


def _check_foreign(out: Path, paths: Iterable[str], known: Manifest | None) -> None:
    listed = set() if known is None else {*known.files}
    foreign = [path for path in paths if path not in listed and os.path.lexists(out / path)]
    outside = [path for path in paths if not _inside(out, path)]
    for path in [*outside, *foreign]:
        why = "one that leads out of it" if path in outside else "another's"
        raise InputError(
            f"out={out}, required a folder in which {path} is free or in the list of a report, {NAME}, "
            f"got {why}, choose another with --out, or remove it"
        )


@contextlib.contextmanager
def _alone(out: Path) -> Generator[None]:
    """Hold the lock of a folder, which the system gives back when the process ends, however it ends."""
    if fcntl is None:
        yield
        return
    handle = os.open(out, os.O_RDONLY)
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > end:
                    raise InputError(
                        f"out={out}, required a folder into which no other report is being written, got one in "
                        f"which one is for {PATIENCE:g} s, wait for it or choose another with --out"
                    ) from error
                time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _staging(out: Path, last: Manifest | None) -> Path:
    """Return an empty folder within the other, that of an interrupted report having been removed."""
    staging = out / STAGING
    if staging.is_dir() and not staging.is_symlink() and last is not None and last.unfinished:
        shutil.rmtree(staging)
    elif staging.is_dir() and not staging.is_symlink() and not any(staging.iterdir()):
        staging.rmdir()
    staging.mkdir()
    return staging


def _write(out: Path, manifest: Manifest) -> None:
    """Write the list in one move, so that no reader finds half of it."""
    said = {"store": manifest.store, "files": list(manifest.files), "unfinished": manifest.unfinished}
    new = out / f"{NAME}.new"
    new.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8", newline="\n")
    new.replace(out / NAME)


def _remove(out: Path, paths: Iterable[str]) -> None:
    for path in paths:
        (out / path).unlink(missing_ok=True)
        for folder in [*(out / path).relative_to(out).parents][:-1]:
            with contextlib.suppress(OSError):  # not empty, or gone
                (out / folder).rmdir()


def _damaged(out: Path, why: object) -> InputError:
    return InputError(
        f"manifest={out / NAME}, required the list that a report wrote, got {why}, remove it with the report's "
        "files, or choose another folder with --out"
    )
