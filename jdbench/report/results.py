"""What a report reads: the tables of a store, and the curves of the runs that it draws."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd

from jdbench.errors import JDBenchError, StoreError
from jdbench.family_tables import UNKNOWN
from jdbench.metrics import indicator_table, reference_runs, selected_runs
from jdbench.problem import AnalyticProblem, Problem, resolve_problem
from jdbench.record import Array, Record
from jdbench.report.palette import in_order, slug
from jdbench.report.verdict_marks import Verdicts
from jdbench.score_tables import score_tables
from jdbench.store import Store

Curves = Mapping[str, Array]

Row = Mapping[str, Any]
"""A row of a table, by column."""

Name = tuple[str, str, int, float, bool]
"""What tells the drawn runs of a store apart: problem, aggregator, seed, rate, trace."""


@dataclass(frozen=True)
class Subject:
    """A problem as a report sees it.

    Attributes:
        spec: Its spec.
        slug: The same for ids and file names.
        kind: ``analytic`` or ``training``.
        family: Its family; `UNKNOWN` where it cannot be had.
        problem: The problem itself, or None where it cannot be had.
        absent: Why it cannot.
    """

    spec: str
    slug: str
    kind: Literal["analytic", "training"]
    family: str
    problem: Problem | None
    absent: str

    @property
    def analytic(self) -> AnalyticProblem | None:
        """The problem, if it is an analytic one and can be had."""
        return self.problem if isinstance(self.problem, AnalyticProblem) else None

    @property
    def page(self) -> str:
        """Name of its page."""
        return f"problem-{self.slug}.html"


@dataclass(frozen=True)
class Family:
    """A family of problems.

    Attributes:
        name: Its name.
        subjects: Its problems.
    """

    name: str
    subjects: Sequence[Subject]

    @property
    def page(self) -> str:
        """Name of its page."""
        return f"family-{slug(self.name)}.html"


@dataclass(frozen=True)
class Results:
    """A store, read.

    Attributes:
        tables: Those of `jdbench.score_tables.score_tables` and ``references``, the runs at Theorem 1's rate.
        curves: Curves of the selected and reference runs.
        subjects: The problems, by family, analytic ones first.
        presets: Names of what was run.
        environments: Where it was run.
        verdicts: What is known of the aggregators' properties.
    """

    tables: Mapping[str, pd.DataFrame]
    curves: Mapping[Name, Curves]
    subjects: Sequence[Subject]
    presets: Sequence[str]
    environments: Sequence[Mapping[str, str]]
    verdicts: Verdicts

    @property
    def aggregators(self) -> list[str]:
        """Specs of all aggregators, in the order in which reports list them."""
        return in_order(self.tables["indicators"]["aggregator"])

    @property
    def families(self) -> list[Family]:
        """The families, in the order of the subjects."""
        names = dict.fromkeys(subject.family for subject in self.subjects)
        return [Family(name, [s for s in self.subjects if s.family == name]) for name in names]

    def rows(self, table: str, **equal: object) -> list[Row]:
        """Return rows of a table.

        Args:
            table: Its name.
            **equal: Columns with the value that they are to have.

        Returns:
            The rows, in order.
        """
        return rows_of(where(self.tables[table], **equal))

    def finished(self, subject: Subject, *, reference: bool) -> dict[str, list[Curves]]:
        """Return the curves of the selected or the reference runs on a problem that finished.

        Args:
            subject: The problem.
            reference: Whether the reference runs are wanted.

        Returns:
            Curves by aggregator, in the order in which reports list them, each in the order of the seeds.
        """
        found: dict[str, list[Curves]] = {}
        rows = self.rows("references" if reference else "selected", problem=subject.spec, state="finished")
        for row in sorted(rows, key=lambda row: row["seed"]):
            curves = self.curves.get(_name(row))
            if curves:
                found.setdefault(row["aggregator"], []).append(curves)
        return {name: found[name] for name in in_order(found)}

    def adding(self, **tables: pd.DataFrame) -> "Results":
        """Return the same with more tables.

        Args:
            **tables: By name.

        Returns:
            Results.
        """
        return replace(self, tables={**self.tables, **tables})

    def of(self, subject: Subject) -> "Results":
        """Return what concerns one problem, which is little to hand to another process.

        Args:
            subject: The problem.

        Returns:
            The same with the rows and the curves of the problem.
        """
        own = {
            name: where(frame, problem=subject.spec) if "problem" in frame else frame
            for name, frame in self.tables.items()
        }
        curves = {name: curves for name, curves in self.curves.items() if name[0] == subject.spec}
        return replace(self, tables=own, curves=curves)


def where(table: pd.DataFrame, **equal: object) -> pd.DataFrame:
    """Return those rows of a table that have certain values.

    Args:
        table: Any table.
        **equal: Columns with the value that they are to have.

    Returns:
        The rows, in order.
    """
    for column, value in equal.items():
        table = cast("pd.DataFrame", table[table[column] == value])
    return table


def rows_of(table: pd.DataFrame) -> list[Row]:
    """Return the rows of a table.

    Args:
        table: Any table with names as columns.

    Returns:
        One mapping of column names to Python values a row.
    """
    return cast("list[Row]", table.to_dict("records"))


def read(path: Path, verdicts: Verdicts) -> Results:
    """Read what a report needs from a store.

    Args:
        path: File of records.
        verdicts: What is known of the aggregators' properties.

    Returns:
        The results.

    Raises:
        StoreError: The file is no store, or holds no records.
    """
    with Store(path) as store:
        bare = list(store.records(curves=False))
        if not bare:
            raise StoreError(
                f"store={path}, required at least one record, got none, run `jdbench run --store {path}`"
            )
        indicators = indicator_table(bare)
        references = reference_runs(indicators)
        wanted = {_name(row) for part in (selected_runs(indicators), references) for row in rows_of(part)}
        curves = {name: record.curves for name, record in _named(store.records()) if name in wanted}
        presets, environments = store.presets(), store.environments()
    kept = (replace(record, curves=curves.get(name, {})) for name, record in _named(bare))
    found = {**score_tables(kept), "references": references}
    subjects = [_subject(spec, curves) for spec in sorted(indicators["problem"].unique())]
    subjects.sort(key=lambda subject: (subject.kind, subject.family))
    return Results(found, curves, subjects, presets, environments, verdicts)


def _named(records: Iterable[Record]) -> Iterator[tuple[Name, Record]]:
    return ((_name(vars(record.spec)), record) for record in records)


def _name(row: Row) -> Name:
    return row["problem"], row["aggregator"], row["seed"], row["rate"], bool(row["trace"])


def _subject(spec: str, curves: Mapping[Name, Curves]) -> Subject:
    problem, absent = None, ""
    try:
        problem = resolve_problem(spec)
    except (JDBenchError, ImportError, AttributeError) as error:
        absent = str(error)
    measured = any("distance" in found for name, found in curves.items() if name[0] == spec)
    kind = "analytic" if measured or isinstance(problem, AnalyticProblem) else "training"
    family = UNKNOWN if problem is None else problem.family
    return Subject(spec, slug(spec), kind, family, problem, absent)
