"""What a report reads: the tables of a store, and the curves of the runs that it draws."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pandas as pd

from jdbench.analysis.problems import Family, Subject
from jdbench.roster import in_order
from jdbench.runs.record import Array
from jdbench.verification.summary import Verdicts

Curves = Mapping[str, Array]

Row = Mapping[str, Any]
"""A row of a table, by column."""

Name = tuple[str, str, int, float, bool]
"""What tells the drawn runs of a store apart: problem, aggregator, seed, rate, trace."""


@dataclass(frozen=True)
class Results:
    """A store, read.

    Attributes:
        tables: Those of `jdbench.analysis.tables.score_tables` and ``references``, at Theorem 1's rate.
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
            curves = self.curves.get(name_of(row))
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


def name_of(row: Row) -> Name:
    """Return what tells a run apart.

    Args:
        row: Of a table of runs, or the fields of a run spec.

    Returns:
        Problem, aggregator, seed, rate and trace.
    """
    return row["problem"], row["aggregator"], row["seed"], row["rate"], bool(row["trace"])
