"""Records to the table of runs, a row a run, and to the runs at the selected learning rate ([JD] D.1)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Metric, Table
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    AT_EDGE,
    ERROR,
    PROBLEM,
    RATE,
    RATES_LOST,
    RATES_TRIED,
    SCORE,
    SEED,
    START,
    STATE,
    TRACE,
)
from jdbench.errors import InputError
from jdbench.runs.record import Record
from jdbench.runs.store import unpacked

GROUP: list[str] = [PROBLEM, AGGREGATOR, SEED]

BRIEF = (
    PROBLEM, AGGREGATOR, RATE, SEED, TRACE, STATE, schema.STEPS_TAKEN, schema.SECONDS, SCORE, schema.FINAL,
)  # fmt: skip
"""Columns of the table of all runs; `selected` and `references` have all indicators, and the store has."""


def score(record: Record) -> float:
    """Return the mean of the criterion over a run as a share of its value at the start.

    Returns:
        ``area`` divided by ``start``, infinite for a run that diverged or failed. A start on the front itself
        leaves nothing to gain: 0 for staying there, infinity for leaving it.

    Example:
        >>> from jdbench.analysis.run_table import score
        >>> from jdbench.runs.record import Record
        >>> from jdbench.runs.protocol import RunSpec
        >>> spec = RunSpec("EWQ", "Mean", 0.1, 1, 10)
        >>> score(Record(spec, "finished", 10, 0.1, {"area": 1.0, "start": 4.0, "final": 0.0}, {}))
        0.25
    """
    area, start = record.indicators["area"], record.indicators["start"]
    if not np.isfinite(area):
        return float("inf")
    if start > 0:
        return area / start
    return float("inf") if area > 0 else 0.0


def indicator_table(records: Iterable[Record], metrics: Sequence[Metric] = ()) -> pd.DataFrame:
    """Return one row a record: its spec, how it ended, its indicators, its metrics.

    Args:
        records: Any records; their curves are read by metrics alone.
        metrics: What is computed of each beside `SCORE`.

    Returns:
        A table with columns ``problem aggregator rate seed steps optimizer trace state steps_taken seconds``,
        ``error``, one for each indicator, NaN where a run has none, and those of the metrics.

    Raises:
        InputError: A metric has the name of an indicator, or fails.
    """
    found: list[dict[str, object]] = []
    for record in records:
        row: dict[str, object] = {
            **vars(record.spec),
            "state": str(record.state),
            "steps_taken": record.steps_taken,
            "seconds": record.seconds,
            "error": record.error,
            **record.indicators,
        }
        opened = replace(record, curves=unpacked(record.curves)) if metrics else record
        found.append(row | {str(metric.column): _value(metric, opened, row) for metric in metrics})
        found[-1][str(SCORE)] = score(record)
    names = [name for name in dict.fromkeys(name for row in found for name in row) if name != SCORE]
    return pd.DataFrame(found, columns=[*names, str(SCORE)] if found else None)


def _value(metric: Metric, record: Record, row: dict[str, object]) -> float:
    if metric.column in row or metric.column in {SCORE, RATES_TRIED, RATES_LOST, AT_EDGE}:
        raise InputError(
            f"metric={metric.column}, required a name of its own, got that of another column of runs, rename it"
        )
    try:
        return float(metric.of(record))
    except Exception as error:
        spec = record.spec
        raise InputError(
            f"metric={metric.column}, required a number, got {type(error).__name__}: {error} for "
            f"{spec.aggregator} on {spec.problem}, seed {spec.seed}, return NaN where a run has none"
        ) from error


def selected_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the run of the best rate for each problem, aggregator and seed ([JD] D.1).

    The best has the smallest area under the curve; of equal ones the smaller rate wins. Reference runs, at
    a given rate, do not compete.

    Returns:
        Rows of an `indicator_table`, with ``rates_tried``, ``rates_lost`` (diverged or failed) and ``at_edge``:
        whether the best rate is the smallest or largest that was tried, so that a better one may lie beyond.
    """
    competing = table.loc[~table[TRACE].astype(bool)].sort_values(by=[*GROUP, SCORE, RATE])
    groups = competing.groupby(GROUP, sort=False)
    best = groups.head(1).set_index(GROUP)
    best[str(RATES_TRIED)] = groups.size()
    best[str(RATES_LOST)] = groups[STATE].agg(lambda states: int((states != "finished").sum()))
    edges = groups[RATE].agg(["min", "max"])
    best[str(AT_EDGE)] = (best[RATE] == edges["min"]) | (best[RATE] == edges["max"])
    return best.reset_index()


def reference_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the runs at Theorem 1's rate 1/(β√m), whose paths were kept."""
    return table.loc[table[TRACE].astype(bool)].reset_index(drop=True)


def ranked_runs(selected: pd.DataFrame) -> pd.DataFrame:
    """Return the selected runs that are compared: those whose start leaves something to gain.

    Where the start lies in the Pareto set the criterion, a share of the distance at the start, measures
    nothing: every aggregator that stays has score 0 and reaches every target in 0 steps, and all are tied. Such
    starts tell whether an aggregator rests; they say nothing about how fast it is. They are left out for all
    aggregators alike.
    """
    return pd.DataFrame(selected[~at_target(selected)])


def at_target(selected: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each run whether its criterion is 0 at the start, as all runs from there say that have one."""
    starts = selected.groupby([PROBLEM, SEED])[START].transform("max")
    return starts.to_numpy(dtype=np.float64) == 0


def _all_runs(results: Results) -> pd.DataFrame:
    names = dict.fromkeys([*BRIEF, *results.metrics])
    return results.table("indicators").filter(items=[str(name) for name in names])


SPEC = (
    PROBLEM, AGGREGATOR, RATE, SEED, schema.STEPS, schema.OPTIMIZER, TRACE, STATE, schema.STEPS_TAKEN,
    schema.SECONDS, ERROR, schema.AREA, START, schema.FINAL, SCORE,
)  # fmt: skip
"""Columns that a table of runs has in any case."""

INDICATORS = Table(
    "indicators",
    "All runs with all indicators",
    SPEC,
    lambda results: results.made["indicators"],
    rest=schema.INDICATOR,
    download=False,
    listed=False,
)
SELECTED_RUNS = Table(
    "selected",
    "The runs at the selected rates",
    (*SPEC, RATES_TRIED, RATES_LOST, AT_EDGE),
    lambda results: selected_runs(results.table("indicators")),
    needs=("indicators",),
    rest=schema.INDICATOR,
    listed=False,
)
REFERENCE_RUNS = Table(
    "references",
    "The runs at Theorem 1's rate",
    SPEC,
    lambda results: reference_runs(results.table("indicators")),
    needs=("indicators",),
    rest=schema.INDICATOR,
    listed=False,
)
RANKED_RUNS = Table(
    "ranked",
    "The runs at the selected rates that are compared",
    SELECTED_RUNS.columns,
    lambda results: ranked_runs(results.table("selected")),
    needs=("selected",),
    rest=schema.INDICATOR,
    download=False,
    listed=False,
)
ALL_RUNS = Table(
    "runs",
    "All runs in short",
    BRIEF,
    _all_runs,
    needs=("indicators",),
    rest=schema.INDICATOR,
    listed=False,
)
