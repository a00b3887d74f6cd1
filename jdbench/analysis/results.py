"""What follows from a store: its tables, each made when it is first asked for, and curves of chosen runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pandas as pd

from jdbench.analysis.declarations import Column, Table
from jdbench.analysis.frames import only, rows
from jdbench.analysis.problems import Family, ProblemEntry
from jdbench.analysis.schema import AGGREGATOR, PROBLEM, SEED, STATE
from jdbench.errors import InputError, unknown_name
from jdbench.roster import in_order
from jdbench.runs.record import Array
from jdbench.verification.summary import Verdicts

Curves = Mapping[str, Array]


class RunKey(NamedTuple):
    """What tells the chosen runs of a store apart; its fields are columns of the tables of runs."""

    problem: str
    aggregator: str
    seed: int
    rate: float
    trace: bool


@dataclass(frozen=True)
class Results:
    """A store, read.

    Attributes:
        problems: The problems, by family, analytic ones first.
        curves: Curves of the selected and reference runs.
        presets: Names of what was run.
        environments: Where it was run.
        verdicts: What is known of the aggregators' properties.
        metrics: Columns that the table of runs has beside the indicators of the records.
        declared: The tables that can be made, by name.
        made: Those that are made; a table is made once.
        asking: The table that is being made, which may ask for its needs only; None where all may be asked for.

    Example:
        >>> from jdbench.analysis import results_of
        >>> from jdbench.runs.protocol import RunSpec
        >>> from jdbench.runs.runner import run_batch
        >>> results = results_of(run_batch([RunSpec("EWQ", "Mean", 0.1, seed, 20) for seed in (1, 2)]))
        >>> results.table("ranking")["aggregator"].tolist()
        ['Mean', 'Mean']
        >>> results.table("outcomes")["finished"].tolist()
        [2]
    """

    problems: Sequence[ProblemEntry]
    curves: Mapping[RunKey, Curves]
    presets: Sequence[str]
    environments: Sequence[Mapping[str, str]]
    verdicts: Verdicts
    metrics: Sequence[Column]
    declared: Mapping[str, Table]
    made: dict[str, pd.DataFrame] = field(default_factory=dict[str, pd.DataFrame])
    asking: Table | None = None

    @property
    def aggregators(self) -> list[str]:
        """Specs of all aggregators, in the order in which reports list them."""
        return in_order(self.made["indicators"][AGGREGATOR])

    @property
    def families(self) -> list[Family]:
        """The families, in the order of the problems."""
        names = dict.fromkeys(entry.family for entry in self.problems)
        return [Family(name, [p for p in self.problems if p.family == name]) for name in names]

    def table(self, name: str) -> pd.DataFrame:
        """Return a table, made now if nobody asked for it before.

        Args:
            name: Its name, or that of a table that is needed where one is being made.

        Returns:
            The table, not to be changed.

        Raises:
            UnknownNameError: There is no such table.
            InputError: A table that is being made asks for one that it does not declare to need, or has other
                columns than it declares.
        """
        if self.asking is not None and name not in self.asking.needs:
            raise InputError(
                f"table={self.asking.name}, required to ask for tables that it needs, got {name}, add it to "
                "its needs"
            )
        if name not in self.made:
            if name not in self.declared:
                raise unknown_name("table", name, [*self.declared, *self.made])
            table = self.declared[name]
            self.made[name] = table.checked(table.make(replace(self, asking=table)))
        return self.made[name]

    def finished(self, entry: ProblemEntry, *, reference: bool) -> dict[str, list[Curves]]:
        """Return the curves of the selected or the reference runs on a problem that finished.

        Returns:
            Curves by aggregator, in the order in which reports list them, each in the order of the seeds.
        """
        runs = only(only(self.table(chosen(reference)), PROBLEM, entry.spec), STATE, "finished")
        found: dict[str, list[Curves]] = {}
        for key in rows(runs.sort_values(SEED, kind="stable"), RunKey):
            if self.curves.get(key):
                found.setdefault(key.aggregator, []).append(self.curves[key])
        return {name: found[name] for name in in_order(found)}

    def of(self, entry: ProblemEntry) -> "Results":
        """Return what concerns one problem, which is little to hand to another process.

        Returns:
            The same without curves, with the rows of the problem in the tables that are made; others cannot be.
        """
        own = {
            name: only(frame, PROBLEM, entry.spec) if PROBLEM in frame else frame
            for name, frame in self.made.items()
        }
        return replace(self, curves={}, made=own, declared={})


def chosen(reference: bool) -> str:
    """Return the name of the table of the runs at Theorem 1's rate, or at the selected rates."""
    return "references" if reference else "selected"
