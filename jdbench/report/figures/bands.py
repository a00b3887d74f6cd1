"""Curves over seeds: their mean with its standard error ([JD] D.2), or their median with their range."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from jdbench.analysis.results import Curves
from jdbench.runs.record import Array


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
