"""What a report reads: the indicators of all records, and the curves of the runs that it draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from jdbench.errors import JDBenchError, StoreError
from jdbench.metrics import indicator_table, reference_runs, selected_runs
from jdbench.problem import AnalyticProblem, Problem, resolve_problem
from jdbench.record import Array
from jdbench.report.palette import slug
from jdbench.store import Store

OPTIONAL = ("final", "worst_margin", "stationarity", "steps_to_reach", "weights")
"""Indicators that a store may lack: only some runs have them."""

Curves = Mapping[str, Array]

Row = Mapping[str, Any]
"""A row of a table, by column."""


@dataclass(frozen=True)
class Subject:
    """A problem as a report sees it.

    Attributes:
        spec: Its spec.
        slug: The same for ids and file names.
        kind: ``analytic`` or ``training``.
        problem: The problem itself, or None where it cannot be had.
        absent: Why it cannot.
    """

    spec: str
    slug: str
    kind: Literal["analytic", "training"]
    problem: Problem | None
    absent: str

    @property
    def analytic(self) -> AnalyticProblem | None:
        """The problem, if it is an analytic one and can be had."""
        return self.problem if isinstance(self.problem, AnalyticProblem) else None


@dataclass(frozen=True)
class Results:
    """A store, read.

    Attributes:
        table: One row a record, as `jdbench.metrics.indicator_table` gives it, and its ``key``.
        selected: Those of the best rates, as `jdbench.metrics.selected_runs` gives them.
        references: The rows at Theorem 1's rate.
        curves: Curves of the selected and reference runs by ``key``.
        subjects: The problems, analytic ones first.
        presets: Names of what was run.
        environments: Where it was run.
    """

    table: pd.DataFrame
    selected: pd.DataFrame
    references: Sequence[Row]
    curves: Mapping[str, Curves]
    subjects: Sequence[Subject]
    presets: Sequence[str]
    environments: Sequence[Mapping[str, str]]

    @property
    def aggregators(self) -> set[str]:
        """Specs of all aggregators."""
        return set(self.table["aggregator"])

    def on(self, subject: Subject, *, reference: bool) -> list[Row]:
        """Return the selected or the reference runs on a problem.

        Args:
            subject: The problem.
            reference: Whether the reference runs are wanted.

        Returns:
            Rows, in the order of the table.
        """
        rows = self.references if reference else rows_of(self.selected)
        return [row for row in rows if row["problem"] == subject.spec]

    def finished(self, subject: Subject, *, reference: bool) -> dict[str, list[Curves]]:
        """Return the curves of the selected or the reference runs on a problem that finished.

        Args:
            subject: The problem.
            reference: Whether the reference runs are wanted.

        Returns:
            Curves by aggregator, in the order of the seeds.
        """
        found: dict[str, list[Curves]] = {}
        for row in sorted(self.on(subject, reference=reference), key=lambda row: row["seed"]):
            if row["state"] == "finished" and self.curves.get(row["key"]):
                found.setdefault(row["aggregator"], []).append(self.curves[row["key"]])
        return found


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table.

    Args:
        table: Any table with names as columns.

    Returns:
        One mapping of column names to Python values a row.
    """
    return cast("list[Row]", table.to_dict("records"))


def read(path: Path) -> Results:
    """Read what a report needs from a store.

    Args:
        path: File of records.

    Returns:
        The results.

    Raises:
        StoreError: The file is no store, or holds no records.
    """
    with Store(path) as store:
        records = list(store.records(curves=False))
        if not records:
            raise StoreError(
                f"store={path}, required at least one record, got none, run `jdbench run --store {path}`"
            )
        table = indicator_table(records)
        table["key"] = [record.spec.key for record in records]
        for name in OPTIONAL:
            if name not in table:
                table[name] = np.nan
        selected, references = selected_runs(table), rows_of(reference_runs(table))
        wanted = {*selected["key"], *(row["key"] for row in references)}
        curves = {record.spec.key: record.curves for record in store.records() if record.spec.key in wanted}
        presets, environments = store.presets(), store.environments()
    subjects = [_subject(spec, table, curves) for spec in sorted(table["problem"].unique())]
    subjects.sort(key=lambda subject: subject.kind)
    return Results(table, selected, references, curves, subjects, presets, environments)


def _subject(spec: str, table: pd.DataFrame, curves: Mapping[str, Curves]) -> Subject:
    problem, absent = None, ""
    try:
        problem = resolve_problem(spec)
    except (JDBenchError, ImportError, AttributeError) as error:
        absent = str(error)
    keys = [key for key, name in zip(table["key"], table["problem"], strict=True) if name == spec]
    measured = any("distance" in curves.get(key, {}) for key in keys)
    kind = "analytic" if measured or isinstance(problem, AnalyticProblem) else "training"
    return Subject(spec, slug(spec), kind, problem, absent)
