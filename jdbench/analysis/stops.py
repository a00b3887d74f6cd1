"""Where runs on analytic problems stopped: at an optimal point, an only stationary one, or neither."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.analysis.margin_rounding import margin_tolerance
from jdbench.runs.analytic_indicators import REACHED

OPTIMAL = 1e-3
"""A run stopped at an optimal point if its distance there is at most this times that of the start."""

STATIONARY = REACHED
"""A point is stationary if its shortest convex combination of gradients is at most this times the longest."""

STOPS = ("optimal", "only stationary", "neither", "lost")
"""Where a run may have stopped."""

COUNTS = tuple(name.replace(" ", "_") for name in STOPS)
SUMMARY = (
    "reached", "steps", "final", "final_worst", "stationarity", "drift", "worst_margin", "conflicts", "weights",
)  # fmt: skip

NEEDED = (
    "stationarity_relative",
    "stationarity_of_start",
    "drift",
    "steps_to_reach",
    "worst_margin",
    "weights",
)
"""Indicators that a table of runs may lack: only some runs have them."""


def stop_of(
    runs: pd.DataFrame, optimal: float = OPTIMAL, stationary: float = STATIONARY
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
        for name in ("final", "start", "stationarity_relative", "stationarity_of_start")
    )
    lost = runs["state"].to_numpy() != "finished"
    still = np.fmin(there, before) <= stationary
    return np.select([lost, final <= optimal * start, still], [STOPS[3], STOPS[0], STOPS[1]], STOPS[2])


def judge(runs: pd.DataFrame, shapes: Mapping[str, tuple[int, int]]) -> pd.DataFrame:
    """Return where the runs of each aggregator on each analytic problem stopped, and how they got there.

    Args:
        runs: Selected or reference runs.
        shapes: Of `jdbench.analysis.run_table.shapes`. Problems that are not there and of which no run has
            a stationarity are left out: they are trainings.

    Returns:
        Columns ``problem aggregator runs``; ``optimal only_stationary neither lost``, counts by `stop_of`;
        ``reached``, the number of runs that came within `REACHED` of their distance at the start, and
        ``steps``, the median step at which they did (infinite if half did not); ``final`` and ``final_worst``,
        the median and the largest distance at the end as a share of that at the start; ``stationarity``, the
        median over the runs that finished of the shortest convex combination of the gradients there over the
        longest gradient; ``drift``, the median over the same of the share of the path that was made in the last
        tenth of the steps; ``worst_margin``, ``conflicts``, the number of runs in which it lies below minus its
        rounding error; and ``weights``, the largest Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖, NaN where runs did not keep it.
    """
    runs = runs.assign(**{name: math.nan for name in NEEDED if name not in runs})
    measured = runs["stationarity_relative"].notna().groupby(runs["problem"]).transform("any")
    judged = pd.DataFrame(runs[measured | runs["problem"].isin(list(shapes))])
    judged["stop"] = stop_of(judged)
    rows: list[dict[str, object]] = []
    for problem, aggregator in sorted(set(zip(judged["problem"], judged["aggregator"], strict=True))):
        mine = pd.DataFrame(judged[(judged["problem"] == problem) & (judged["aggregator"] == aggregator)])
        found = cast("list[dict[str, Any]]", mine.to_dict("records"))
        rows.append({"problem": problem, "aggregator": aggregator, **_summary(found, shapes.get(problem))})
    return pd.DataFrame(rows, columns=["problem", "aggregator", "runs", *COUNTS, *SUMMARY])


def _summary(runs: Sequence[Mapping[str, Any]], shape: tuple[int, int] | None) -> dict[str, object]:
    steps = [_infinite(run["steps_to_reach"]) for run in runs]
    shares = [_infinite(run["final"] / run["start"] if run["start"] > 0 else run["final"]) for run in runs]
    stops = [run["stop"] for run in runs]
    margins = [run["worst_margin"] for run in runs if not math.isnan(run["worst_margin"])]
    # Aggregators that have no weights leave none; runs that failed leave NaN.
    weights = [run["weights"] for run in runs if run["weights"] > 0]
    tolerances = [margin_tolerance(shape, run["weights"] if run["weights"] > 1 else 1.0) for run in runs]
    conflicts = [run["worst_margin"] < -tolerance for run, tolerance in zip(runs, tolerances, strict=True)]
    ended = [run for run in runs if run["state"] == "finished"]
    return {
        "runs": len(runs),
        **{column: stops.count(name) for name, column in zip(STOPS, COUNTS, strict=True)},
        "reached": sum(math.isfinite(step) for step in steps),
        "steps": float(np.median(steps)),
        "final": float(np.median(shares)),
        "final_worst": max(shares),
        "stationarity": float(np.median([run["stationarity_relative"] for run in ended] or [math.nan])),
        "drift": float(np.median([run["drift"] for run in ended] or [math.nan])),
        "worst_margin": min(margins, default=math.nan),
        "conflicts": sum(conflicts),
        "weights": max(weights, default=math.nan),
    }


def _infinite(value: float) -> float:
    """Return the value; infinity for NaN, which is what a failed run leaves."""
    return math.inf if math.isnan(value) else value
