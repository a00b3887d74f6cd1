"""Curves of aggregators on one pair of axes, each with its band and its name at its end."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jdbench.analysis.curves import Band
from jdbench.analysis.problems import ProblemEntry
from jdbench.report.figures.drawing import Picture, plain, render
from jdbench.report.figures.palette import Style

SIZE = (8.6, 4.0)
"""Inches."""

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

PLACE = (0.075, 0.115, 0.72, 0.87)
"""Of the axes in the figure, as shares of its size; the names of the lines stand to their right."""


class View(NamedTuple):
    """What a figure of curves shows and how.

    Attributes:
        name: Stem of its name.
        what: What is on the ordinate.
        logarithmic: Whether both axes are; steps are then linear from 0 to 1.
        floor: Smallest ordinate drawn; lesser ones are drawn there.
        ceiling: Largest ordinate drawn.
        middle: What the line is, over seeds.
    """

    name: str
    what: str
    logarithmic: bool
    floor: float
    ceiling: float
    middle: str = "mean"


def logarithmic_steps(axes: Axes, last: float) -> None:
    """Make the axis of steps logarithmic from step 1, with step 0 at its left end.

    Args:
        axes: Where.
        last: The step at its right end.
    """
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.set_xlim(0, last or 1)
    ticks = [10**k for k in range(8) if 10**k <= max(last, 1)]
    axes.set_xticks(ticks, [str(tick) for tick in ticks])


def lines_figure(
    view: View, entry: ProblemEntry, bands: Mapping[str, Band | None], looks: Mapping[str, Style]
) -> list[Picture]:
    """Return a figure of curves.

    Args:
        view: What it shows and how.
        entry: The problem.
        bands: Curves by aggregator; None for those without one.
        looks: Styles of all aggregators.

    Returns:
        One drawing, or none where there is no curve.
    """
    drawn = {name: curve for name, curve in bands.items() if curve is not None}
    if not drawn:
        return []

    def paint(figure: Figure) -> None:
        # A fixed place: looking for the best one takes as long as the drawing.
        figure.set_layout_engine("none")
        axes = figure.add_axes(PLACE)
        last = max(float(curve.steps[-1]) for curve in drawn.values())
        axes.set_xlim(0, last or 1)
        if view.logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(_power)
            logarithmic_steps(axes, last)
        for name, curve in drawn.items():
            look = looks[name]
            low, middle, high = (np.maximum(v, view.floor) for v in (curve.low, curve.middle, curve.high))
            axes.fill_between(
                curve.steps, low, high, color=look.colour, alpha=0.13, linewidth=0, gid=look.gid("band")
            )
            axes.plot(
                curve.steps, middle, color=look.colour, linestyle=look.dash, linewidth=1.5, gid=look.gid()
            )
        values = np.concatenate([curve.middle for curve in drawn.values()])
        lowest = float(values.min())
        bottom = lowest / 3 if view.logarithmic else min(0.0, lowest - 0.05)
        axes.set_ylim(max(view.floor, bottom), view.ceiling)
        axes.set_xlabel("step")
        axes.set_ylabel(view.what)
        axes.grid()
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        label_ends(axes, [(looks[name], float(max(c.middle[-1], view.floor))) for name, c in drawn.items()])

    description = f"{view.what.capitalize()} on {entry.spec}, {view.middle} over seeds, one line an aggregator."
    return [render(f"{view.name}-{entry.slug}", description, SIZE, paint)]


def label_ends(axes: Axes, ends: Sequence[tuple[Style, float]]) -> None:
    """Write the name of each line to the right of it, names spread so that none covers another.

    Args:
        axes: Where, its limits set.
        ends: Style and last ordinate of each line.
    """
    fraction = axes.transScale + axes.transLimits
    right = axes.get_xlim()[1]
    heights = [min(1.0, max(0.0, float(fraction.transform((right, y))[1]))) for _, y in ends]
    gap = min(0.042, 1 / len(ends))
    order = sorted(range(len(ends)), key=heights.__getitem__)
    placed: list[float] = []
    for i in order:
        placed.append(max(heights[i], placed[-1] + gap) if placed else heights[i])
    limit = 1.0
    for k in reversed(range(len(placed))):
        placed[k] = min(placed[k], limit)
        limit = placed[k] - gap
    for i, height in zip(order, placed, strict=True):
        look = ends[i][0]
        axes.plot(
            [1, 1.02, 1.035],
            [heights[i], height, height],
            transform=axes.transAxes,
            clip_on=False,
            color=look.colour,
            linestyle=look.dash,
            linewidth=0.9,
            gid=look.gid(),
        )
        axes.text(
            1.042,
            height,
            plain(look.label),
            transform=axes.transAxes,
            verticalalignment="center",
            color=look.colour,
            fontsize=min(8.0, 190 * gap),
            gid=look.gid("name"),
        )


def _power(value: float, _: object) -> str:
    """Return a power of ten as text, which matplotlib sets in no time, unlike mathematics."""
    return "10" + str(round(math.log10(value))).translate(SUPERSCRIPTS)
