"""Paths of runs on one pair of axes, from red to yellow as in [JD] Figures 3 and 4."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.path import Path

from jdbench.record import Array
from jdbench.report.results import Curves

RED_TO_YELLOW = LinearSegmentedColormap.from_list("path", ["#b00010", "#ff5a00", "#ffcc00"])

PIECES = 12
"""Colours along a path."""

FINEST = 0.008
"""Shortest piece of a path that is drawn, as a share of the panel: about a pixel."""

FARTHEST = 1e4
"""Where a path that leaves the panel is cut off, in panels: browsers lose larger coordinates."""

STARTS = ("#1f5fd0", "#2e8b37", "#8e44c9", "#12a5b5", "#8a5a3b", "#ee62b0", "#1a1a1a", "#8f9aa3")
"""Colours of the starts, by their order."""

GAP = 5.0
"""Neighbours farther apart than this many median distances are not joined: the set has a gap there."""

Box = tuple[tuple[float, float], tuple[float, float]]
"""Limits of abscissa and ordinate."""


def box_around(points: Array, margin: float = 0.1) -> Box:
    """Return limits around points.

    Args:
        points: Shape ``[k, 2]``, k ≥ 1, finite.
        margin: Added on each side, as a share of the extent.

    Returns:
        The limits, never empty.
    """
    low, high = points.min(0), points.max(0)
    extent = high - low
    extent = np.where(extent > 0, extent, extent.max() or 1.0)
    (left, bottom), (right, top) = low - margin * extent, high + margin * extent
    return (float(left), float(right)), (float(bottom), float(top))


def draw_optimum(axes: Axes, optimal: Array) -> None:
    """Draw a Pareto set or front: a star for a point, a line with its gaps for a curve, dots for what is wider.

    Args:
        axes: Where.
        optimal: Its points, shape ``[k, 2]``, a curve's in order along it; nothing is drawn without points.
    """
    if len(optimal) < 1:
        return
    if np.ptp(optimal, axis=0).max() <= 1e-12 * np.abs(optimal).max():
        axes.plot(*optimal[0], "*", color="black", markersize=6, markeredgewidth=0, zorder=5)
        return
    lengths = np.linalg.norm(np.diff(optimal, axis=0) / np.ptp(optimal, axis=0).clip(1e-300), axis=1)
    apart = lengths > GAP * np.median(lengths)
    if apart.mean() > 0.1 or np.median(lengths) > 0.1:
        axes.scatter(*optimal.T, s=1.5, c="black", linewidths=0, zorder=2, rasterized=len(optimal) > 300)
        return
    for piece in np.split(optimal, np.flatnonzero(apart) + 1):
        axes.plot(*piece.T, color="black", linewidth=1.6, zorder=2)


def draw_ends(axes: Axes, ends: Array) -> None:
    """Draw where runs ended, as rings.

    Args:
        axes: Where.
        ends: Shape ``[k, 2]``.
    """
    axes.scatter(*ends.T, s=16, facecolors="none", edgecolors="#0b3fa8", linewidths=0.9, zorder=6)


def draw_paths(axes: Axes, runs: Sequence[Curves], space: str, box: Box, last: float) -> None:
    """Draw runs from their starts.

    Args:
        axes: Where.
        runs: Curves with ``steps`` and the path, of which the first two coordinates are drawn.
        space: Name of the path, ``x`` or ``f``.
        box: Limits of the axes.
        last: The step that is yellow.
    """
    if not runs:
        return
    pieces: list[list[Path]] = [[] for _ in range(PIECES)]
    for run in runs:
        _collect(pieces, run["steps"], run[space][:, :2], box, last)
    used = [(Path.make_compound_path(*paths), i) for i, paths in enumerate(pieces) if paths]
    axes.add_collection(
        PathCollection(
            [path for path, _ in used],
            facecolors="none",
            edgecolors=[RED_TO_YELLOW((i + 0.5) / PIECES) for _, i in used],
            linewidths=1.5,
            zorder=3,
        ),
        autolim=False,
    )
    starts = np.array([run[space][0, :2] for run in runs])
    colours = [STARTS[i % len(STARTS)] for i in range(len(starts))]
    axes.scatter(*starts.T, s=11, c=colours, edgecolors="white", linewidths=0.4, zorder=4)


def _collect(pieces: list[list[Path]], steps: Array, points: Array, box: Box, last: float) -> None:
    """Cut a path where its colour changes, and add the parts to the pieces of their colours."""
    finite = np.isfinite(points).all(1)
    steps, points = steps[finite], points[finite]
    origin, extent = np.array([side[0] for side in box]), np.array([side[1] - side[0] for side in box])
    scaled = ((points - origin) / extent).clip(-FARTHEST, FARTHEST)
    kept = [0]
    for i in range(1, len(scaled)):
        if np.abs(scaled[i] - scaled[kept[-1]]).max() > FINEST:
            kept.append(i)
    shares = np.log1p(steps) / (np.log1p(last) or 1.0)
    drawn = origin + scaled * extent
    colours = [min(int(PIECES * shares[i]), PIECES - 1) for i in kept[1:]]
    begun = 0
    for i, colour in enumerate(colours, start=1):
        if i == len(colours) or colours[i] != colour:
            pieces[colour].append(Path(drawn[kept[begun : i + 1]]))
            begun = i
