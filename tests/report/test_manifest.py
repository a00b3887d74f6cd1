"""A report's folder: its own files are replaced and removed, by a list that may be stale, broken or a lie."""

import json
import os
import signal
import time
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from jdbench.errors import InputError
from jdbench.report import manifest, write_report
from jdbench.report.manifest import NAME, STAGING, Manifest, read_manifest, replacing
from support.report_stores import analytic, write_store

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process that was forked, needs POSIX")

LISTED = ("data/table.csv", "index.html", "problem-EWQ.html")


def write(out: Path, *files: str, store: str = "s.sqlite", replace: bool = False) -> None:
    with replacing(out, out.parent / store, replace=replace) as folder:
        for file in files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(f"{file} of {store}")


def files(folder: Path) -> set[str]:
    return {one.relative_to(folder).as_posix() for one in folder.rglob("*") if not one.is_dir()} - {NAME}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder with a report, and files of others, one among the report's and one with a name like its."""
    write(tmp_path / "out", *LISTED)
    for other in ("notes.txt", "data/mine.csv", "problem-mine.html", "verification/index.html"):
        (tmp_path / "out" / other).parent.mkdir(exist_ok=True)
        (tmp_path / "out" / other).write_text("another's")
    return tmp_path / "out"


OTHERS = {"notes.txt", "data/mine.csv", "problem-mine.html", "verification/index.html"}


def test_the_list_names_what_was_written_and_of_what(out: Path) -> None:
    assert read_manifest(out) == Manifest("../s.sqlite", LISTED)
    assert files(out) == {*LISTED, *OTHERS}


def test_stale_files_go_and_those_of_others_stay(out: Path) -> None:
    write(out, "index.html", "problem-CQF.html")
    assert files(out) == {"index.html", "problem-CQF.html", *OTHERS}
    assert all((out / other).read_text() == "another's" for other in OTHERS)
    assert read_manifest(out) == Manifest("../s.sqlite", ("index.html", "problem-CQF.html"))


def test_a_folder_that_is_left_empty_goes(tmp_path: Path) -> None:
    write(tmp_path / "out", *LISTED)
    (tmp_path / "out" / "empty").mkdir()
    write(tmp_path / "out", "index.html")
    assert {one.name for one in (tmp_path / "out").iterdir()} == {"index.html", "empty", NAME}


def test_a_file_of_others_is_not_replaced_whatever_its_name(out: Path) -> None:
    before = files(out)
    with pytest.raises(InputError, match=r"required a folder in which problem-mine.html is free"):
        write(out, "index.html", "problem-mine.html")
    assert files(out) == before
    assert (out / "index.html").read_text() == "index.html of s.sqlite"
    assert read_manifest(out) == Manifest("../s.sqlite", LISTED)


def test_a_report_of_another_store_takes_the_place_only_if_told(out: Path) -> None:
    with pytest.raises(InputError, match=r"of \.\./other\.sqlite, got one of \.\./s\.sqlite .* say --replace"):
        write(out, "index.html", store="other.sqlite")
    assert (out / "index.html").read_text() == "index.html of s.sqlite"
    write(out, "index.html", store="other.sqlite", replace=True)
    assert files(out) == {"index.html", *OTHERS}
    assert read_manifest(out) == Manifest("../other.sqlite", ("index.html",))


@pytest.mark.parametrize(
    "entry",
    ["../secret.txt", "data/../../secret.txt", "ABSOLUTE", "link.txt", "linked/secret.txt", "data", "", NAME],
)
def test_a_list_that_leads_out_of_the_folder_is_refused(out: Path, tmp_path: Path, entry: str) -> None:
    secret = tmp_path / "elsewhere" / "secret.txt"
    secret.parent.mkdir()
    secret.write_text("keep")
    (tmp_path / "secret.txt").write_text("keep")
    (out / "link.txt").symlink_to(secret)
    (out / "linked").symlink_to(secret.parent)
    entry = str(secret) if entry == "ABSOLUTE" else entry
    said = json.loads((out / NAME).read_text())
    (out / NAME).write_text(json.dumps(said | {"files": [*said["files"], entry]}))
    before = files(out)
    with pytest.raises(InputError, match=r"manifest=.*, required the list .*, got .*, remove it"):
        write(out, "index.html")
    assert files(out) == before
    assert secret.read_text() == (tmp_path / "secret.txt").read_text() == "keep"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"store": "s"}', '{"store": 1, "files": [], "unfinished": false}']
)
def test_a_broken_list_is_an_error_and_removes_nothing(out: Path, text: str) -> None:
    (out / NAME).write_text(text)
    with pytest.raises(InputError, match="required the list that a report wrote"):
        write(out, "index.html")
    assert files(out) == {*LISTED, *OTHERS}


