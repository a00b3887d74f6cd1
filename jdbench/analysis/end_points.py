"""The sets of end points of runs against the exact front: hypervolume, IGD+, additive ε and spread (moocore).

All are computed in objectives scaled per problem. Let z be the ideal point, the least of each objective on the
exact front, and r the largest of each on the front and at the starts: fᵢ becomes (fᵢ - zᵢ) / (rᵢ - zᵢ), so that
the front and the starts fill the unit box, whatever the units of the objectives.
"""

from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import numbers, rows
from jdbench.analysis.results import Results, RunKey
from jdbench.analysis.schema import (
    AGGREGATOR,
    ENDS,
    HYPERVOLUME,
    HYPERVOLUME_FRONT,
    HYPERVOLUME_SHARE,
    IGD_PLUS,
    PROBLEM,
    RUNS,
    SEED,
)
from jdbench.errors import MissingExtraError
from jdbench.problem import AnalyticProblem
from jdbench.runs.record import Array

REFERENCE = 1.1
"""Every coordinate of the reference point of hypervolumes, in scaled objectives: a little beyond the unit box,
so that the ends of the front count too."""

FRONT_POINTS = 500
"""Points of the exact front that are compared with."""

MOST_OBJECTIVES = 6
"""Hypervolumes are told up to this number of objectives. Beyond, the time explodes, a minute at m = 8,
and the box is so large that little fills it."""


class Scale(NamedTuple):
    """The units in which end points of a problem are compared.

    Attributes:
        ideal: z, shape ``[m]``.
        width: r - z, positive (1 where it would be 0), shape ``[m]``.
        front: Points of the exact front, scaled, shape ``[k, m]``.
    """

    ideal: Array
    width: Array
    front: Array

    def scaled(self, f: Array) -> Array:
        """Return scaled objectives, shape ``[..., m]``."""
        return (f - self.ideal) / self.width


class SetIndicators(NamedTuple):
    """How good a set of end points is.

    Attributes:
        hypervolume: Volume that it dominates within the reference point (1.1, …, 1.1), as a share of 1.1ᵐ; NaN
            beyond `MOST_OBJECTIVES`. More is better.
        hypervolume_front: The same of the exact front: no set has more.
        igd_plus: Mean over the front of the least distance d⁺(z, a) = ‖max(a - z, 0)‖ to an end point a
            (Ishibuchi et al. 2015). Less is better, 0 if every point of the front is matched or dominated.
        epsilon: The least ε such that every point of the front is dominated by some end point minus ε (Zitzler
            et al. 2003). Less is better.
        spread: Widths of the set over those of the front, mean over the objectives in which the front has a
            width: 0 if all runs end in one point, NaN if the front is a point.
    """

    hypervolume: float
    hypervolume_front: float
    igd_plus: float
    epsilon: float
    spread: float


def scale_of(problem: AnalyticProblem, seeds: Iterable[int]) -> Scale | None:
    """Return the units of a problem.

    Args:
        problem: The problem.
        seeds: Of the starts that count.

    Returns:
        The scale; None where the Pareto set is not attained, and there is no front to compare with.
    """
    if not problem.attained:
        return None
    front = problem.objectives(problem.pareto_set(FRONT_POINTS)).numpy()
    starts = problem.objectives(torch.stack([problem.start(seed) for seed in sorted(set(seeds))])).numpy()
    ideal = front.min(0)
    width = np.maximum(front.max(0), starts.max(0)) - ideal
    width = np.where(width > 0, width, 1.0)
    return Scale(ideal, width, (front - ideal) / width)


