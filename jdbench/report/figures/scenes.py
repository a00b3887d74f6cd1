"""What a panel of paths shows: runs, end points and optimum among parameters or objectives, and its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from jdbench.analysis.frames import numbers, only, parts, rows
from jdbench.analysis.points import COORDINATES, Box, Panel
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, COORDINATE, PROBLEM, SEED, STEP, TRACE, VALUE
from jdbench.report.figures.palette import Style
from jdbench.report.figures.paths import Path
from jdbench.runs.record import Array


@dataclass(frozen=True)
class Scene:
    """What is drawn in one space, first two coordinates.

    Attributes:
        space: ``x`` or ``f``.
        names: Aggregators, a panel each.
        paths: The reference runs by aggregator.
        ends: Where the selected runs ended, by aggregator, shape ``[k, 2]``.
        optimal: The Pareto set or front, shape ``[k, 2]``.
        box: Limits.
        last: The last step of any path; 0 without paths.
    """

    space: str
    names: Sequence[str]
    paths: Mapping[str, Sequence[Path]]
    ends: Mapping[str, Array]
    optimal: Array
    box: Box
    last: float


def scenes_of(results: Results, entry: ProblemEntry, looks: Mapping[str, Style]) -> list[Scene]:
    """Return what is drawn in parameter space if n = 2, and in the space of the first two objectives.

    Returns:
        Up to two scenes; none where the problem is no analytic one, cannot be had, or no run left a point.
    """
    tables = {
        name: only(results.table(name), PROBLEM, entry.spec) for name in ("paths", "end_points", "fronts")
    }
    ended = only(tables["end_points"], TRACE, value=False)
    found: list[Scene] = []
    for panel in rows(only(results.table("panels"), PROBLEM, entry.spec), Panel):
        names = COORDINATES[panel.space]
        paths = {name: _paths(own, names) for name, own in parts(tables["paths"], AGGREGATOR)}
        ends = {name: _points(own, names) for name, own in parts(ended, AGGREGATOR)}
        shown = [name for name in looks if len(paths.get(name, ())) or len(ends.get(name, ()))]
        optimal = _points(tables["fronts"], names)
        found.append(Scene(panel.space, shown, paths, ends, optimal, panel.box, panel.last_step))
    return found


def _points(frame: pd.DataFrame, names: Sequence[str]) -> Array:
    """Return points of a table with a row a coordinate, shape ``[k, 2]``."""
    return np.stack([numbers(only(frame, COORDINATE, name), VALUE) for name in names], -1)


def _paths(frame: pd.DataFrame, names: Sequence[str]) -> list[Path]:
    """Return the paths of a table with a row a step, one a seed, that have these coordinates."""
    found = [
        Path(numbers(own, STEP), np.stack([numbers(own, name) for name in names], -1))
        for _, own in parts(frame, SEED, sort=False)
    ]
    return [path for path in found if np.isfinite(path.points).any()]
