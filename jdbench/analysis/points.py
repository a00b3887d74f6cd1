"""The points that figures of trajectories draw: fronts, paths, end points, and the limits of their panels."""

from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from jdbench.analysis import schema
from jdbench.analysis.declarations import Column, Table
from jdbench.analysis.frames import only, rows
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results, RunKey, chosen
from jdbench.analysis.schema import AGGREGATOR, F1, F2, PROBLEM, RATE, SEED, STATE, TRACE, X1, X2
from jdbench.problem import AnalyticProblem
from jdbench.roster import in_order
from jdbench.runs.record import Array

DRAWN_POINTS = 200
"""Points along the Pareto set."""

FINEST = 0.008
"""Shortest piece of a path that is drawn, as a share of the panel: about a pixel."""

FARTHEST = 100.0
"""Where a path that leaves the panel is cut off, in panels."""

COORDINATES: dict[str, list[str]] = {"x": [X1, X2], "f": [F1, F2]}
"""The two that are drawn, among parameters and among objectives."""

Box = tuple[tuple[float, float], tuple[float, float]]
"""Limits of abscissa and ordinate."""


class Panel(NamedTuple):
    """The limits of the panels of a problem; the fields are columns."""

    problem: str
    space: str
    left: float
    right: float
    bottom: float
    top: float
    last_step: float

    @property
    def box(self) -> Box:
        """Limits of abscissa and ordinate."""
        return (self.left, self.right), (self.bottom, self.top)


def box_around(points: Array, margin: float = 0.1) -> Box:
    """Return limits around points.

    Args:
        points: Shape ``[k, 2]``, k ≥ 1, finite.
        margin: Added on each side, as a share of the extent.

    Returns:
        The limits, never empty.

    Example:
        >>> import numpy as np
        >>> from jdbench.analysis.points import box_around
        >>> box_around(np.array([[0.0, 0.0], [1.0, 10.0]]))
        ((-0.1, 1.1), (-1.0, 11.0))
    """
    low, high = points.min(0), points.max(0)
    extent = high - low
    extent = np.where(extent > 0, extent, extent.max() or 1.0)
    (left, bottom), (right, top) = low - margin * extent, high + margin * extent
    return (float(left), float(right)), (float(bottom), float(top))


def drawn(points: Array, box: Box) -> npt.NDArray[np.int64]:
    """Return which points of a path are drawn: finite ones, farther than `FINEST` from the one drawn before.

    Args:
        points: Shape ``[k, 2]``.
        box: Limits of the panel; points `FARTHEST` panels away and beyond count as lying there.

    Returns:
        Their indices, ascending; the first finite point is among them.
    """
    finite = np.flatnonzero(np.isfinite(points).all(1))
    scaled = in_panels(points[finite], box)
    kept = [0] if len(finite) else []
    for i in range(1, len(scaled)):
        if np.abs(scaled[i] - scaled[kept[-1]]).max() > FINEST:
            kept.append(i)
    return finite[kept]


def in_panels(points: Array, box: Box) -> Array:
    """Return points in units of the panel, 0 its lower left corner, cut off `FARTHEST` away."""
    low, high = np.array(box).T
    return ((points - low) / (high - low)).clip(-FARTHEST, FARTHEST)


def panels(results: Results) -> pd.DataFrame:
    """Return the limits of the panels of each analytic problem, and the last step of any path there.

    They hold the starts and the Pareto set, so that a run that leaves them is cut off, and the others not
    shrunk: among parameters if n = 2, and among the first two objectives. A problem of which no run left a path
    or an end point has none.
    """
    found: list[tuple[object, ...]] = []
    seeds = pd.concat([results.table(chosen(reference)) for reference in (False, True)])
    for entry in results.problems:
        problem = entry.analytic
        if problem is None:
            continue
        tried = only(seeds, PROBLEM, entry.spec)[SEED].unique()
        starts = torch.stack([problem.start(int(seed)) for seed in sorted(tried)])
        optimal = _pareto_set(problem)
        for space in COORDINATES:
            if (space == "x" and problem.n != 2) or (space == "f" and problem.m < 2):
                continue
            paths, ends = (results.finished(entry, reference=reference) for reference in (True, False))
            last = [float(run["steps"][-1]) for runs in paths.values() for run in runs if space in run]
            if last or any(f"end_{space}" in run for runs in ends.values() for run in runs):
                corners = np.concatenate([_in_space(problem, space, points) for points in (starts, optimal)])
                box = box_around(corners[np.isfinite(corners).all(1)])
                found.append((entry.spec, space, *box[0], *box[1], max(last, default=0.0)))
    return pd.DataFrame(found, columns=[*PANELS.columns])


def end_points(results: Results) -> pd.DataFrame:
    """Return where the selected and the reference runs ended.

    Returns:
        A row for each of the coordinates x1 to xn and f1 to fm of each run that finished, unrounded; without
        rows for trainings, whose parameters are not kept.
    """
    parts: list[pd.DataFrame] = []
    for entry in results.problems:
        for reference in (False, True):
            for run in _runs(results, entry, reference):
                curves = results.curves.get(run, {})
                for space in ("x", "f"):
                    if f"end_{space}" in curves:
                        end = _long(space, curves[f"end_{space}"][None]).drop(columns=schema.POINT)
                        parts.append(_of(run, END_POINTS.columns[:5], end))
    return _joined(parts, END_POINTS)