def test_a_folder_that_is_a_link_out_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "data").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"data/table\.csv is free .* got one that leads out of it"):
        write(tmp_path / "out", *LISTED)
    assert files(tmp_path / "elsewhere") == set()


def test_a_writer_that_raises_leaves_the_last_report_as_it_was(out: Path) -> None:
    def interrupted() -> None:
        with replacing(out, out.parent / "s.sqlite") as folder:
            (folder / "index.html").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert files(out) == {*LISTED, *OTHERS}
    assert (out / "index.html").read_text() == "index.html of s.sqlite"
    assert read_manifest(out) == Manifest("../s.sqlite", LISTED)


def test_a_first_report_that_raises_leaves_nothing(tmp_path: Path) -> None:
    def broken() -> None:
        with replacing(tmp_path / "out", tmp_path / "s") as folder:
            (folder / "index.html").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken()
    assert list((tmp_path / "out").iterdir()) == []


FORK = get_context("fork")


def killed(out: Path, moves: int) -> None:
    """Write a report, and be killed after so many files were moved to their place; before any is, at -1."""
    moved = 0
    replace = Path.replace

    def until(self: Path, target: Path) -> Path:
        nonlocal moved
        if target.name != NAME:
            if moved == moves:
                os.kill(os.getpid(), signal.SIGKILL)
            moved += 1
        return replace(self, target)

    Path.replace = until
    with replacing(out, out.parent / "s.sqlite") as folder:
        for name in ("index.html", "new-1.html", "new-2.html"):
            (folder / name).write_text("new")
        if moves < 0:
            os.kill(os.getpid(), signal.SIGKILL)


@needs_fork
@pytest.mark.parametrize("moves", [-1, 0, 1, 2], ids=["writing", "before moving", "one moved", "two moved"])
def test_after_a_kill_the_next_report_leaves_nothing_of_it(out: Path, moves: int) -> None:
    process = FORK.Process(target=killed, args=(out, moves))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    left = read_manifest(out)
    assert left is not None
    assert left.unfinished
    assert (out / STAGING).is_dir()
    write(out, "index.html", "problem-CQF.html")
    assert files(out) == {"index.html", "problem-CQF.html", *OTHERS}
    assert all((out / other).read_text() == "another's" for other in OTHERS)
    assert not (out / STAGING).exists()
    assert read_manifest(out) == Manifest("../s.sqlite", ("index.html", "problem-CQF.html"))


def hold(out: Path, begun: Event, go: Event) -> None:
    with replacing(out, out.parent / "s.sqlite") as folder:
        (folder / "index.html").write_text("first")
        (folder / "first.html").write_text("first")
        begun.set()
        go.wait(60)


@needs_fork
def test_two_reports_at_once_come_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go = FORK.Event(), FORK.Event()
    other = FORK.Process(target=hold, args=(tmp_path / "out", begun, go))
    other.start()
    assert begun.wait(60)
    monkeypatch.setattr(manifest, "PATIENCE", 0.3)
    begin = time.monotonic()
    with pytest.raises(InputError, match="no other report is being written"):
        write(tmp_path / "out", "index.html")
    assert time.monotonic() - begin >= 0.3
    monkeypatch.setattr(manifest, "PATIENCE", 60.0)
    go.set()
    other.join(60)
    assert other.exitcode == 0
    assert files(tmp_path / "out") == {"first.html", "index.html"}
    write(tmp_path / "out", "index.html")
    assert files(tmp_path / "out") == {"index.html"}


def test_a_report_removes_the_pages_of_problems_that_are_gone(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s.sqlite", [analytic("Mean"), analytic("Mean", "CQF", trace=True)])
    out = write_report(store, tmp_path / "out").parent
    (out / "problem-mine.html").write_text("another's")
    before = files(out)
    store.unlink()
    write_store(store, [analytic("Mean")])
    write_report(store, out)
    gone = before - files(out)
    assert {"problem-CQF.html", "data/paths.csv"} <= gone
    assert not {"problem-mine.html", "problem-EWQ.html"} & gone


def test_a_folder_with_anothers_first_page_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("another's")
    with pytest.raises(InputError, match=r"index\.html is free"):
        write_report(tmp_path / "missing.sqlite", tmp_path)
