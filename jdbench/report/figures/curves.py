"""The curves of a problem as figures: mean over seeds with its standard error ([JD] D.2), or median."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.curves import Band, Bands
from jdbench.analysis.frames import numbers, parts
from jdbench.analysis.problems import ProblemEntry
from jdbench.report.figures.drawing import Picture
from jdbench.report.figures.lines import View, lines_figure
from jdbench.report.figures.palette import Style

FLOOR = 1e-17
"""Smallest share of the initial distance on a logarithmic axis: less is rounding of the initial one, or 0."""

CEILING = 10.0
"""Largest share shown there."""

SMALLEST = 1e-3
"""Smallest norm of weights on a logarithmic axis; where an aggregation is 0, so are they."""

HUGE = 1e6
"""Norms beyond so many times the median of the lines' highest points are cut off: some are 1e100."""

WEIGHTS = "norm of the weights"


def bands_of(frame: pd.DataFrame) -> dict[str, dict[str, Band]]:
    """Return the curves of a problem by name and aggregator.

    Args:
        frame: Its rows of the table ``curves``.
    """
    return {
        curve: {aggregator: _band(line) for aggregator, line in parts(own, schema.AGGREGATOR, sort=False)}
        for curve, own in parts(frame, schema.CURVE, sort=False)
    }


def _band(line: pd.DataFrame) -> Band:
    return Band(*(numbers(line, name) for name in (schema.STEP, schema.MIDDLE, schema.LOWER, schema.UPPER)))


def curve_figures(
    entry: ProblemEntry, curves: Mapping[str, Bands], looks: Mapping[str, Style]
) -> dict[str, Picture]:
    """Return the figures of the curves of a problem.

    Args:
        entry: The problem.
        curves: Of `bands_of`.
        looks: Styles of all aggregators.

    Returns:
        Pictures by the name of the curves.
    """
    drawings: dict[str, Picture] = {}
    for name, bands in curves.items():
        for drawing in lines_figure(_view(name, bands), entry, bands, looks):
            drawings[name] = drawing
    return drawings


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