def paths(results: Results) -> pd.DataFrame:
    """Return the points of the reference runs' paths that are drawn.

    Returns:
        The steps that some panel draws, with the coordinates that panels draw; x1 and x2 are NaN unless n = 2.
    """
    boxes = {(panel.problem, panel.space): panel.box for panel in rows(results.table("panels"), Panel)}
    parts: list[pd.DataFrame] = []
    for entry in results.problems:
        spaces = {space: boxes[entry.spec, space] for space in COORDINATES if (entry.spec, space) in boxes}
        for run in _runs(results, entry, reference=True) if spaces else []:
            curves = results.curves.get(run, {})
            seen = {space: curves[space][:, :2] for space in spaces if space in curves}
            if not seen:
                continue
            kept = reduce(np.union1d, (drawn(seen[space], spaces[space]) for space in seen))
            points: dict[str, Array | npt.NDArray[np.int64]] = {
                schema.STEP: curves["steps"][kept].astype(np.int64)
            }
            for space, names in COORDINATES.items():
                here = seen[space][kept] if space in seen else np.full((len(kept), 2), np.nan)
                points |= dict(zip(names, here.T, strict=True))
            parts.append(_of(run, PATHS.columns[:4], pd.DataFrame(points)))
    return _joined(parts, PATHS)


def fronts(results: Results) -> pd.DataFrame:
    """Return points of the Pareto sets with their objective values, those that are drawn.

    Returns:
        `DRAWN_POINTS` points at most of each problem, numbered from 0, a curve's in order along it, with
        coordinates x1 to xn and f1 to fm; without rows where the set is not attained, or the problem is no
        analytic one.
    """
    parts: list[pd.DataFrame] = []
    for entry in results.problems:
        problem = entry.analytic
        if problem is not None and problem.attained:
            x = problem.pareto_set(DRAWN_POINTS)
            for space, points in (("x", x), ("f", problem.objectives(x))):
                part = _long(space, points.numpy())
                part.insert(0, str(PROBLEM), entry.spec)
                parts.append(part)
    return _joined(parts, FRONTS)


def _pareto_set(problem: AnalyticProblem) -> torch.Tensor:
    return (
        problem.pareto_set(DRAWN_POINTS) if problem.attained else torch.zeros(0, problem.n, dtype=torch.float64)
    )


def _in_space(problem: AnalyticProblem, space: str, points: torch.Tensor) -> Array:
    """Return points of parameters, or their objectives, first two coordinates."""
    return (points if space == "x" else problem.objectives(points))[:, :2].numpy()


def _runs(results: Results, entry: ProblemEntry, reference: bool) -> list[RunKey]:
    """Return the runs that finished, by aggregator as reports list them, then by seed."""
    found = only(only(results.table(chosen(reference)), PROBLEM, entry.spec), STATE, "finished")
    order = in_order(found[AGGREGATOR])
    return sorted(rows(found, RunKey), key=lambda run: (order.index(run.aggregator), run.seed))


def _long(space: str, points: Array) -> pd.DataFrame:
    """Return points of shape ``[k, d]`` as columns ``point coordinate value``."""
    names = [f"{space}{i}" for i in range(1, points.shape[1] + 1)]
    return pd.DataFrame({
        schema.POINT: np.repeat(np.arange(len(points)), len(names)),
        schema.COORDINATE: names * len(points),
        schema.VALUE: points.ravel(),
    })


def _of(run: RunKey, names: Sequence[Column], table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with columns before its own that tell the run, the same in every row."""
    head = pd.DataFrame({name: getattr(run, name) for name in names}, index=table.index)
    return pd.concat([head, table], axis=1)


def _joined(parts: Sequence[pd.DataFrame], table: Table) -> pd.DataFrame:
    kept = [part for part in parts if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=[*table.columns])


CHOSEN = ("selected", "references")

PANELS = Table(
    "panels",
    "Limits of the panels with trajectories",
    (PROBLEM, schema.SPACE, schema.LEFT, schema.RIGHT, schema.BOTTOM, schema.TOP, schema.LAST_STEP),
    panels,
    needs=CHOSEN,
    download=False,
    listed=False,
)
END_POINTS = Table(
    "end_points",
    "Where the selected and the reference runs ended",
    (PROBLEM, AGGREGATOR, SEED, RATE, TRACE, schema.COORDINATE, schema.VALUE),
    end_points,
    needs=CHOSEN,
    listed=False,
)
PATHS = Table(
    "paths",
    "The points of the reference runs' paths that are drawn",
    (PROBLEM, AGGREGATOR, SEED, RATE, schema.STEP, X1, X2, F1, F2),
    paths,
    needs=("panels", *CHOSEN),
    listed=False,
    six_digits=(X1, X2, F1, F2),
)
FRONTS = Table(
    "fronts",
    "Points of the Pareto sets, with their objective values",
    (PROBLEM, schema.POINT, schema.COORDINATE, schema.VALUE),
    fronts,
    listed=False,
    six_digits=(schema.VALUE,),
)
