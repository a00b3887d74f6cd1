"""Records in SQLite: each is written when it ends, and what is written is never run again."""

import contextlib
import json
import math
import sqlite3
import time
import zlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from jdbench.errors import StoreError
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Array, Record

APPLICATION_ID = 0x4A44424E  # "JDBN", which identifies the file among SQLite databases
VERSION = 2

SCHEMA = """
CREATE TABLE environments (id INTEGER PRIMARY KEY, facts TEXT NOT NULL UNIQUE);
CREATE TABLE records (
    key TEXT PRIMARY KEY,
    problem TEXT NOT NULL, aggregator TEXT NOT NULL, rate REAL NOT NULL, seed INTEGER NOT NULL,
    steps INTEGER NOT NULL, optimizer TEXT NOT NULL, trace INTEGER NOT NULL,
    state TEXT NOT NULL, steps_taken INTEGER NOT NULL, seconds REAL NOT NULL,
    indicators TEXT NOT NULL, curves BLOB NOT NULL, error TEXT NOT NULL,
    environment INTEGER NOT NULL REFERENCES environments(id), written REAL NOT NULL
);
CREATE TABLE presets (preset TEXT PRIMARY KEY);
"""


class Store:
    """A file of records. Use it as a context manager.

    Raises:
        StoreError: The file is missing (unless it may be created), is no store, or comes from another version.

    Example:
        >>> from pathlib import Path
        >>> from jdbench.runs import RunSpec, Store, run_batch
        >>> spec = RunSpec("EWQ", "UPGrad", 0.25, 1, 50)
        >>> with Store(Path("runs.sqlite"), create=True) as store:
        ...     store.append(run_batch([spec]), {"machine": "mine"})
        ...     spec.key in store.done(), [record.spec.aggregator for record in store.records()]
        (True, ['UPGrad'])
    """

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if create:
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise StoreError(
                    f"store={path}, required a place to write, got {error}, choose another"
                ) from error
        elif not path.is_file():
            raise StoreError(f"store={path}, required a file of records, got none, `jdbench run` makes one")
        try:
            self.connection = sqlite3.connect(path, timeout=60)
            self._open()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()

    def append(self, records: Sequence[Record], facts: dict[str, str]) -> None:
        """Write records in one transaction; a failed run's record gives way to a later one.

        Args:
            records: What to write.
            facts: The environment that they come from.

        Raises:
            StoreError: The file cannot be written.
        """
        try:
            with self.connection:
                text = json.dumps(facts, sort_keys=True)
                self.connection.execute("INSERT OR IGNORE INTO environments (facts) VALUES (?)", (text,))
                (environment,) = self.connection.execute(
                    "SELECT id FROM environments WHERE facts = ?", (text,)
                ).fetchone()
                self.connection.executemany(
                    f"INSERT OR REPLACE INTO records VALUES ({','.join('?' * 16)})",
                    [_row(record, environment) for record in records],
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def done(self) -> set[str]:
        """Return the keys of the runs that need not be run again: all but the failed ones."""
        return {key for (key,) in self._query("SELECT key FROM records WHERE state != 'failed'")}

    def stamp(self, preset: str) -> None:
        """Note that a preset is run into this store, which then is of no other.

        Args:
            preset: Its name.

        Raises:
            StoreError: Another was run into it, or the file cannot be written.
        """
        try:
            with self._alone():
                others = [name for name in self.presets() if name != preset]
                if others:
                    raise StoreError(
                        f"store={self.path}, required one of preset {preset}, got one of {', '.join(others)}, "
                        "choose another with --store"
                    )
                self.connection.execute("INSERT OR IGNORE INTO presets VALUES (?)", (preset,))
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def presets(self) -> list[str]:
        """Return the names of the presets that were run into this store, sorted."""
        return sorted(name for (name,) in self._query("SELECT preset FROM presets"))

    def records(self, *, curves: bool = True, packed: bool = False) -> Iterator[Record]:
        """Yield all records, in the order of their specs.

        Args:
            curves: Whether to read the curves too.
            packed: Whether curves are unpacked at each look only, for whoever wants those of a few records.

        Yields:
            Records; without curves if so asked.
        """
        order = "problem, aggregator, seed, rate, trace, steps"
        rows = self._query(
            "SELECT problem, aggregator, rate, seed, steps, optimizer, trace, state, steps_taken, seconds, "
            f"indicators, {'curves' if curves else 'NULL'}, error FROM records ORDER BY {order}"
        )
        for row in rows:
            spec = RunSpec(row[0], row[1], row[2], row[3], row[4], row[5], bool(row[6]))
            try:
                indicators = {name: _number(value) for name, value in json.loads(row[10]).items()}
                unpacked = (
                    {} if not curves else PackedCurves(self.path, row[11]) if packed else _unpack(row[11])
                )
                if not {"area", "start", "final"} <= set(indicators):
                    raise ValueError("a record without area, start or final")
            except (ValueError, AttributeError, TypeError, OSError, zlib.error) as error:
                raise StoreError(
                    f"store={self.path}, required sound records, got {error} in that of {spec.problem}, "
                    f"{spec.aggregator}, rate {spec.rate:g}, seed {spec.seed}, run into a new store"
                ) from error
            yield Record(spec, row[7], row[8], row[9], indicators, unpacked, row[12])

    def environments(self) -> list[dict[str, str]]:
        """Return the facts of every environment that records come from."""
        rows = self._query(
            "SELECT facts FROM environments WHERE id IN (SELECT environment FROM records) ORDER BY id"
        )
        try:
            return [json.loads(facts) for (facts,) in rows]
        except ValueError as error:
            raise StoreError(
                f"store={self.path}, required sound environments, got {error}, run into a new store"
            ) from error

    def _query(self, query: str) -> Iterable[Any]:
        try:
            return self.connection.execute(query).fetchall()
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _open(self) -> None:
        with self.connection:
            self.connection.execute("BEGIN")  # so that all facts are of one moment
            identity, version, tables = self._facts()
        if not tables:
            with self._alone():
                identity, version, tables = self._facts()
                if not tables:
                    for statement in SCHEMA.split(";"):
                        self.connection.execute(statement)
                    self.connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    self.connection.execute(f"PRAGMA user_version = {VERSION}")
                    return
        if identity != APPLICATION_ID:
            raise StoreError(
                f"store={self.path}, required a store of jdbench, got another database, check the name"
            )
        if version != VERSION:
            raise StoreError(
                f"store={self.path}, required a store of version {VERSION}, got version {version}, "
                "run into a new one"
            )

    def _facts(self) -> tuple[int, int, int]:
        """Return application id, version and number of tables."""
        (identity,) = self.connection.execute("PRAGMA application_id").fetchone()
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self.connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return identity, version, tables

    @contextlib.contextmanager
    def _alone(self) -> Generator[None]:
        """Hold the write lock for what is read and then written; another process that wants it waits."""
        with self.connection:
            self.connection.execute("BEGIN IMMEDIATE")
            yield

    def _unusable(self, error: sqlite3.Error) -> StoreError:
        return StoreError(
            f"store={self.path}, required a readable and writable store, got {error}, check the file"
        )


class PackedCurves(Mapping[str, Array]):
    """Curves as a store holds them, unpacked at each look.

    Raises:
        StoreError: At a look, if they are damaged.
    """

    def __init__(self, store: Path, block: bytes) -> None:
        self.store, self.block = store, block

    def unpacked(self) -> dict[str, Array]:
        """Return all of them."""
        try:
            return _unpack(self.block)
        except (ValueError, AttributeError, TypeError, OSError, zlib.error) as error:
            raise StoreError(
                f"store={self.store}, required sound curves, got {error}, run into a new store"
            ) from error

    def __getitem__(self, name: str) -> Array:
        return self.unpacked()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.unpacked())

    def __len__(self) -> int:
        return len(self.unpacked())


