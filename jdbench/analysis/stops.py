"""Where runs on analytic problems stopped: at an optimal point, an only stationary one, or neither."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import only, rows
from jdbench.analysis.problems import shapes
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    DRIFT,
    FINAL,
    PROBLEM,
    RUNS,
    START,
    STATE,
    STATIONARITY_OF_START,
    STATIONARITY_RELATIVE,
    STEPS_TO_REACH,
    WEIGHTS,
    WORST_MARGIN,
)
from jdbench.rounding import gamma
from jdbench.runs.analytic_indicators import REACHED_SHARE
from jdbench.verification.tolerances import improvement

OPTIMAL_SHARE = 1e-3
"""A run stopped at an optimal point if its distance there is at most this times that of the start."""

STATIONARY = REACHED_SHARE
"""A point is stationary if its shortest convex combination of gradients is at most this times the longest."""

STOPS = ("optimal", "only stationary", "neither", "lost")
"""Where a run may have stopped."""

COUNTS = (schema.OPTIMAL, schema.ONLY_STATIONARY, schema.NEITHER, schema.STOPS_LOST)
"""Numbers of the runs that stopped there, in the same order."""

PROGRESS = (
    schema.REACHED, schema.STEPS_THERE, schema.FINAL_SHARE, schema.FINAL_WORST, schema.STATIONARITY,
    schema.MEDIAN_DRIFT, WORST_MARGIN, schema.CONFLICTS, WEIGHTS,
)  # fmt: skip

NEEDED = (STATIONARITY_RELATIVE, STATIONARITY_OF_START, DRIFT, STEPS_TO_REACH, WORST_MARGIN, WEIGHTS)
"""Indicators that a table of runs may lack: only some runs have them."""


class _Run(NamedTuple):
    """What is read of a run."""

    state: str
    start: float
    final: float
    stationarity_relative: float
    drift: float
    steps_to_reach: float
    worst_margin: float
    weights: float
    stop: str


def margin_tolerance(shape: tuple[int, int] | None, weights: float = 1.0) -> float:
    """Return the rounding error of min_i gᵢᵀa / (‖gᵢ‖ max_j ‖gⱼ‖), the margin that records keep.

    In float64 it is that of an optimal improvement, `jdbench.verification.tolerances.improvement`, for a matrix
    whose largest row has norm 1: so many roundings times S = Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖. Where the shape is
    unknown the directions may be of float32, and the rounding of their entries dwarfs the rest: it moves
    ĝᵢᵀa by at most u ‖a‖ ≤ u S; twice that covers the float64 terms up to n = 10⁷.

    Args:
        shape: m and n of the Jacobian, in float64; None for trainings and problems that cannot be had.
        weights: S, the largest one of the run; 1, a convex combination's, where the run did not keep it.

    Returns:
        The tolerance, a pure number: a margin below minus it is a conflict.
    """
    if shape is None:
        return 2 * gamma(1, torch.float32) * weights
    m, n = shape
    J = torch.zeros(m, n, dtype=torch.float64)
    J[:, 0] = 1
    return float(improvement(J, torch.full((m,), weights / m, dtype=torch.float64)))


def stop_of(
    runs: pd.DataFrame, optimal: float = OPTIMAL_SHARE, stationary: float = STATIONARY
) -> npt.NDArray[np.str_]:
    """Return where runs stopped.

    ``optimal``: the distance is at most ``optimal`` times that at the start, 0 if that is 0. ``only
    stationary``: it is not, but the shortest convex combination of the gradients is at most ``stationary``
    times the longest gradient, there or at the start. ``neither``: the run came to none of these. ``lost``: it
    diverged or failed.

    The first threshold is what Theorem 1 is held to in this benchmark. The second is stricter: on the way to a
    smooth optimal set the combination shrinks with the distance, by no more than the ratio of the least to the
    largest curvature, so that with 1e-5 a run on its way is not taken for a stall up to ratios of 1e-2.

    Args:
        runs: Rows of an `jdbench.analysis.run_table.indicator_table`.
        optimal: Share of the distance at the start.
        stationary: Share of the longest gradient.

    Returns:
        One of `STOPS` a row.
    """
    final, start, there, before = (
        runs[name].to_numpy(dtype=np.float64)
        for name in (FINAL, START, STATIONARITY_RELATIVE, STATIONARITY_OF_START)
    )
    lost = runs[STATE].to_numpy() != "finished"
    still = np.fmin(there, before) <= stationary
    return np.select([lost, final <= optimal * start, still], [STOPS[3], STOPS[0], STOPS[1]], STOPS[2])


def judge(runs: pd.DataFrame, sizes: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """Return where the runs of each aggregator on each analytic problem stopped, and how they got there.

    Args:
        runs: Selected or reference runs.
        sizes: Of `jdbench.analysis.problems.shapes`. Problems that are not there and of which no run has
            a stationarity are left out: they are trainings.

    Returns:
        Columns ``problem aggregator runs``; ``optimal only_stationary neither lost``, counts by `stop_of`;
        ``reached``, the number of runs that came within `REACHED_SHARE` of their distance at the start, and
        ``steps``, the median step at which they did (infinite if half did not); ``final`` and ``final_worst``,
        the median and the largest distance at the end as a share of that at the start; ``stationarity``, the
        median over the runs that finished of the shortest convex combination of the gradients there over the
        longest gradient; ``drift``, the median over the same of the share of the path that was made in the last
        tenth of the steps; ``worst_margin``, ``conflicts``, the number of runs in which it lies below minus its
        rounding error; and ``weights``, the largest Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖, NaN where runs did not keep it.
    """
    runs = runs.assign(**{str(name): math.nan for name in NEEDED if name not in runs})
    measured = runs[STATIONARITY_RELATIVE].notna().groupby(runs[PROBLEM]).transform("any")
    judged = pd.DataFrame(runs[measured | runs[PROBLEM].isin(list(sizes))])
    judged["stop"] = stop_of(judged)
    found: list[tuple[object, ...]] = []
    for problem, aggregator in sorted(set(zip(judged[PROBLEM], judged[AGGREGATOR], strict=True))):
        mine = rows(only(only(judged, PROBLEM, problem), AGGREGATOR, aggregator), _Run)
        found.append((problem, aggregator, len(mine), *_summary(mine, sizes.get(problem))))
    return pd.DataFrame(found, columns=[PROBLEM, AGGREGATOR, RUNS, *COUNTS, *PROGRESS])


def _summary(runs: Sequence[_Run], shape: tuple[int, int] | None) -> tuple[object, ...]:
    """Return the values of `COUNTS` and `PROGRESS`."""
    steps = [_infinite(run.steps_to_reach) for run in runs]
    shares = [_infinite(run.final / run.start if run.start > 0 else run.final) for run in runs]
    stops = [run.stop for run in runs]
    margins = [run.worst_margin for run in runs if not math.isnan(run.worst_margin)]
    # Aggregators that have no weights leave none; runs that failed leave NaN.
    weights = [run.weights for run in runs if run.weights > 0]
    tolerances = [margin_tolerance(shape, run.weights if run.weights > 1 else 1.0) for run in runs]
    conflicts = [run.worst_margin < -tolerance for run, tolerance in zip(runs, tolerances, strict=True)]
    ended = [run for run in runs if run.state == "finished"]
    return (
        *(stops.count(name) for name in STOPS),
        sum(math.isfinite(step) for step in steps),
        float(np.median(steps)),
        float(np.median(shares)),
        max(shares),
        float(np.median([run.stationarity_relative for run in ended] or [math.nan])),
        float(np.median([run.drift for run in ended] or [math.nan])),
        min(margins, default=math.nan),
        sum(conflicts),
        max(weights, default=math.nan),
    )


def _infinite(value: float) -> float:
    """Return the value; infinity for NaN, which is what a failed run leaves."""
    return math.inf if math.isnan(value) else value


def most_optimal_first(judged: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a problem, those first that stopped at optimal points from most starts."""
    order: list[str] = [schema.OPTIMAL, schema.REACHED, schema.STEPS_THERE, schema.FINAL_SHARE]
    return judged.sort_values(order, ascending=[False, False, True, True], kind="stable")


def _judgement(of: str) -> Table:
    which = "at the selected rates" if of == "selected" else "at Theorem 1's rate"

    def make(results: Results) -> pd.DataFrame:
        return judge(results.table(of), shapes(results.problems))

    return Table(
        f"{of.removesuffix('s')}_judgement",
        f"Where the runs {which} stopped",
        (PROBLEM, AGGREGATOR, RUNS, *COUNTS, *PROGRESS),
        make,
        needs=(of,),
        listed=False,
    )


SELECTED_JUDGEMENT, REFERENCE_JUDGEMENT = _judgement("selected"), _judgement("references")
