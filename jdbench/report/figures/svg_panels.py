"""Small multiples written as SVG by hand: a panel an aggregator, all with the same limits and background."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from matplotlib.ticker import MaxNLocator

from jdbench.analysis.points import Box
from jdbench.report.figures.drawing import SVG, Picture
from jdbench.report.figures.palette import Style, printable
from jdbench.runs.record import Array

COLUMNS = 5

SIDE = 122
"""Width and height of a panel in points, as all lengths here."""

GAP = (12, 24)
"""Between panels: beside each other, and below each other where the titles are."""

LEFT, RIGHT, BOTTOM, TOP = 44, 10, 36, 18
"""Around the panels."""

BAR = 54
"""Width of a colour bar with its labels."""


@dataclass(frozen=True)
class Bar:
    """A colour bar.

    Attributes:
        what: What is coloured.
        colours: ``#rrggbb`` from its lower to its upper end.
        ticks: Labels by their height, from 0 to 1.
    """

    what: str
    colours: Sequence[str]
    ticks: Sequence[tuple[float, str]]


@dataclass(frozen=True)
class Frame:
    """The coordinates of a panel: y points down, and 0 is its upper left corner.

    Attributes:
        box: Limits.
    """

    box: Box

    def place(self, points: Array) -> Array:
        """Return points of shape ``[k, 2]`` in the panel's coordinates."""
        (left, right), (bottom, top) = self.box
        return np.stack(
            [(points[:, 0] - left) / (right - left) * SIDE, (top - points[:, 1]) / (top - bottom) * SIDE], -1
        )

    def line(self, points: Array) -> str:
        """Return the path data through points."""
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in self.place(points))

    def dots(self, points: Array) -> str:
        """Return the path data of dots, to be drawn with round caps."""
        return "".join(f"M{x:.1f} {y:.1f}h.01" for x, y in self.place(points))


def svg_small_multiples(
    name: str,
    description: str,
    frame: Frame,
    axes: tuple[str, str],
    shared: str,
    panels: Sequence[tuple[Style, str]],
    bars: Sequence[Bar],
) -> Picture:
    """Return panels, titled by aggregator, with tick labels at the edges only.

    Args:
        name: Letters, digits and hyphens, unique in the page.
        description: What it shows.
        frame: Coordinates of all panels.
        axes: What abscissae and ordinates are.
        shared: SVG that is drawn first in each panel, kept once.
        panels: Style and SVG of each.
        bars: Colour bars, drawn to the right.

    Returns:
        The drawing.
    """
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    wide, high = (n * SIDE + (n - 1) * gap for n, gap in ((columns, GAP[0]), (rows, GAP[1])))
    width, height = LEFT + wide + RIGHT + len(bars) * BAR, TOP + high + BOTTOM
    parts = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {width} {height}" width="{width}pt" height="{height}pt" role="img" '
        f'aria-label="{escape(printable(description))}" font-family="DejaVu Sans, sans-serif" font-size="7" '
        'fill="#444">',
        f'<defs><clipPath id="{name}-clip"><rect width="{SIDE}" height="{SIDE}"/></clipPath>'
        f'<g id="{name}-shared">{shared}</g></defs>',
    ]
    for i, (look, content) in enumerate(panels):
        x = LEFT + i % columns * (SIDE + GAP[0])
        y = TOP + i // columns * (SIDE + GAP[1])
        # Where the last row is short, the panels above the gap carry the labels.
        labels = _ticks(frame, below=i + columns >= len(panels), beside=i % columns == 0)
        parts.append(
            f'<g class="agg agg-{look.slug} band" transform="translate({x} {y})">'
            f'<g clip-path="url(#{name}-clip)"><use href="#{name}-shared"/>{content}</g>'
            f'<rect width="{SIDE}" height="{SIDE}" fill="none" stroke="#666" stroke-width=".6"/>{labels}'
            f'<text x="{SIDE / 2}" y="-4" text-anchor="middle" font-size="8" fill="{look.colour}">'
            f"{escape(look.label)}</text></g>"
        )
    parts.append(
        f'<text x="{LEFT + wide / 2}" y="{height - 6}" text-anchor="middle" font-size="8">{axes[0]}</text>'
    )
    upright = f'transform="translate(9 {TOP + high / 2}) rotate(-90)"'
    parts.append(f'<text {upright} text-anchor="middle" font-size="8">{axes[1]}</text>')
    # No longer than two panels, however many rows there are.
    length = min(high, 2 * SIDE + GAP[1])
    parts += [_bar(bar, f"{name}-bar{k}", LEFT + wide + 12 + k * BAR, length) for k, bar in enumerate(bars)]
    return Picture(name, description, width, "".join([*parts, "</svg>"]))


def _ticks(frame: Frame, *, below: bool, beside: bool) -> str:
    """Return the ticks of a panel, with their labels where they are wanted."""
    marks: list[str] = []
    texts: list[str] = []
    for axis, labelled in ((0, below), (1, beside)):
        low, high = frame.box[axis]
        values = [value for value in MaxNLocator(4).tick_values(low, high) if low <= value <= high]
        for value in values:
            share = (value - low) / (high - low) * SIDE
            text = f"{value if abs(value) > 1e-9 * (high - low) else 0:g}"
            if axis == 0:
                marks.append(f"M{share:.1f} {SIDE}v2")
                texts.append(
                    f'<text x="{share:.1f}" y="{SIDE + 9}" text-anchor="middle">{text}</text>' * labelled
                )
            else:
                marks.append(f"M0 {SIDE - share:.1f}h-2")
                texts.append(
                    f'<text x="-4" y="{SIDE - share + 2.5:.1f}" text-anchor="end">{text}</text>' * labelled
                )
    return f'<path d="{"".join(marks)}" stroke="#444" stroke-width=".6"/>' + "".join(texts)


def _bar(bar: Bar, name: str, x: float, length: float) -> str:
    last = len(bar.colours) - 1
    stops = "".join(f'<stop offset="{i / last:.3f}" stop-color="{c}"/>' for i, c in enumerate(bar.colours))
    labels = "".join(f'<text x="11" y="{(1 - at) * length + 2.5:.1f}">{text}</text>' for at, text in bar.ticks)
    return (
        f'<g transform="translate({x} {TOP})"><linearGradient id="{name}" x1="0" y1="1" x2="0" y2="0">{stops}'
        f'</linearGradient><rect width="8" height="{length}" fill="url(#{name})"/>{labels}'
        f'<text transform="translate(38 {length / 2}) rotate(-90)" text-anchor="middle">{bar.what}</text></g>'
    )
