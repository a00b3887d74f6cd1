"""Convergence curves of the selected runs: mean over seeds, with the standard error as a band ([JD] D.2)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jdbench.report.bands import Band, mean_band
from jdbench.report.drawing import Drawing, plain, render
from jdbench.report.palette import Style
from jdbench.report.results import Results, Subject

FLOOR = 1e-17
"""Smallest share of the initial distance on a logarithmic axis: less is rounding of the initial one, or 0."""

CEILING = 10.0
"""Largest share shown there."""

SMOOTHED = 5
"""Number of steps over which cosines are averaged, as the paper smooths its curves."""

SIZE = (8.6, 4.3)
"""Inches."""


class View(NamedTuple):
    """What a figure of curves shows and how.

    Attributes:
        name: Stem of its name.
        what: What is on the ordinate.
        logarithmic: Whether both axes are; steps are then linear from 0 to 1.
        floor: Smallest ordinate drawn; lesser ones are drawn there.
        ceiling: Largest ordinate drawn.
    """

    name: str
    what: str
    logarithmic: bool
    floor: float
    ceiling: float


def curve_figures(results: Results, subject: Subject, looks: Mapping[str, Style]) -> list[Drawing]:
    """Return the convergence curves of a problem.

    Args:
        results: What was read.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        One drawing for an analytic problem, the loss and the cosine similarity for a training; those for
        which no run finished are left out.
    """
    found = results.finished(subject, reference=False)
    chosen = {name: found[name] for name in looks if name in found}
    if subject.kind == "analytic":
        distances = {name: mean_band(runs, "steps", "distance", relative=True) for name, runs in chosen.items()}
        view = View("curves", "distance to the front / distance at the start", True, FLOOR, CEILING)
        return _figure(view, subject, distances, looks)
    losses = {name: mean_band(runs, "steps", "loss") for name, runs in chosen.items()}
    cosines = {
        name: mean_band(runs, "cosine_steps", "cosine", window=SMOOTHED) for name, runs in chosen.items()
    }
    # A curve that shoots up is cut off, so that the others are not pressed flat.
    top = 1.15 * max((float(curve.middle[0]) for curve in losses.values() if curve), default=1.0)
    loss = View("curves", "average loss over the training set", False, 0.0, top)
    cosine = View("cosine", "cosine similarity to the mean gradient", False, -1.0, 1.03)
    return [*_figure(loss, subject, losses, looks), *_figure(cosine, subject, cosines, looks)]


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


def _figure(
    view: View, subject: Subject, bands: Mapping[str, Band | None], looks: Mapping[str, Style]
) -> list[Drawing]:
    drawn = {name: curve for name, curve in bands.items() if curve is not None}
    if not drawn:
        return []

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        last = max(float(curve.steps[-1]) for curve in drawn.values())
        axes.set_xlim(0, last or 1)
        if view.logarithmic:
            axes.set_yscale("log")
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
        _label_ends(axes, [(looks[name], float(max(c.middle[-1], view.floor))) for name, c in drawn.items()])

    description = f"{view.what.capitalize()} on {subject.spec}, mean over seeds, one line an aggregator."
    return [render(f"{view.name}-{subject.slug}", description, SIZE, paint)]


def _label_ends(axes: Axes, ends: Sequence[tuple[Style, float]]) -> None:
    """Write the name of each line to the right of it, names spread so that none covers another."""
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
