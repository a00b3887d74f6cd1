"""How the runs on an analytic problem ended: at an optimal point, an only stationary one, or neither."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from jdbench.report.results import Results, Row, rows_of, where
from jdbench.report.rounding import margin_tolerance
from jdbench.report.subjects import Subject
from jdbench.stopping import COUNTS, STOPS, stop_of

NEEDED = (
    "stationarity_relative",
    "stationarity_of_start",
    "drift",
    "steps_to_reach",
    "worst_margin",
    "weights",
)
"""Indicators that a store may lack: only some runs have them."""


def judge(results: Results, *, reference: bool) -> pd.DataFrame:
    """Return where the runs of each aggregator on each analytic problem stopped, and how they got there.

    Args:
        results: What was read.
        reference: Whether the runs at Theorem 1's rate are judged, or the selected ones.

    Returns:
        Columns ``problem aggregator runs``; ``optimal only_stationary neither lost``, counts by
        `jdbench.stopping.stop_of`; ``reached``, the number of runs that came within `REACHED` of their distance
        at the start, and ``steps``, the median step at which they did (infinite if half did not);
        ``final`` and ``final_worst``, the median and the largest distance at the end as a share of that at
        the start; ``stationarity``, the median of the shortest convex combination of the gradients there over
        the longest gradient; ``drift``, the median share of the path that was made in the last tenth of the
        steps; ``worst_margin``, ``conflicts``, the number of runs in which it lies below minus its rounding
        error; and ``weights``, the largest Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖, NaN where runs did not keep it.
    """
    table = results.tables["references" if reference else "selected"]
    table = table.assign(**{name: math.nan for name in NEEDED if name not in table})
    rows: list[dict[str, object]] = []
    for subject in results.subjects:
        mine = where(table, problem=subject.spec)
        if subject.kind == "analytic" and len(mine):
            shape = shape_of(results, subject)
            judged = mine.assign(stop=stop_of(mine))
            for name, runs in judged.groupby("aggregator"):
                rows.append({"problem": subject.spec, "aggregator": name, **_indicators(rows_of(runs), shape)})
    names = ["problem", "aggregator", "runs", *COUNTS, "reached", "steps", "final", "final_worst"]
    names += ["stationarity", "drift", "worst_margin", "conflicts", "weights"]
    return pd.DataFrame(rows, columns=names)


def shape_of(results: Results, subject: Subject) -> tuple[int, int] | None:
    """Return m and n of a problem's Jacobian.

    Args:
        results: What was read.
        subject: The problem.

    Returns:
        The shape; None for trainings and for problems that cannot be had and left no paths.
    """
    if subject.analytic is not None:
        return subject.analytic.m, subject.analytic.n
    for name, curves in results.curves.items():
        if name[0] == subject.spec and "x" in curves and "f" in curves:
            return curves["f"].shape[1], curves["x"].shape[1]
    return None


def _indicators(runs: Sequence[Row], shape: tuple[int, int] | None) -> dict[str, object]:
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
