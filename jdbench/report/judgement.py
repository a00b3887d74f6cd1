"""How the reference runs of an analytic problem ended: on the front, short of it, or elsewhere for good."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd

from jdbench.indicators import REACHED
from jdbench.report.results import Results, Row, Subject
from jdbench.report.rounding import margin_tolerance

ON_FRONT = "on the Pareto front"
LEFT = "came there, left again"
STATIONARY = "weakly stationary, not optimal"
NOT_YET = "not there yet"
LOST = "diverged or failed"

ENDS = (ON_FRONT, LEFT, STATIONARY, NOT_YET, LOST)
"""Where a run may have ended, from best to worst."""


def judge(results: Results, subject: Subject) -> pd.DataFrame:
    """Return one row an aggregator: what its runs at Theorem 1's rate came to on one problem.

    Args:
        results: What was read.
        subject: An analytic problem with reference runs.

    Returns:
        Columns ``aggregator starts reached steps final final_worst ended worst_margin conflicts weights``:
        the number of runs and of those that came within `jdbench.indicators.REACHED` of their initial distance,
        the median step at which they did (infinite if half did not), the median and the largest final
        distance as a share of the initial one, counts of how they ended, the smallest margin of
        non-conflict, the number of runs in which it lies below minus its rounding error, and the
        largest Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖, NaN where runs did not keep it.
    """
    runs: dict[str, list[Row]] = {}
    for row in results.on(subject, reference=True):
        runs.setdefault(row["aggregator"], []).append(row)
    shape = shape_of(results, subject)
    return pd.DataFrame([
        {"aggregator": name, "starts": len(mine), **_indicators(mine, subject, shape)}
        for name, mine in sorted(runs.items())
    ])


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
    for row in results.on(subject, reference=True):
        curves = results.curves.get(row["key"], {})
        if "x" in curves and "f" in curves:
            return curves["f"].shape[1], curves["x"].shape[1]
    return None


def _indicators(runs: Sequence[Row], subject: Subject, shape: tuple[int, int] | None) -> Row:
    steps = [_infinite(run["steps_to_reach"]) for run in runs]
    shares = [_infinite(run["final"] / run["start"] if run["start"] > 0 else run["final"]) for run in runs]
    ends = Counter(_end(run, subject) for run in runs)
    margins = [run["worst_margin"] for run in runs if not math.isnan(run["worst_margin"])]
    # Aggregators that have no weights, and random ones, leave zeros; runs that failed leave NaN.
    weights = [run["weights"] for run in runs if run["weights"] > 0]
    tolerances = [margin_tolerance(shape, run["weights"] if run["weights"] > 1 else 1.0) for run in runs]
    conflicts = [run["worst_margin"] < -tolerance for run, tolerance in zip(runs, tolerances, strict=True)]
    return {
        "reached": sum(math.isfinite(step) for step in steps),
        "steps": float(np.median(steps)),
        "final": float(np.median(shares)),
        "final_worst": max(shares),
        "ended": " · ".join(f"{ends[end]} {end}" for end in ENDS if end in ends),
        "worst_margin": min(margins, default=math.nan),
        "conflicts": sum(conflicts),
        "weights": max(weights, default=math.nan),
    }


def _infinite(value: float) -> float:
    """Return the value; infinity for NaN, which is what a failed run leaves."""
    return math.inf if math.isnan(value) else value


def _end(run: Row, subject: Subject) -> str:
    if run["state"] != "finished":
        return LOST
    if run["final"] <= REACHED * run["start"]:
        return ON_FRONT
    if math.isfinite(run["steps_to_reach"]):
        return LEFT
    still = run["stationarity"] <= REACHED * _largest_gradient(subject, run["seed"])
    return STATIONARY if still else NOT_YET


def _largest_gradient(subject: Subject, seed: int) -> float:
    """Return max_i ‖gᵢ‖ at a start, the scale of stationarity; 0 where the problem cannot be had."""
    if subject.analytic is None:
        return 0.0
    return float(subject.analytic.jacobian(subject.analytic.start(seed)).norm(dim=-1).max())
