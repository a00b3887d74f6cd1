"""Where runs on analytic problems stopped: at an optimal point, an only stationary one, or neither."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.indicators import REACHED

OPTIMAL = 1e-3
"""A run stopped at an optimal point if its distance there is at most this times that of the start."""

STATIONARY = REACHED
"""A point is stationary if its shortest convex combination of gradients is at most this times the longest."""

STOPS = ("optimal", "only stationary", "neither", "lost")
"""Where a run may have stopped."""

COUNTS = tuple(name.replace(" ", "_") for name in STOPS)
MEDIANS = ("final_share", "stationarity_relative", "drift")


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
        runs: Rows of an `jdbench.metrics.indicator_table`.
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


def stops(runs: pd.DataFrame, optimal: float = OPTIMAL, stationary: float = STATIONARY) -> pd.DataFrame:
    """Return how many runs of each aggregator on each analytic problem stopped where.

    Args:
        runs: Selected or reference runs. Problems of which no run has a stationarity, trainings, are left out.
        optimal: See `stop_of`.
        stationary: See `stop_of`.

    Returns:
        Columns ``problem aggregator runs optimal only_stationary neither lost``, counts; and medians over the
        runs that finished, NaN without any: ``final_share``, the distance at the end over that at the start,
        ``stationarity_relative``, and ``drift``, the share of its path that a run made in its last tenth, near
        0 where it came to rest.
    """
    columns = ["problem", "aggregator", "runs", *COUNTS, *MEDIANS]
    if "stationarity_relative" not in runs:
        return pd.DataFrame(columns=columns)
    measured = runs["stationarity_relative"].notna().groupby(runs["problem"]).transform("any")
    judged = pd.DataFrame(runs[measured])
    judged["stop"] = stop_of(judged, optimal, stationary)
    start = judged["start"].to_numpy(dtype=np.float64)
    judged["final_share"] = judged["final"] / np.where(start > 0, start, 1.0)
    names = sorted(set(zip(judged["problem"], judged["aggregator"], strict=True)))
    rows: list[list[object]] = []
    for problem, aggregator in names:
        mine = pd.DataFrame(judged[(judged["problem"] == problem) & (judged["aggregator"] == aggregator)])
        finished = (mine["state"] == "finished").to_numpy()
        ended = mine["stop"].to_numpy()
        counts = [int((ended == name).sum()) for name in STOPS]
        values = mine[list(MEDIANS)].to_numpy(dtype=np.float64)[finished]
        medians = np.median(values, axis=0) if len(values) else np.full(len(MEDIANS), np.nan)
        rows.append([problem, aggregator, len(mine), *counts, *medians.tolist()])
    return pd.DataFrame(rows, columns=columns)
