"""The verdicts on aggregators as a table, as files and as a page, for `jdbench verify`."""

import contextlib
import importlib
import importlib.metadata
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from jdbench.aggregator import resolve
from jdbench.environment import environment
from jdbench.errors import InputError, ProcessEndedError, unknown_name
from jdbench.verification.axes import AXES, MATRICES
from jdbench.verification.curves import Point
from jdbench.verification.expected_failures import dtype_name, find_expected, read_expected_failures
from jdbench.verification.global_state import OF_RESULTS, kept
from jdbench.verification.profiles import EXAMPLES
from jdbench.verification.properties import HYGIENE, PROPERTIES
from jdbench.verification.verdict_files import write_folder, write_replays, write_verdicts
from jdbench.verification.verdicts import CurveTask, Judgement, VerdictTask, judged
from jdbench.verification.verify import Outcome

DTYPES = (torch.float64, torch.float32)

EVERYTHING = "all"
"""The claim that stands for every property."""


def chosen_properties(claims: str) -> list[str]:
    """Return the names of the properties in a list, hygiene last.

    Args:
        claims: Names separated by commas; ``all`` stands for every one.

    Returns:
        Names of properties, each once.

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


def examine(
    specs: Sequence[str],
    *,
    claims: str,
    console: Console,
    examples: int = EXAMPLES,
    seed: int = 0,
    limit: float = 10.0,
    json_path: Path | None = None,
    replays: Path | None = None,
    report: Path | None = None,
    command: str = "",
    expected_failures: Path | None = None,
    workers: int = 1,
) -> int:
    """Verify aggregators, print the verdicts, and write what was asked for.

    Args:
        specs: Aggregators.
        claims: Properties separated by commas; hygiene is added.
        console: Where the table goes; progress and stale expected failures go to standard error.
        examples: Matrices tried for each property and dtype, and at most for a point of a curve.
        seed: Seed of the search.
        limit: Seconds that one call may take.
        json_path: Where the verdicts go, if anywhere.
        replays: Folder for replay scripts, if any are wanted.
        report: Folder for a page of verdicts and violation curves, with all that it shows, if one is wanted.
        command: What the page names as the command that made it.
        expected_failures: File of failures that do not count, if there is one.
        workers: Number of processes.

    Returns:
        Number of failures that are not expected.

    Raises:
        InputError: A name or number is not usable, or a file cannot be written.
    """
    if examples < 1 or not 0 < limit < math.inf:
        raise InputError(
            f"examples={examples}, limit={limit}, required both positive, got others, try {EXAMPLES} and 10"
        )
    with kept(OF_RESULTS):
        named = list(dict.fromkeys(resolve(spec).spec for spec in specs))
    names = chosen_properties(claims)
    expected = () if expected_failures is None else read_expected_failures(expected_failures)
    if report is not None:
        importlib.import_module("jdbench.report")  # a missing extra is to be said before minutes of search
    started = time.perf_counter()
    searches = [
        VerdictTask(spec, name, dtype, examples, seed, limit)
        for spec in named
        for name in names
        for dtype in DTYPES
    ]
    axes = () if report is None else AXES
    measures = [
        CurveTask(spec, axis, dtype, min(examples, MATRICES), limit)
        for spec in named
        for axis in axes
        for dtype in AXES[axis].points
    ]
    errors = Console(stderr=True)
    with Progress(console=errors, transient=True) as progress:
        bar = progress.add_task("verifying", total=len(searches) + len(measures))
        found = judged(
            [*searches, *measures],
            workers,
            lambda spec: progress.update(bar, advance=1, description=escape(spec)),
        )
    judgements: list[Judgement] = [
        replace(one, expected=find_expected(expected, [one.spec], one.verdict.property, one.dtype))
        for one in found[: len(searches)]
    ]
    curves: list[list[Point] | ProcessEndedError] = found[len(searches) :]
    points = [point for one in curves if not isinstance(one, ProcessEndedError) for point in one]
    ended = [
        f"{task.spec}, curve against {task.axis} in {dtype_name(task.dtype)}: {one}"
        for task, one in zip(measures, curves, strict=True)
        if isinstance(one, ProcessEndedError)
    ]
    console.print(_table(judgements))
    for line in ended:
        errors.print(line, soft_wrap=True, markup=False)
    for one in judgements:
        if one.expected is not None and not one.failed:
            errors.print(one.expected.stale(one.spec, one.dtype), soft_wrap=True, markup=False)
    try:
        if json_path is not None:
            write_verdicts(judgements, json_path)
        if replays is not None:
            write_replays(judgements, replays)
        if report is not None:
            from jdbench.report.verdicts.page import write_verdict_page

            seconds = f"{time.perf_counter() - started:.0f}"
            made = {"command": command, "seconds": seconds, **environment(workers), **_versions(named)}
            write_folder(judgements, points, made, report)
            errors.print(f"wrote {write_verdict_page(report)}", soft_wrap=True, markup=False)
    except OSError as error:
        raise InputError(
            f"json, replays, report, required places to write, got {error}, choose others"
        ) from error
    return sum(one.failed and one.expected is None for one in judgements) + len(ended)


def _versions(specs: Sequence[str]) -> dict[str, str]:
    """Return the versions of the packages that third parties' aggregators come from, where they are known."""
    packages = {spec.partition(":")[0].partition(".")[0] for spec in specs if ":" in spec.partition("(")[0]}
    found: dict[str, str] = {}
    for package in sorted(packages | {"hypothesis"}):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def _table(judgements: Sequence[Judgement]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("aggregator", "property", "dtype", "verdict", "margin", "rounding", "where"):
        table.add_column(column, overflow="fold", no_wrap=column in ("dtype", "verdict", "margin", "rounding"))
    for one in judgements:
        verdict = one.verdict
        outcome = str(verdict.outcome)
        if verdict.outcome is Outcome.SURVIVED:
            outcome += f" {verdict.examples}"
        measured = verdict.outcome in (Outcome.SURVIVED, Outcome.REFUTED)
        table.add_row(
            one.spec,
            verdict.property,
            one.dtype,
            outcome + (", expected" if one.failed and one.expected is not None else ""),
            f"{verdict.margin:.2g}" if measured else "",
            f"{verdict.tolerance:.0e}" if measured else "",
            escape(_where(one)),
        )
    return table


def _where(one: Judgement) -> str:
    verdict = one.verdict
    if verdict.outcome is Outcome.SURVIVED:
        return verdict.witness.matrix.kind
    lines = [f"{verdict.witness.matrix.kind}: {verdict.witness.matrix.J.tolist()}"]
    if verdict.message:
        lines.insert(0, verdict.message)
    if one.recheck is not None:
        lines.append(str(one.recheck))
    if one.failed and one.expected is not None:
        lines.append(f"expected: {one.expected.reason}")
    return "\n".join(lines)
