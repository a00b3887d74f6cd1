"""Curves over seeds: their mean with its standard error ([JD] D.2), or their median with their range."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Curves, Results
from jdbench.runs.record import Array

SMOOTHED = 5
"""Number of steps over which cosines and sizes are averaged, as the paper smooths its curves."""


@dataclass(frozen=True)
class Band:
    """A curve between two others.

    Attributes:
        steps: Abscissae that all seeds share, shape ``[k]``, k ≥ 1.
        middle: Shape ``[k]``, finite.
        low: Shape ``[k]``.
        high: Shape ``[k]``.
    """

    steps: Array
    middle: Array
    low: Array
    high: Array


Bands = Mapping[str, Band | None]
"""Curves by aggregator, None for those without one."""


def mean_band(
    runs: Sequence[Curves], steps: str, values: str, *, relative: bool = False, window: int = 1
) -> Band | None:
    """Return the mean over runs, plus and minus its standard error √(Σ(vᵢ - v̄)² / (k - 1)) / √k.

    Args:
        runs: Curves of finished runs.
        steps: Name of the abscissae.
        values: Name of the ordinates.
        relative: Whether each run's values are divided by its first.
        window: Odd number of neighbouring values that are averaged.

    Returns:
        The band, without width for a single run; None where there is nothing to draw.
    """
    found = _aligned(runs, steps, values, relative)
    if found is None:
        return None
    shared, table = found
    table = np.stack([_smooth(row, window) for row in table])
    mean = table.mean(0)
    error = table.std(0, ddof=1) / np.sqrt(len(table)) if len(table) > 1 else np.zeros_like(mean)
    return Band(shared, mean, mean - error, mean + error)


def median_band(runs: Sequence[Curves], steps: str, values: str, *, relative: bool = True) -> Band | None:
    """Return the median over runs between the smallest and the largest.

    Args:
        runs: Curves of finished runs.
        steps: Name of the abscissae.
        values: Name of the ordinates.
        relative: Whether each run's values are divided by its first.

    Returns:
        The band; None where there is nothing to draw.
    """
    found = _aligned(runs, steps, values, relative)
    if found is None:
        return None
    shared, table = found
    return Band(shared, np.median(table, axis=0), table.min(0), table.max(0))


def curves_of(results: Results, entry: ProblemEntry) -> dict[str, Bands]:
    """Return the curves of a problem.

    Args:
        results: What was read.
        entry: The problem.

    Returns:
        By name and aggregator: ``distance`` of the selected runs and ``reference distance`` of those at
        Theorem 1's rate, shares of that at the start; ``reference decades``, log₁₀ of the longest over the
        shortest gradient, and ``reference weights``, ‖w‖, of the latter; of trainings ``loss``, ``cosine`` to
        the mean gradient, ``decades`` and ``weights``, ‖w‖. Those without a run are left out.
    """
    selected, reference = (results.finished(entry, reference=which) for which in (False, True))
    if entry.kind == "analytic":
        found = {
            "distance": _each(selected, lambda runs: mean_band(runs, "steps", "distance", relative=True)),
            "reference distance": _each(reference, lambda runs: median_band(runs, "steps", "distance")),
            "reference decades": _each(reference, lambda runs: mean_band(runs, "steps", "decades")),
            "reference weights": _each(
                reference, lambda runs: median_band(runs, "steps", "weights", relative=False)
            ),
        }
    else:
        found = {
            "loss": _each(selected, lambda runs: mean_band(runs, "steps", "loss")),
            "cosine": _each(selected, lambda runs: mean_band(runs, "cosine_steps", "cosine", window=SMOOTHED)),
            "decades": _each(selected, lambda runs: _by_step(runs, "decades")),
            "weights": _each(selected, lambda runs: _by_step(runs, "weights")),
        }
    return {name: bands for name, bands in found.items() if any(bands.values())}


def curves(results: Results) -> pd.DataFrame:
    """Return `curves_of` of all problems, a row a step."""
    parts = [
        pd.DataFrame({
            schema.PROBLEM: entry.spec,
            schema.CURVE: name,
            schema.AGGREGATOR: aggregator,
            schema.STEP: band.steps.astype(np.int64),
            schema.MIDDLE: band.middle,
            schema.LOWER: band.low,
            schema.UPPER: band.high,
        })
        for entry in results.problems
        for name, bands in curves_of(results, entry).items()
        for aggregator, band in bands.items()
        if band is not None
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*CURVES.columns])


def _each(
    runs: Mapping[str, Sequence[Curves]], band: Callable[[Sequence[Curves]], Band | None]
) -> dict[str, Band | None]:
    return {name: band(mine) for name, mine in runs.items()}


def _by_step(runs: Sequence[Curves], values: str) -> Band | None:
    """Return the mean of a curve that has a value in every step."""
    numbered: list[Curves] = [
        {"step": np.arange(len(run[values]), dtype=np.float64), values: run[values]}
        for run in runs
        if values in run
    ]
    return mean_band(numbered, "step", values, window=SMOOTHED)


def _aligned(runs: Sequence[Curves], steps: str, values: str, relative: bool) -> tuple[Array, Array] | None:
    """Return the abscissae at which all runs are finite, and one row a run."""
    series: list[tuple[Array, Array]] = []
    for run in runs:
        x, y = run.get(steps, np.empty(0)), run.get(values, np.empty(0))
        # A run that starts on the front has no distance to be compared with.
        if len(x) and len(y) and not (relative and not y[0] > 0):
            series.append((x, y / y[0] if relative else y))
    if not series:
        return None
    shared = reduce(np.intersect1d, (x for x, _ in series))
    table = np.stack([y[np.isin(x, shared)] for x, y in series])
    finite = np.isfinite(table).all(0)
    return (shared[finite], table[:, finite]) if finite.any() else None


def _smooth(values: Array, window: int) -> Array:
    """Return centred means; at the ends the window shrinks."""
    ones = np.ones(min(window, len(values)))
    return np.convolve(values, ones, "same") / np.convolve(np.ones_like(values), ones, "same")


CURVES = Table(
    "curves",
    "The lines of the figures",
    (
        schema.PROBLEM, schema.CURVE, schema.AGGREGATOR, schema.STEP, schema.MIDDLE, schema.LOWER, schema.UPPER,
    ),
    curves,
    needs=("selected", "references"),
    listed=False,
    six_digits=(schema.MIDDLE, schema.LOWER, schema.UPPER),
)  # fmt: skip
