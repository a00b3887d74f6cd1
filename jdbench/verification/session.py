"""One run of `jdbench verify`: searches over aggregators, properties and dtypes, and curves for a report."""

import contextlib
import importlib.metadata
import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from jdbench.aggregator import resolve
from jdbench.environment import environment
from jdbench.errors import InputError, ProcessEndedError, unknown_name
from jdbench.verification import EXAMPLES
from jdbench.verification.axes import AXES, MATRICES
from jdbench.verification.curves import Point
from jdbench.verification.expected_failures import ExpectedFailure, find_expected
from jdbench.verification.folder import Verification, write_folder
from jdbench.verification.global_state import OF_RESULTS, kept
from jdbench.verification.properties import HYGIENE, PROPERTIES, TABLE_1
from jdbench.verification.script import write_scripts
from jdbench.verification.tasks import CurveTask, VerdictTask, run_tasks
from jdbench.verification.verdict_files import write_verdict_file
from jdbench.verification.verdicts import DTYPES, Verdict, dtype_name

EVERYTHING = "all"
"""The claim that stands for every property."""


@dataclass(frozen=True)
class Session:
    """What a run came to.

    Attributes:
        verification: Verdicts, curves, and how they were made.
        ended: A line for each curve whose aggregator ended its process.
        stale: A line for each failure that was expected and did not happen.
    """

    verification: Verification
    ended: Sequence[str]
    stale: Sequence[str]

    @property
    def failures(self) -> int:
        """Number of failures that are not expected."""
        failed = [one for one in self.verification.verdicts if one.failed and one.expected is None]
        return len(failed) + len(self.ended)


def chosen_properties(claims: str) -> list[str]:
    """Return the names of the properties in a list separated by commas, each once, hygiene last.

    ``all`` stands for every one.

    Raises:
        UnknownNameError: A claim names no property.
    """
    names = [name.strip() for name in claims.split(",") if name.strip()]
    for name in names:
        if name not in (*PROPERTIES, EVERYTHING):
            raise unknown_name("claim", name, (*PROPERTIES, EVERYTHING))
    if EVERYTHING in names:
        names = list(PROPERTIES)
    return [*dict.fromkeys(name for name in names if name != HYGIENE), HYGIENE]


def verify_aggregators(
    specs: Iterable[str],
    *,
    claims: str = ",".join(TABLE_1),
    examples: int = EXAMPLES,
    seed: int = 0,
    limit: float = 10.0,
    curves: bool = False,
    expected: Sequence[ExpectedFailure] = (),
    workers: int = 1,
    command: str = "",
    progress: Callable[[str, int], object] = lambda spec, total: None,  # noqa: ARG005
) -> Session:
    """Search for violations of what aggregators claim, and measure how far they go.

    Args:
        specs: Aggregators.
        claims: Properties separated by commas, or ``all``; hygiene is added.
        examples: Matrices tried for each property and dtype, and at most for a point of a curve.
        seed: Seed of the search.
        limit: Seconds that one call may take.
        curves: Whether to measure violation curves too.
        expected: Failures that do not count.
        workers: Number of processes.
        command: What made this, for the page.
        progress: Told of each task that is done: its aggregator, and the number of all tasks.

    Returns:
        What it came to, in the order of the arguments.

    Raises:
        InputError: A name or number is not usable.
    """
    if examples < 1 or not 0 < limit < math.inf:
        raise InputError(
            f"examples={examples}, limit={limit}, required both positive, got others, try {EXAMPLES} and 10"
        )
    started = time.perf_counter()
    with kept(OF_RESULTS):
        named = list(dict.fromkeys(resolve(spec).spec for spec in specs))
    searches = [
        VerdictTask(spec, name, dtype, examples, seed, limit)
        for spec in named
        for name in chosen_properties(claims)
        for dtype in DTYPES
    ]
    measures = [
        CurveTask(spec, axis, dtype, min(examples, MATRICES), limit)
        for spec in named
        for axis in (AXES if curves else ())
        for dtype in AXES[axis].points
    ]
    total = len(searches) + len(measures)
    found = run_tasks([*searches, *measures], workers, lambda spec: progress(spec, total))
    verdicts: list[Verdict] = []
    stale: list[str] = []
    for verdict in found[: len(searches)]:
        entry = find_expected(expected, [verdict.aggregator], verdict.prop, verdict.dtype_name)
        verdicts.append(verdict if entry is None else replace(verdict, expected=entry.reason))
        if entry is not None and not verdict.failed:
            stale.append(entry.stale(verdict.aggregator, verdict.dtype_name))
    measured: list[list[Point] | ProcessEndedError] = found[len(searches) :]
    points = [point for one in measured if not isinstance(one, ProcessEndedError) for point in one]
    ended = [
        f"{task.spec}, curve against {task.axis} in {dtype_name(task.dtype)}: {one}"
        for task, one in zip(measures, measured, strict=True)
        if isinstance(one, ProcessEndedError)
    ]
    seconds = f"{time.perf_counter() - started:.0f}"
    made = {"command": command, "seconds": seconds, **environment(workers), **_versions(named)}
    return Session(Verification(verdicts, points, made), ended, stale)


def write_session(session: Session, json: Path | None, replays: Path | None, report: Path | None) -> None:
    """Write verdicts to a file, scripts that replay the failures to a folder, and all to another, as asked.

    Raises:
        InputError: A place cannot be written to.
    """
    verdicts = session.verification.verdicts
    writers: dict[str, tuple[Path | None, Callable[[Path], object]]] = {
        "json": (json, lambda file: write_verdict_file(verdicts, file)),
        "replays": (replays, lambda folder: write_scripts(verdicts, folder)),
        "report": (report, lambda folder: write_folder(session.verification, folder)),
    }
    for name, (place, write) in writers.items():
        if place is not None:
            try:
                write(place)
            except OSError as error:
                raise InputError(
                    f"{name}={place}, required a place to write, got {error}, choose another"
                ) from error


def _versions(specs: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages that third parties' aggregators come from, where they are known."""
    packages = {spec.partition(":")[0].partition(".")[0] for spec in specs if ":" in spec.partition("(")[0]}
    found: dict[str, str] = {}
    for package in sorted(packages | {"hypothesis"}):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
