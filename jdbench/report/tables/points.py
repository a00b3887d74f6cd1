"""The tables of fronts, drawn paths and end points: the numbers behind the figures of trajectories."""

from collections.abc import Iterable, Sequence
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Results, Row, name_of
from jdbench.report.figures.curves import rounded
from jdbench.report.figures.paths import drawn
from jdbench.report.figures.scenes import ALONG, Scene
from jdbench.roster import in_order
from jdbench.runs.record import Array

RUN = ["problem", "aggregator", "seed", "rate"]
"""Columns that tell a run apart, beside whether it is a reference run."""


def end_point_table(results: Results, subject: Subject) -> pd.DataFrame:
    """Return where the selected and the reference runs on a problem ended.

    Args:
        results: What was read.
        subject: The problem.

    Returns:
        Columns ``problem aggregator seed rate trace`` (true for reference runs) ``coordinate value``, a row for
        each of the coordinates x1 to xn and f1 to fm of each run that finished, unrounded; without rows for
        trainings, whose parameters are not kept.
    """
    parts: list[pd.DataFrame] = []
    for reference in (False, True):
        for row in _runs(results, subject, reference):
            curves = results.curves.get(name_of(row), {})
            for space in ("x", "f"):
                if f"end_{space}" in curves:
                    end = _long(space, curves[f"end_{space}"][None])
                    parts.append(_of(row, [*RUN, "trace"], end.drop(columns="point")))
    return _joined(parts, [*RUN, "trace", "coordinate", "value"])


def path_table(results: Results, subject: Subject, scenes: Sequence[Scene]) -> pd.DataFrame:
    """Return the points of the reference runs' paths that are drawn.

    Args:
        results: What was read.
        subject: The problem.
        scenes: Of `jdbench.report.figures.scenes.scenes_of`.

    Returns:
        Columns ``problem aggregator seed rate step x1 x2 f1 f2``: the steps that some scene draws, with the
        coordinates that scenes draw, to six digits; x1 and x2 are NaN unless n = 2.
    """
    parts: list[pd.DataFrame] = []
    for row in _runs(results, subject, reference=True):
        curves = results.curves.get(name_of(row), {})
        paths = {one.space: curves[one.space][:, :2] for one in scenes if one.space in curves}
        if paths:
            kept = reduce(
                np.union1d, (drawn(paths[one.space], one.box) for one in scenes if one.space in paths)
            )
            points: dict[str, Array | npt.NDArray[np.int64]] = {"step": curves["steps"][kept].astype(np.int64)}
            for space in ("x", "f"):
                for i in range(2):
                    shown = paths[space][kept, i] if space in paths else np.full(len(kept), np.nan)
                    points[f"{space}{i + 1}"] = rounded(shown)
            parts.append(_of(row, RUN, pd.DataFrame(points)))
    return _joined(parts, [*RUN, "step", "x1", "x2", "f1", "f2"])


def front_table(subject: Subject) -> pd.DataFrame:
    """Return points of the Pareto set with their objective values, those that are drawn.

    Args:
        subject: The problem.

    Returns:
        Columns ``problem point coordinate value``: `ALONG` points at most, numbered from 0, a curve's in order
        along it, with the coordinates x1 to xn and f1 to fm, to six digits; without rows where the set is not
        attained, or the problem is no analytic one.
    """
    problem = subject.analytic
    parts: list[pd.DataFrame] = []
    if problem is not None and problem.attained:
        x = problem.pareto_set(ALONG)
        for space, points in (("x", x), ("f", problem.objectives(x))):
            parts.append(_of({"problem": subject.spec}, ["problem"], _long(space, rounded(points.numpy()))))
    return _joined(parts, ["problem", "point", "coordinate", "value"])


def _runs(results: Results, subject: Subject, reference: bool) -> list[Row]:
    """Return the rows of the runs that finished, by aggregator as reports list them, then by seed."""
    rows = results.rows("references" if reference else "selected", problem=subject.spec, state="finished")
    order = in_order(row["aggregator"] for row in rows)
    return sorted(rows, key=lambda row: (order.index(row["aggregator"]), row["seed"]))


def _long(space: str, points: Array) -> pd.DataFrame:
    """Return points of shape ``[k, d]`` as columns ``point coordinate value``."""
    names = [f"{space}{i}" for i in range(1, points.shape[1] + 1)]
    return pd.DataFrame({
        "point": np.repeat(np.arange(len(points)), len(names)),
        "coordinate": names * len(points),
        "value": points.ravel(),
    })


def _of(row: Row, names: Iterable[str], table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with columns before its own that are the same in every row."""
    return pd.concat([pd.DataFrame({name: row[name] for name in names}, index=table.index), table], axis=1)


def _joined(parts: Sequence[pd.DataFrame], names: Sequence[str]) -> pd.DataFrame:
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(names))
