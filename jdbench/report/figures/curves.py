"""The curves of a problem: mean over seeds with its standard error ([JD] D.2), or median with the range."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Curves, Results
from jdbench.report.figures.bands import Band, mean_band, median_band
from jdbench.report.figures.drawing import Drawing
from jdbench.report.figures.lines import View, lines_figure
from jdbench.report.figures.palette import Style
from jdbench.runs.record import Array

FLOOR = 1e-17
"""Smallest share of the initial distance on a logarithmic axis: less is rounding of the initial one, or 0."""

CEILING = 10.0
"""Largest share shown there."""

SMALLEST = 1e-3
"""Smallest norm of weights on a logarithmic axis; where an aggregation is 0, so are they."""

HUGE = 1e6
"""Norms beyond so many times the median of the lines' highest points are cut off: some are 1e100."""

WEIGHTS = "norm of the weights"

SMOOTHED = 5
"""Number of steps over which cosines and sizes are averaged, as the paper smooths its curves."""

DIGITS = 6
"""Of the numbers in the table: records keep no more."""

Bands = Mapping[str, Band | None]


def curves_of(results: Results, subject: Subject) -> dict[str, Bands]:
    """Return the curves of a problem.

    Args:
        results: What was read.
        subject: The problem.

    Returns:
        By name and aggregator: ``distance`` of the selected runs and ``reference distance`` of those at
        Theorem 1's rate, shares of that at the start; ``reference decades``, log₁₀ of the longest over the
        shortest gradient, and ``reference weights``, ‖w‖, of the latter; of trainings ``loss``, ``cosine`` to
        the mean gradient, ``decades`` and ``weights``, ‖w‖. Those without a run are left out.
    """
    selected, reference = (results.finished(subject, reference=which) for which in (False, True))
    if subject.kind == "analytic":
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


def curve_figures(
    subject: Subject, curves: Mapping[str, Bands], looks: Mapping[str, Style]
) -> dict[str, Drawing]:
    """Return the figures of the curves of a problem.

    Args:
        subject: The problem.
        curves: Of `curves_of`.
        looks: Styles of all aggregators.

    Returns:
        Drawings by the name of the curves.
    """
    drawings: dict[str, Drawing] = {}
    for name, bands in curves.items():
        for drawing in lines_figure(_view(name, bands), subject, bands, looks):
            drawings[name] = drawing
    return drawings


def curve_table(subject: Subject, curves: Mapping[str, Bands]) -> pd.DataFrame:
    """Return the numbers behind the figures.

    Args:
        subject: The problem.
        curves: Of `curves_of`.

    Returns:
        Columns ``problem curve aggregator step middle low high``.
    """
    parts = [
        pd.DataFrame({
            "problem": subject.spec,
            "curve": name,
            "aggregator": aggregator,
            "step": band.steps.astype(np.int64),
            **{part: rounded(getattr(band, part)) for part in ("middle", "low", "high")},
        })
        for name, bands in curves.items()
        for aggregator, band in bands.items()
        if band is not None
    ]
    names = ["problem", "curve", "aggregator", "step", "middle", "low", "high"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)


def rounded(values: Array) -> Array:
    """Return numbers to `DIGITS` digits, as the tables behind figures hold them.

    Args:
        values: Any shape.

    Returns:
        The same shape.
    """
    return np.array([float(f"{value:.{DIGITS - 1}e}") for value in values.flat]).reshape(values.shape)


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


def _view(name: str, bands: Bands) -> View:
    middles = [band.middle for band in bands.values() if band is not None]
    highest = max(float(middle.max()) for middle in middles)
    match name:
        case "distance":
            return View("curves", "distance to the front / distance at the start", True, FLOOR, CEILING)
        case "reference distance":
            return View("reaching", "distance / distance at the start", True, FLOOR, CEILING, "median")
        case "loss":
            # A curve that shoots up is cut off, so that the others are not pressed flat.
            top = 1.15 * max(float(middle[0]) for middle in middles)
            return View("curves", "average loss over the training set", False, min(0.0, top), top)
        case "cosine":
            return View("cosine", "cosine similarity to the mean gradient", False, -1.0, 1.03)
        case "reference weights":
            usual = float(np.median([middle.max() for middle in middles]))
            top = 3 * max(min(highest, HUGE * usual), SMALLEST)
            return View("weights", WEIGHTS, True, SMALLEST, top, "median")
        case "weights":
            # A few huge weights would press the others flat: twice the median of the lines' highest points.
            top = 2 * float(np.median([middle.max() for middle in middles]))
            return View("weights", WEIGHTS, False, 0.0, top or 1.0)
        case _:
            what = "decades between the longest and the shortest gradient"
            return View("decades", what, False, 0.0, 1.05 * highest or 1.0)
