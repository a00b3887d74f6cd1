"""The store gives back what it was given, survives interruption, and names what is wrong with a file."""

import math
import sqlite3
import subprocess
import sys
from multiprocessing import get_context
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import numpy as np
import pytest

from jdbench.errors import StoreError
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.store import Store, unpacked

FACTS = {"torch": "2.13.0", "commit": "abc"}


def record(seed: int = 1, state: str = "finished", error: str = "") -> Record:
    indicators = {"area": math.inf if state != "finished" else 0.5, "start": 1.0, "final": math.nan}
    curves = {"steps": np.arange(3.0), "x": np.arange(6.0).reshape(3, 2)} if state == "finished" else {}
    return Record(RunSpec("EWQ", "CAGrad(c=0.4)", 0.1, seed, 10), state, 7, 0.25, indicators, curves, error)


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "store.sqlite"
    with Store(path, create=True) as store:
        store.append([record(), record(2, "diverged")], FACTS)
    with Store(path) as store:
        first, second = store.records()
        assert first.spec == record().spec
        assert (first.state, first.steps_taken, first.seconds) == ("finished", 7, 0.25)
        assert first.indicators["area"] == 0.5
        assert math.isnan(first.indicators["final"])
        assert np.array_equal(first.curves["x"], record().curves["x"])
        assert second.indicators["area"] == math.inf
        assert second.curves == {}
        assert store.environments() == [FACTS]
        assert [r.curves for r in store.records(curves=False)] == [{}, {}]


def test_failed_runs_are_not_done_and_give_way_to_a_later_try(tmp_path: Path) -> None:
    with Store(tmp_path / "s", create=True) as store:
        store.append([record(state="failed", error="RuntimeError: no")], FACTS)
        assert store.done() == set()
        assert next(iter(store.records())).error == "RuntimeError: no"
        store.append([record()], {**FACTS, "commit": "def"})
        assert store.done() == {record().spec.key}
        assert len(list(store.records())) == 1
        assert store.environments() == [{**FACTS, "commit": "def"}]


def test_a_transaction_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    class Unwritable(dict):
        def items(self):
            raise KeyboardInterrupt

    broken = Record(record(2).spec, "finished", 1, 0.1, Unwritable(), {})
    with Store(tmp_path / "s", create=True) as store:
        store.append([record()], FACTS)
        with pytest.raises(KeyboardInterrupt):
            store.append([record(3), broken], FACTS)
    with Store(tmp_path / "s") as store:
        assert store.done() == {record().spec.key}


def make_and_stamp(path: Path, preset: str, ready: Barrier, said: SimpleQueue) -> None:
    ready.wait()
    try:
        with Store(path, create=True) as store:
            store.stamp(preset)
            store.append([record(seed) for seed in range(20)], FACTS)
        said.put(f"made with {preset}")
    except StoreError as error:
        said.put(str(error))


def at_once(path: Path, presets: list[str]) -> list[str]:
    """What processes that make the same store at the same time say, sorted."""
    context = get_context("fork")
    ready, said = context.Barrier(len(presets)), context.SimpleQueue()
    processes = [context.Process(target=make_and_stamp, args=(path, name, ready, said)) for name in presets]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    return sorted(said.get() for _ in processes)


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # the forks use no threads
@pytest.mark.parametrize("attempt", range(10))
def test_several_processes_make_one_store(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / "deep" / f"{attempt}.sqlite"
    assert at_once(path, ["quick"] * 4) == ["made with quick"] * 4
    with Store(path) as store:
        assert store.presets() == ["quick"]
        assert len(list(store.records())) == 20


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("attempt", range(5))
def test_of_several_presets_at_once_one_gets_the_store(tmp_path: Path, attempt: int) -> None:
    path = tmp_path / f"{attempt}.sqlite"
    said = at_once(path, ["quick", "full", "paper"])
    assert len([line for line in said if line.startswith("made with")]) == 1
    with Store(path) as store:
        (preset,) = store.presets()
    assert len([line for line in said if f"got one of {preset}, choose another with --store" in line]) == 2


def test_a_writer_waits_for_another(tmp_path: Path) -> None:
    holder = (
        "import sqlite3, sys, time\nconnection = sqlite3.connect(sys.argv[1])\n"
        "connection.execute('BEGIN EXCLUSIVE')\nprint('held', flush=True)\ntime.sleep(0.5)\n"
        "connection.rollback()"
    )
    path = tmp_path / "s"
    path.touch()
    with subprocess.Popen([sys.executable, "-c", holder, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with Store(path, create=True) as store:
            assert process.wait(60) == 0
            store.stamp("quick")
            assert store.presets() == ["quick"]


def test_presets_are_remembered(tmp_path: Path) -> None:
    with Store(tmp_path / "s", create=True) as store:
        store.stamp("quick")
        store.stamp("quick")
        assert store.presets() == ["quick"]


@pytest.mark.parametrize(
    "content", [b"not a database, but long enough to be taken for one" * 9, b"SQLite format 3\0"]
)
def test_a_file_that_is_no_database_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.sqlite"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"x\.sqlite"):
        Store(path)


def test_missing_foreign_and_newer_stores_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"got none, `jdbench run` makes one"):
        Store(tmp_path / "missing")
    foreign = tmp_path / "foreign"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE songs (title TEXT)")
    with pytest.raises(StoreError, match="got another database"):
        Store(foreign)
    newer = tmp_path / "newer"
    Store(newer, create=True).connection.close()
    with sqlite3.connect(newer) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="got version 99"):
        Store(newer)
    with pytest.raises(StoreError, match="required"):
        Store(tmp_path, create=True)


def test_damaged_records_and_read_only_stores_are_named(tmp_path: Path) -> None:
    path = tmp_path / "damaged"
    with Store(path, create=True) as store:
        store.append([record()], FACTS)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE records SET curves = x'00'")
    with Store(path) as store, pytest.raises(StoreError, match="required sound records"):
        list(store.records())
    with Store(path) as store:
        store.connection.execute("PRAGMA query_only = 1")
        with pytest.raises(StoreError, match="required a readable and writable store"):
            store.stamp("quick")


def test_packed_curves_are_unpacked_at_a_look_and_damage_is_named_then(tmp_path: Path) -> None:
    path = tmp_path / "packed"
    with Store(path, create=True) as store:
        store.append([record()], FACTS)
        (packed,) = store.records(packed=True)
    assert dict(packed.curves).keys() == unpacked(packed.curves).keys() == record().curves.keys()
    assert len(packed.curves) == 2
    assert np.array_equal(packed.curves["x"], record().curves["x"])
    assert unpacked(plain := record().curves) == dict(plain)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE records SET curves = x'00'")
    with Store(path) as store:
        (damaged,) = store.records(packed=True)
    with pytest.raises(StoreError, match="required sound curves"):
        unpacked(damaged.curves)


def test_end_points_keep_all_their_digits(tmp_path: Path) -> None:
    curves = {"distance": np.array([1 / 3]), "end_f": np.array([1 / 3, 1e-300]), "end_x": np.zeros(0)}
    with Store(tmp_path / "s", create=True) as store:
        store.append([Record(record().spec, "finished", 1, 0.1, record().indicators, curves)], FACTS)
        (back,) = store.records()
    assert back.curves["end_f"].tolist() == [1 / 3, 1e-300]
    assert back.curves["end_x"].shape == (0,)
    assert back.curves["distance"].tolist() == [float(np.float32(1 / 3))]
