"""What predictions are judged by, the runs of a store, and the answers that they give."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import pandas as pd

from jdbench.analysis.run_table import indicator_table, reference_runs, selected_runs
from jdbench.errors import JDBenchError, StoreError
from jdbench.problem import Problem, resolve_problem
from jdbench.runs.record import Record
from jdbench.runs.store import Store

EXACT = "UPGrad"
"""The aggregator that Theorem 1 speaks of: the definition, not its trace-regularised variant."""

NAMED = 5
"""Violations that are named; of more, the number is told."""

Told = Literal["holds", "fails", "cannot tell"]
HOLDS: Final = "holds"
FAILS: Final = "fails"
UNTOLD: Final = "cannot tell"

Run = Mapping[str, Any]
"""A row of `jdbench.analysis.run_table.indicator_table`, by column."""


@dataclass(frozen=True)
class Answer:
    """What runs say of a prediction.

    Attributes:
        told: Whether it holds, or that it cannot be told.
        numbers: What was looked at, by name.
        missing: What runs would be needed, where it cannot be told.
    """

    told: Told
    numbers: Mapping[str, float | str] = field(default_factory=dict[str, float | str])
    missing: str = ""


@dataclass(frozen=True)
class Evidence:
    """What a store holds, as far as predictions need it.

    Attributes:
        presets: Names of what was run.
        references: Runs at Theorem 1's rate.
        selected: Runs at the best rate, of `jdbench.analysis.run_table.selected_runs`.
        weights: By problem, the largest ‖w‖ of exact UPGrad's runs at Theorem 1's rate, by step, at the steps
            that all of them have.
    """

    presets: Sequence[str]
    references: Sequence[Run]
    selected: Sequence[Run]
    weights: Mapping[str, Mapping[int, float]]

    def at_reference(self, problem: str, aggregator: str) -> dict[int, Run]:
        """Return the runs of an aggregator on a problem at Theorem 1's rate, by seed."""
        own = [run for run in self.references if (run["problem"], run["aggregator"]) == (problem, aggregator)]
        return {run["seed"]: run for run in sorted(own, key=lambda run: run["seed"])}


@dataclass(frozen=True)
class Prediction:
    """What theory or the paper says of runs.

    Attributes:
        name: Short and unique.
        statement: In a sentence.
        source: Where it is proved or reported.
        judge: What judges it by runs.
    """

    name: str
    statement: str
    source: str
    judge: Callable[[Evidence], Answer]


def untold(missing: str, **numbers: float | str) -> Answer:
    """Return that it cannot be told, and what is missing."""
    return Answer(UNTOLD, numbers, missing)


def judged(violations: Sequence[str], **numbers: float | str) -> Answer:
    """Return whether there is no violation; the first few are named among the numbers."""
    if not violations:
        return Answer(HOLDS, numbers)
    more = f" and {len(violations) - NAMED} more" if len(violations) > NAMED else ""
    return Answer(FAILS, {**numbers, "violated by": "; ".join(violations[:NAMED]) + more})


def announced_problem(spec: str) -> Problem | None:
    """Return a problem that is announced by its name; None for any other: a store's names are not imported."""
    if ":" in spec.partition("(")[0]:
        return None
    try:
        return resolve_problem(spec)
    except (JDBenchError, ImportError, AttributeError):
        return None


def evidence_of(records: Iterable[Record], presets: Sequence[str] = ()) -> Evidence:
    """Return what records say, as far as predictions need it.

    Args:
        records: With their curves; read once.
        presets: Names of what was run.

    Returns:
        The evidence.

    Raises:
        StoreError: There is no record.
    """
    bare: list[Record] = []
    norms: dict[str, list[dict[int, float]]] = {}
    for record in records:
        spec, curves = record.spec, record.curves
        bare.append(Record(spec, record.state, record.steps_taken, record.seconds, record.indicators, {}))
        if spec.trace and spec.aggregator == EXACT and record.state == "finished" and "weights" in curves:
            steps, values = curves["steps"].astype(np.int64).tolist(), curves["weights"].tolist()
            norms.setdefault(spec.problem, []).append(dict(zip(steps, values, strict=True)))
    if not bare:
        raise StoreError("store, required at least one record, got none, run `jdbench run`")
    table = indicator_table(bare)
    return Evidence(
        presets,
        _rows(reference_runs(table)),
        _rows(selected_runs(table)),
        {problem: _largest(some) for problem, some in norms.items()},
    )


def read_evidence(store: Path) -> Evidence:
    """Return what a store says, as far as predictions need it.

    Args:
        store: File of records.

    Returns:
        The evidence.

    Raises:
        StoreError: The file is no store, or holds no records.
    """
    with Store(store) as opened:
        return evidence_of(opened.records(), opened.presets())


def _rows(table: pd.DataFrame) -> list[Run]:
    return cast("list[Run]", table.to_dict("records"))


def _largest(runs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the largest value over runs at each step at which all have one that is finite."""
    shared = sorted(set.intersection(*({*run} for run in runs)))
    found = {step: [run[step] for run in runs] for step in shared}
    return {step: max(values) for step, values in found.items() if np.isfinite(values).all()}