def unpacked(curves: Mapping[str, Array]) -> dict[str, Array]:
    """Return curves, unpacked once where a look at each would unpack them every time."""
    return curves.unpacked() if isinstance(curves, PackedCurves) else dict(curves)


def _row(record: Record, environment: int) -> tuple[Any, ...]:
    spec = record.spec
    # Infinity and NaN are no JSON: they travel as their names.
    indicators = {k: v if math.isfinite(v) else repr(float(v)) for k, v in record.indicators.items()}
    return (
        spec.key,
        *(value for name, value in asdict(spec).items() if name != "trace"),
        int(spec.trace),
        str(record.state),
        record.steps_taken,
        record.seconds,
        json.dumps(indicators),
        _pack(record.curves),
        record.error.encode(errors="replace").decode(),
        environment,
        time.time(),
    )


def _number(value: float | str) -> float:
    return float(value)


def _pack(curves: Any) -> bytes:
    """Return curves as one compressed block: a line of JSON with names, types and shapes, then the numbers."""
    # Six digits are more than any figure shows; end points are compared with each other and kept whole.
    with np.errstate(over="ignore"):  # what has diverged may leave float32: infinity
        kept = {n: v.astype("<f8" if n.startswith("end_") else "<f4") for n, v in curves.items()}
    head = json.dumps([[name, values.dtype.str, values.shape] for name, values in kept.items()])
    return zlib.compress(b"\n".join([head.encode(), b"".join(values.tobytes() for values in kept.values())]))


def _unpack(block: bytes) -> dict[str, Array]:
    head, _, numbers = zlib.decompress(block).partition(b"\n")
    curves: dict[str, Array] = {}
    begin = 0
    for name, kind, shape in json.loads(head):
        dtype = np.dtype(kind)
        size = math.prod(shape)
        values = np.frombuffer(numbers, dtype, size, begin)
        curves[name] = values.reshape(shape).astype(np.float64)
        begin += size * dtype.itemsize
    return curves
