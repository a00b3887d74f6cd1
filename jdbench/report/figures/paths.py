"""Paths, end points and Pareto sets as SVG in a panel, red to yellow as in [JD] Figures 3 and 4."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, to_hex

from jdbench.analysis.points import drawn, in_panels
from jdbench.report.figures.svg_panels import SIDE, Frame
from jdbench.runs.record import Array

RED_TO_YELLOW = LinearSegmentedColormap.from_list("path", ["#b00010", "#ff5a00", "#ffcc00"])

PIECES = 12
"""Colours along a path."""

START_COLOURS = ("#1f5fd0", "#2e8b37", "#8e44c9", "#12a5b5", "#8a5a3b", "#ee62b0", "#1a1a1a", "#8f9aa3")
"""Colours of the starts, by their order."""

GAP = 5.0
"""Neighbours farther apart than this many median distances are not joined: the set has a gap there."""

CLOSE = 0.04
"""Nor are neighbours nearer than this share of the panel left apart."""

WIDE = 0.1
"""A set is no curve if so large a share of its neighbours is apart, or if they are so far in the median."""

RING = "#0b3fa8"


class Path(NamedTuple):
    """A run from its start.

    Attributes:
        steps: Shape ``[k]``.
        points: There, shape ``[k, 2]``.
    """

    steps: Array
    points: Array


def optimum_svg(optimal: Array, frame: Frame) -> str:
    """Return a Pareto set or front: a star for a point, a line with gaps for a curve, dots for what is wider.

    Args:
        optimal: Its points, shape ``[k, 2]``, a curve's in order along it.
        frame: Coordinates.

    Returns:
        SVG; nothing without points.
    """
    if not len(optimal):
        return ""
    places = frame.place(optimal)
    if np.ptp(places, axis=0).max() < 1e-3 * SIDE:
        x, y = places[0]
        return f'<text x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle" font-size="11" fill="black">★</text>'
    lengths = np.linalg.norm(np.diff(places, axis=0), axis=1)
    apart = lengths > max(GAP * float(np.median(lengths)), CLOSE * SIDE)
    if apart.mean() > WIDE or np.median(lengths) > WIDE * SIDE:
        return (
            f'<path d="{frame.dots(optimal)}" stroke="black" stroke-width="1.5" stroke-linecap="round" '
            'stroke-opacity=".7"/>'
        )
    lines = "".join(frame.line(piece) for piece in np.split(optimal, np.flatnonzero(apart) + 1))
    return f'<path d="{lines}" fill="none" stroke="black" stroke-width="1.7" stroke-linecap="round"/>'


def ends_svg(ends: Array, frame: Frame) -> str:
    """Return where runs ended, as rings, and how many did so outside the panel.

    Args:
        ends: Shape ``[k, 2]``.
        frame: Coordinates.

    Returns:
        SVG.
    """
    inside = np.abs(frame.place(ends) / SIDE - 0.5).max(1, initial=0.0) <= 0.5
    rings = [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="none" stroke="{RING}"/>'
        for x, y in frame.place(ends[inside])
    ]
    beyond = int((~inside).sum())
    if beyond:
        rings.append(
            f'<text x="{SIDE - 3}" y="9" text-anchor="end" fill="{RING}">{beyond} ended outside</text>'
        )
    return "".join(rings)


def paths_svg(paths: Sequence[Path], frame: Frame, last: float) -> str:
    """Return runs from their starts.

    Args:
        paths: The runs.
        frame: Coordinates.
        last: The step that is yellow.

    Returns:
        SVG.
    """
    pieces: list[list[str]] = [[] for _ in range(PIECES)]
    for path in paths:
        _collect(pieces, path, frame, last)
    parts = [
        f'<path d="{"".join(lines)}" fill="none" stroke="{to_hex(RED_TO_YELLOW((i + 0.5) / PIECES))}" '
        'stroke-width="1.5"/>'
        for i, lines in enumerate(pieces)
        if lines
    ]
    for i, path in enumerate(paths):
        ((x, y),) = frame.place(path.points[:1])
        colour = START_COLOURS[i % len(START_COLOURS)]
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.9" fill="{colour}" stroke="white" stroke-width=".4"/>'
        )
    return "".join(parts)


def _collect(pieces: list[list[str]], path: Path, frame: Frame, last: float) -> None:
    """Cut a path where its colour changes, and add the parts to the pieces of their colours."""
    kept = drawn(path.points, frame.box)
    low, high = np.array(frame.box).T
    corners = low + in_panels(path.points[kept], frame.box) * (high - low)
    shares = np.log1p(path.steps[kept]) / (np.log1p(last) or 1.0)
    colours = [min(int(PIECES * share), PIECES - 1) for share in shares[1:]]
    begun = 0
    for i, colour in enumerate(colours, start=1):
        if i == len(colours) or colours[i] != colour:
            pieces[colour].append(frame.line(corners[begun : i + 1]))
            begun = i
