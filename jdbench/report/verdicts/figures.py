"""Violation curves as figures: how far below zero the worst margin lies, a panel for each definition."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jdbench.report.figures.drawing import Picture, plain, render
from jdbench.report.figures.palette import Style, styles
from jdbench.verification.axes import AXES
from jdbench.verification.curves import Point
from jdbench.verification.properties import TABLE_1
from jdbench.verification.standings import claimants, family

FLOORS = {"float64": 1e-19, "float32": 1e-11}
"""Where what does not violate is drawn, below what rounding leaves."""

CEILING = 30.0


class Role(NamedTuple):
    """How the aggregators of one origin are drawn.

    Attributes:
        label: Whose they are.
        colour: ``#rrggbb``.
        dash: As matplotlib takes it.
        marker: As well.
    """

    label: str
    colour: str
    dash: str | tuple[float, tuple[float, ...]]
    marker: str


ROLES = (
    Role("ours, the definition", "#1f5fd0", "solid", "o"),
    Role("ours, trace-regularised", "#f08c00", (0, (4, 1.5)), "s"),
)

OTHERS = (
    Role("", "#d1121f", (0, (1.2, 1.2)), "^"),
    Role("", "#2e8b37", (0, (6, 1.5, 1, 1.5)), "D"),
    Role("", "#8e44c9", "solid", "v"),
)
"""One for each module that others' aggregators come from."""

GREY = "#dcdcdc"

INITIALS = {prop: "".join(word[0] for word in prop.split("-")) for prop in TABLE_1}
"""Names of files, and of all the ids in them, are short."""

LINE = 0.15
"""Height of a line of the legend in inches."""

COLUMNS = 5

SIDE = 1.7
"""Width and height of a panel in inches, as all lengths here."""

GAP = (0.16, 0.34)
"""Between panels: beside each other, and below each other where the titles are."""

LEFT, RIGHT, BOTTOM, TOP = 0.6, 0.14, 0.5, 0.28
"""Around the panels."""