def set_indicators(ends: Array, scale: Scale) -> SetIndicators:
    """Return how good a set of end points is.

    Args:
        ends: Objectives there, shape ``[k, m]``, finite, in the unit of the problem.
        scale: Units of the problem.

    Returns:
        The indicators; the worst, 0, 1.1ᵐ-th's share of nothing and infinities, for no end point.

    Raises:
        MissingExtraError: moocore is not installed.
    """
    moocore = _moocore()
    m = scale.front.shape[1]
    reference = np.full(m, REFERENCE)
    told = m <= MOST_OBJECTIVES
    box = REFERENCE**m

    def volume(points: Array) -> float:
        return float(moocore.hypervolume(points, ref=reference)) / box if told else float("nan")

    best = volume(scale.front)
    if not len(ends):
        return SetIndicators(0.0 if told else float("nan"), best, np.inf, np.inf, float("nan"))
    scaled = np.ascontiguousarray(scale.scaled(ends))
    return SetIndicators(
        volume(scaled),
        best,
        float(moocore.igd_plus(scaled, ref=scale.front)),
        float(moocore.epsilon_additive(scaled, ref=scale.front)),
        _spread(scaled, scale.front),
    )


def end_point_sets(results: Results) -> pd.DataFrame:
    """Return the indicators of the set of end points of each aggregator on each analytic problem.

    Returns:
        Columns ``problem aggregator runs ends`` (selected runs, and those of them that finished), and those of
        `SetIndicators`. Runs that did not finish have no end point. Problems without an attained Pareto set
        are left out.
    """
    problems = {entry.spec: entry.analytic for entry in results.problems}
    found: list[tuple[object, ...]] = []
    for spec, runs in results.table("selected").groupby(PROBLEM):
        problem = problems[str(spec)]
        scale = None if problem is None else scale_of(problem, (int(seed) for seed in runs[SEED]))
        if problem is None or scale is None:
            continue
        for aggregator, mine in runs.groupby(AGGREGATOR):
            curves = [results.curves.get(key, {}) for key in rows(mine.sort_values(SEED), RunKey)]
            ends = [one["end_f"] for one in curves if "end_f" in one and np.isfinite(one["end_f"]).all()]
            indicators = set_indicators(np.stack(ends) if ends else np.zeros((0, problem.m)), scale)
            found.append((spec, aggregator, len(mine), len(ends), *indicators))
    return pd.DataFrame(found, columns=[*END_POINT_SETS.columns])


def largest_hypervolume_first(sets: pd.DataFrame) -> pd.DataFrame:
    """Return sets with the share that each has of the front's hypervolume, the largest hypervolume first."""
    volume, front = numbers(sets, HYPERVOLUME), numbers(sets, HYPERVOLUME_FRONT)
    share = np.where(front != 0, volume / np.where(front != 0, front, 1.0), volume)
    order = np.where(volume >= 0, -volume, 0.0)
    found = sets.assign(**{HYPERVOLUME_SHARE: share, "order": order})
    return found.sort_values([PROBLEM, "order", IGD_PLUS], kind="stable").drop(columns="order")


def _spread(points: Array, front: Array) -> float:
    widths = np.ptp(front, axis=0)
    wide = widths > 0
    return float((np.ptp(points, axis=0)[wide] / widths[wide]).mean()) if wide.any() else float("nan")


def _moocore() -> ModuleType:
    try:
        import moocore
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'sets of end points, required moocore, got no such package, run `pip install "jdbench[report]"`'
        ) from error
    return moocore


END_POINT_SETS = Table(
    "end_point_sets",
    "The sets of end points against the front",
    (
        PROBLEM, AGGREGATOR, RUNS, ENDS, HYPERVOLUME, HYPERVOLUME_FRONT, IGD_PLUS, schema.EPSILON,
        schema.SPREAD,
    ),
    end_point_sets,
    needs=("selected",),
    listed=False,
)  # fmt: skip
SET_SHARES = Table(
    "end_point_shares",
    "The sets of end points, largest hypervolume first",
    (*END_POINT_SETS.columns, HYPERVOLUME_SHARE),
    lambda results: largest_hypervolume_first(results.table("end_point_sets")),
    needs=("end_point_sets",),
    download=False,
    listed=False,
)
