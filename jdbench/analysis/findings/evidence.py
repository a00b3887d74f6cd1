"""What predictions are judged by, the runs of a store, and the answers that they give."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

import numpy as np
import pandas as pd

from jdbench.analysis.frames import only, rows
from jdbench.analysis.results import Results, RunKey, chosen
from jdbench.analysis.schema import STATE, STEPS_TO_TARGET
from jdbench.analysis.stops import NEEDED, stop_of

OF_FIELDS = {"steps_to_target": STEPS_TO_TARGET}
"""Columns whose names cannot be those of fields."""

EXACT = "UPGrad"
"""The aggregator that Theorem 1 speaks of: the definition, not its trace-regularised variant."""

NAMED = 5
"""Violations that are named; of more, the number is told."""

Told = Literal["holds", "fails", "cannot tell"]
HOLDS: Final = "holds"
FAILS: Final = "fails"
UNTOLD: Final = "cannot tell"


class Run(NamedTuple):
    """A run, as far as predictions need it; what it did not record is NaN.

    Attributes:
        problem: Its spec.
        aggregator: Its spec.
        seed: Seed of the start or training.
        state: How it ended.
        steps: Steps that were asked for.
        start: The criterion at the start.
        final: The criterion at the end.
        steps_to_target: Steps to a thousandth of the distance at the start.
        path_length: Length of the path in the space of the distance.
        mean_cosine: Mean over the steps of the direction's cosine to the mean gradient.
        cosine_at_start: That of the first step.
        stop: Where it stopped, by `jdbench.analysis.stops.stop_of`.
    """

    problem: str
    aggregator: str
    seed: int
    state: str
    steps: int
    start: float
    final: float
    steps_to_target: float
    path_length: float
    mean_cosine: float
    cosine_at_start: float
    stop: str

    @property
    def left(self) -> float:
        """The share of the distance at the start that is left at the end."""
        return self.final / self.start if self.start > 0 else self.final


@dataclass(frozen=True)
class Answer:
    """What runs say of a prediction.

    Attributes:
        told: Whether it holds, or that it cannot be told.
        numbers: What was looked at, by name.
        missing: What runs would be needed, where it cannot be told.

    Example:
        >>> from jdbench.analysis.findings import HOLDS, Answer
        >>> Answer(HOLDS, {"starts": 8.0}).missing
        ''
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
        selected: Runs at the best rate.
        weights: By problem, the largest ‖w‖ of exact UPGrad's runs at Theorem 1's rate, by step, at the steps
            that all of them have.

    Example:
        >>> from jdbench.analysis import results_of
        >>> from jdbench.analysis.findings import evidence_of
        >>> from jdbench.runs.protocol import RunSpec
        >>> from jdbench.runs.runner import run_batch
        >>> records = run_batch([RunSpec("EWQ", "UPGrad", 0.1, seed, 20, trace=True) for seed in (2, 1)])
        >>> list(evidence_of(results_of(records)).at_reference("EWQ", "UPGrad"))
        [1, 2]
    """

    presets: Sequence[str]
    references: Sequence[Run]
    selected: Sequence[Run]
    weights: Mapping[str, Mapping[int, float]]

    def at_reference(self, problem: str, aggregator: str) -> dict[int, Run]:
        """Return the runs of an aggregator on a problem at Theorem 1's rate, by seed."""
        own = [run for run in self.references if (run.problem, run.aggregator) == (problem, aggregator)]
        return {run.seed: run for run in sorted(own, key=lambda run: run.seed)}


@dataclass(frozen=True)
class Prediction:
    """What theory or the paper says of runs.

    Attributes:
        name: Short and unique.
        statement: In a sentence.
        source: Where it is proved or reported.
        judge: What judges it by runs.

    Example:
        >>> from jdbench.analysis.findings import PREDICTIONS
        >>> PREDICTIONS[1].name, PREDICTIONS[1].source
        ('theorem-1-converges', '[JD] Theorem 1')
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


def evidence_of(results: Results) -> Evidence:
    """Return what results say, as far as predictions need it.

    Example:
        >>> from jdbench.analysis import results_of
        >>> from jdbench.analysis.findings import evidence_of
        >>> from jdbench.runs.protocol import RunSpec
        >>> from jdbench.runs.runner import run_batch
        >>> evidence = evidence_of(results_of(run_batch([RunSpec("EWQ", "Mean", 0.1, 1, 20)])))
        >>> [run.aggregator for run in evidence.selected], evidence.references
        (['Mean'], [])
    """
    references, selected = (_runs(results.table(chosen(reference))) for reference in (True, False))
    norms: dict[str, list[dict[int, float]]] = {}
    for key in rows(only(results.table(chosen(reference=True)), STATE, "finished"), RunKey):
        curves = results.curves.get(key, {})
        if key.aggregator == EXACT and "weights" in curves:
            steps, values = curves["steps"].astype(np.int64).tolist(), curves["weights"].tolist()
            norms.setdefault(key.problem, []).append(dict(zip(steps, values, strict=True)))
    weights = {problem: _largest(some) for problem, some in norms.items()}
    return Evidence(results.presets, references, selected, weights)


def _runs(table: pd.DataFrame) -> list[Run]:
    columns = (OF_FIELDS.get(name, name) for name in Run._fields if name != "stop")
    absent = {str(name) for name in (*NEEDED, *columns)} - {*table}
    whole = table.assign(**dict.fromkeys(absent, math.nan))
    named = whole.rename(columns={str(column): field for field, column in OF_FIELDS.items()})
    return rows(named.assign(stop=stop_of(whole)), Run)


def _largest(runs: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """Return the largest value over runs at each step at which all have one that is finite."""
    shared = sorted(set.intersection(*({*run} for run in runs)))
    found = {step: [run[step] for run in runs] for step in shared}
    return {step: max(values) for step, values in found.items() if np.isfinite(values).all()}
