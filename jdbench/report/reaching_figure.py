"""How the reference runs approach the front: median distance over the starts, between smallest and largest."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jdbench.indicators import REACHED
from jdbench.report.bands import median_band
from jdbench.report.curves_figure import CEILING, FLOOR, logarithmic_steps
from jdbench.report.drawing import Drawing, render
from jdbench.report.palette import Style
from jdbench.report.panels import panels_size, small_multiples
from jdbench.report.results import Results, Subject

WHAT = "distance / distance at the start"


def reaching_figure(results: Results, subject: Subject, looks: Mapping[str, Style]) -> list[Drawing]:
    """Return the distance of the reference runs against the step, a panel for each aggregator.

    Args:
        results: What was read.
        subject: An analytic problem.
        looks: Styles of all aggregators.

    Returns:
        One drawing, or none where no run finished.
    """
    runs = results.finished(subject, reference=True)
    bands = {
        name: found
        for name in looks
        if (found := median_band(runs.get(name, []), "steps", "distance")) is not None
    }
    if not bands:
        return []

    last = max(float(curve.steps[-1]) for curve in bands.values())

    def paint(figure: Figure) -> None:
        panels = small_multiples(figure, [looks[name] for name in bands], "step", WHAT)
        for axes, (name, curve) in zip(panels, bands.items(), strict=True):
            axes.set_yscale("log")
            logarithmic_steps(axes, last)
            low, middle, high = (np.maximum(v, FLOOR) for v in (curve.low, curve.middle, curve.high))
            axes.fill_between(curve.steps, low, high, color=looks[name].colour, alpha=0.2, linewidth=0)
            axes.plot(curve.steps, middle, color=looks[name].colour, linewidth=1.3)
            axes.axhline(REACHED, color="#888888", linewidth=0.6, linestyle=":")
            axes.set_ylim(FLOOR, CEILING)
            axes.minorticks_off()
            axes.grid()
            axes.set_axisbelow(True)

    return [
        render(
            f"reaching-{subject.slug}",
            f"Distance to the front of {subject.spec} against the step, median and range over the starts.",
            panels_size(len(bands)),
            paint,
        )
    ]