def violation_figure(curves: Sequence[Point], prop: str, axis: str, dtype: str) -> Picture | None:
    """Return the figure of one property along one axis.

    Args:
        curves: The points of all curves.
        prop: Name of a property of Table 1.
        axis: A key of `AXES`.
        dtype: ``float64`` or ``float32``.

    Returns:
        A panel for each definition that has the property, with all aggregators of its name; None if there is
        nothing to draw.
    """
    points = [p for p in curves if (p.prop, p.axis, p.dtype) == (prop, axis, dtype)]
    specs = list(dict.fromkeys(p.aggregator for p in points))
    names = claimants(prop, specs)
    if not names:
        return None
    floor = FLOORS[dtype]
    looks = styles(names)
    steps = sorted({p.x for p in points})
    # Steps of a training are far apart: they are evenly spaced.
    places = {x: (i if axis in ("batch", "subset") else x) for i, x in enumerate(steps)}
    roles = {spec: _role(spec, specs) for spec in specs if family(spec) in names}
    drawn = list(dict.fromkeys(roles.values()))
    columns = len(drawn) if len(names) > 2 else 1
    head = LINE * (1.5 + (len(drawn) - 1) // columns)

    def paint(figure: Figure) -> None:
        panels = panel_axes(figure, [looks[name] for name in names], AXES[axis].what, "−margin", head=head)
        for panel, name in zip(panels, names, strict=True):
            of_name = [p for p in points if family(p.aggregator) == name]
            _band(panel, of_name, places, floor)
            for spec in dict.fromkeys(p.aggregator for p in of_name):
                _line(panel, [p for p in of_name if p.aggregator == spec], places, floor, roles[spec])
            panel.set_yscale("log")
            panel.set_ylim(floor / 3, CEILING)
            panel.minorticks_off()
            panel.grid(axis="y")
            panel.set_axisbelow(True)
            if axis in ("batch", "subset"):
                panel.set_xticks(list(places.values()), [f"{x:g}" for x in places])
            panel.set_xlim(min(places.values()) - 0.4, max(places.values()) + 0.4)
        handles = [
            panels[0].plot([], [], color=r.colour, linestyle=r.dash, marker=r.marker, markersize=3.2)[0]
            for r in drawn
        ]
        labels = [plain(r.label) for r in drawn]
        figure.legend(
            handles, labels, loc="upper left", ncols=columns, frameon=False, fontsize=7, borderaxespad=0.1
        )

    return render(
        f"{axis}-{INITIALS[prop]}-{dtype.removeprefix('float')}",
        f"Minus the worst margin of {prop} against {AXES[axis].what}, {dtype}; a panel for each definition.",
        panels_size(len(names), head=head),
        paint,
    )


def _role(spec: str, specs: Sequence[str]) -> Role:
    module, colon, _ = spec.partition("(")[0].partition(":")
    if not colon:
        return ROLES["(" in spec]
    modules = sorted({one.partition(":")[0] for one in specs if ":" in one.partition("(")[0]})
    owner = "TorchJD" if module.startswith("torchjd") else module
    return OTHERS[modules.index(module) % len(OTHERS)]._replace(label=f"{owner}'s of the name")


def _band(panel: Axes, points: Sequence[Point], places: Mapping[float, float], floor: float) -> None:
    steps = sorted({p.x for p in points})
    tops = [max([floor, *(p.tolerance for p in points if p.x == x)]) for x in steps]
    panel.fill_between([places[x] for x in steps], floor / 3, tops, color=GREY, linewidth=0)


def _line(
    panel: Axes, points: Sequence[Point], places: Mapping[float, float], floor: float, role: Role
) -> None:
    x = np.array([places[p.x] for p in points])
    # A call that ended in no direction is drawn at the top.
    y = np.clip([CEILING / 2 if math.isnan(p.margin) else -p.margin for p in points], floor, CEILING / 2)
    violated = np.array([p.violated for p in points])
    panel.plot(x, y, color=role.colour, linestyle=role.dash, linewidth=1.1)
    panel.plot(x[violated], y[violated], role.marker, color=role.colour, markersize=3.2, linestyle="none")
    panel.plot(x[~violated], y[~violated], role.marker, color=role.colour, mfc="white", markersize=3.2, mew=0.7)


def panels_size(count: int, head: float = 0.0) -> tuple[float, float]:
    """Return the size of a figure of panels.

    Args:
        count: Number of panels, at least 1.
        head: Room above them, in inches.

    Returns:
        Width and height in inches.
    """
    columns, rows = _shape(count)
    width = LEFT + columns * SIDE + (columns - 1) * GAP[0] + RIGHT
    return width, BOTTOM + rows * SIDE + (rows - 1) * GAP[1] + TOP + head


def panel_axes(figure: Figure, looks: Sequence[Style], x: str, y: str, head: float = 0.0) -> list[Axes]:
    """Return the panels of a figure, titled by aggregator, with tick labels at the edges only.

    Args:
        figure: An empty figure of `panels_size`.
        looks: One style a panel.
        x: What all abscissae are.
        y: What all ordinates are.
        head: Room to leave above the panels, in inches.

    Returns:
        One axes a style.
    """
    columns, rows = _shape(len(looks))
    width, height = panels_size(len(looks), head)
    figure.set_layout_engine("none")
    left, right, bottom, top = (
        LEFT / width,
        1 - RIGHT / width,
        BOTTOM / height,
        1 - (TOP + head) / height,
    )
    grid = figure.subplots(
        rows,
        columns,
        squeeze=False,
        sharex=True,
        sharey=True,
        gridspec_kw={
            "left": left,
            "right": right,
            "bottom": bottom,
            "top": top,
            "wspace": GAP[0] / SIDE,
            "hspace": GAP[1] / SIDE,
        },
    )
    panels: list[Axes] = list(grid.flat)
    for axes in panels[len(looks) :]:
        axes.remove()
    for i, (axes, look) in enumerate(zip(panels, looks, strict=False)):
        axes.set_title(plain(look.label), color=look.colour, fontsize=8, pad=3)
        # Where the last row is short, the panels above the gap carry the labels.
        axes.tick_params(labelbottom=i + columns >= len(looks), length=2)
    figure.text((left + right) / 2, 0.1 / height, x, horizontalalignment="center")
    figure.text(0.05 / width, (bottom + top) / 2, y, verticalalignment="center", rotation="vertical")
    return panels[: len(looks)]


def _shape(count: int) -> tuple[int, int]:
    columns = min(count, COLUMNS)
    return columns, -(-count // columns)
