"""The tables of how runs ended and where they ran, and of the starts left out of comparisons."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.frames import only, ordered, rows, values_of
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, PROBLEM
from jdbench.descent.loop import DIVERGENCE
from jdbench.report.tables.cells import Cell, Heading, PageTable, text
from jdbench.report.tables.columns import (
    Looks,
    Shown,
    aggregator_column,
    count_column,
    page_table,
    problem_column,
    shown,
    text_column,
)


class Failure(NamedTuple):
    """What runs of an aggregator on a problem raised; the fields are columns."""

    runs: int
    aggregator: str
    error: str


class _LeftOut(NamedTuple):
    problem: str
    at_target: int
    starts: int


def outcomes_table(results: Results, looks: Looks, entry: ProblemEntry | None = None) -> PageTable:
    """Return how many runs of each aggregator finished, diverged and failed, at all rates.

    Args:
        results: What was read.
        looks: Styles of all aggregators.
        entry: The problem that is meant; all if None.

    Returns:
        The table, over all rates and seeds, reference runs included.
    """
    whole = results.table("outcome_totals" if entry is None else "outcomes")
    own = ordered(whole if entry is None else only(whole, PROBLEM, entry.spec), AGGREGATOR, list(looks))
    where = "all problems" if entry is None else entry.spec
    failed = [text(count, "bad" if count else "") for count in values_of(own, schema.FAILED)]
    return page_table(
        "outcomes",
        f"How the runs on {where} ended, at all rates",
        [
            aggregator_column(own, looks),
            text_column(own, schema.RUNS),
            text_column(own, schema.FINISHED),
            Shown(Heading(schema.DIVERGED.heading, DIVERGENCE), _texts(own, schema.DIVERGED)),
            shown(schema.FAILED, failed),
        ],
    )


def _texts(frame: pd.DataFrame, column: str) -> list[Cell]:
    return [text(value) for value in values_of(frame, column)]


def errors_table(results: Results, looks: Looks) -> PageTable | None:
    """Return the table of what failed runs raised; None if no run failed."""
    found = results.table("errors")
    if not len(found):
        return None
    return page_table(
        "errors",
        "What failed runs raised",
        [
            problem_column(found, pages_of(results)),
            aggregator_column(found, looks),
            text_column(found, schema.RUNS),
            text_column(found, schema.ERROR, "long"),
        ],
    )


def lost_table(results: Results, looks: Looks) -> PageTable | None:
    """Return the problems on which an aggregator had seeds in which no rate finished; None without any."""
    lost = results.table("lost_seeds")
    if not len(lost):
        return None
    return page_table(
        "lost",
        "Seeds in which no rate finished",
        [
            problem_column(lost, pages_of(results)),
            aggregator_column(lost, looks),
            count_column(lost, schema.SEEDS_LOST, schema.SEEDS),
        ],
    )


def pages_of(results: Results) -> dict[str, str]:
    """Return the page of each problem."""
    return {entry.spec: entry.page for entry in results.problems}


def environments_table(results: Results) -> PageTable:
    """Return where the runs were made: a row a fact, a column an environment."""
    facts = list(dict.fromkeys(name for environment in results.environments for name in environment))
    numbers = [str(k + 1) for k in range(len(results.environments))]
    heads = [f"environment {k}" for k in numbers] if len(numbers) > 1 else ["value"] * len(numbers)
    columns = [Shown(Heading("fact"), [text(fact) for fact in facts])]
    columns += [
        Shown(Heading(head), [text(environment.get(fact, "")) for fact in facts])
        for head, environment in zip(heads, results.environments, strict=True)
    ]
    return page_table("environments", "Where the runs were made", columns)


def starts_left_out(results: Results, entries: Sequence[ProblemEntry]) -> dict[str, str]:
    """Return the problems of whose starts rankings and profiles leave some or all out.

    Returns:
        By problem, which of its starts, such as ``all 8 starts``.
    """
    found = {one.problem: one for one in rows(results.table("left_out"), _LeftOut)}
    return {
        one.problem: f"all {one.starts} starts"
        if one.at_target == one.starts > 1
        else f"{one.at_target} of {one.starts} starts"
        for entry in entries
        for one in [found.get(entry.spec)]
        if one is not None
    }


def failures(results: Results, entry: ProblemEntry) -> list[Failure]:
    """Return what runs on a problem raised, most frequent first."""
    return rows(only(results.table("errors"), PROBLEM, entry.spec), Failure)


class _Motion(NamedTuple):
    aggregator: str
    path_length: float


def stayed_and_moved(results: Results, entry: ProblemEntry) -> tuple[list[str], dict[str, float]]:
    """Return who stayed at the starts of a problem, and how far the others went at most."""
    longest = rows(only(results.table("motion"), PROBLEM, entry.spec), _Motion)
    rest = [one.aggregator for one in longest if one.path_length == 0]
    return rest, {one.aggregator: one.path_length for one in longest if one.path_length > 0}
