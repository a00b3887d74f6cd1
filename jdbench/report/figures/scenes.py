"""What a panel of paths shows: runs, end points and optimum among parameters or objectives, and its limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Curves, Results
from jdbench.problem import AnalyticProblem
from jdbench.report.figures.palette import Style
from jdbench.report.figures.paths import box_around
from jdbench.report.figures.svg_panels import Box
from jdbench.runs.record import Array

ALONG = 200
"""Points along the Pareto set."""


@dataclass(frozen=True)
class Scene:
    """What is drawn in one space, first two coordinates.

    Attributes:
        space: ``x`` or ``f``.
        names: Aggregators, a panel each.
        paths: Curves of the reference runs by aggregator.
        ends: Where the selected runs ended, by aggregator, shape ``[k, 2]``.
        optimal: The Pareto set or front, shape ``[k, 2]``.
        box: Limits.
    """

    space: str
    names: Sequence[str]
    paths: Mapping[str, Sequence[Curves]]
    ends: Mapping[str, Array]
    optimal: Array
    box: Box

    @property
    def last(self) -> float:
        """The last step of any path; 0 without paths."""
        return max((float(run["steps"][-1]) for runs in self.paths.values() for run in runs), default=0.0)


def scenes_of(results: Results, subject: Subject, looks: Mapping[str, Style]) -> list[Scene]:
    """Return what is drawn in parameter space if n = 2, and in the space of the first two objectives.

    Args:
        results: What was read.
        subject: A problem.
        looks: Styles of all aggregators.

    Returns:
        Up to two scenes; none where the problem is no analytic one, cannot be had, or no run finished.
    """
    problem = subject.analytic
    if problem is None:
        return []
    optimal = problem.pareto_set(ALONG) if problem.attained else torch.zeros(0, problem.n, dtype=torch.float64)
    scenes: list[Scene | None] = []
    if problem.n == 2:
        scenes.append(_scene(results, subject, problem, looks, "x", optimal.numpy()))
    if problem.m >= 2:
        front = problem.objectives(optimal)[:, :2].numpy()
        scenes.append(_scene(results, subject, problem, looks, "f", front))
    return [scene for scene in scenes if scene is not None]


def _scene(
    results: Results,
    subject: Subject,
    problem: AnalyticProblem,
    looks: Mapping[str, Style],
    space: str,
    optimal: Array,
) -> Scene | None:
    runs, selected = (results.finished(subject, reference=reference) for reference in (True, False))
    paths = {name: [run for run in mine if space in run] for name, mine in runs.items()}
    ends = {
        name: np.array([run[f"end_{space}"][:2] for run in mine if f"end_{space}" in run]).reshape(-1, 2)
        for name, mine in selected.items()
    }
    names = [name for name in looks if len(paths.get(name, ())) or len(ends.get(name, ()))]
    if not names:
        return None
    seeds = sorted({row["seed"] for table in ("selected", "references") for row in results.rows(table)})
    starts = torch.stack([problem.start(seed) for seed in seeds])
    begun = (starts if space == "x" else problem.objectives(starts))[:, :2].numpy()
    # Limits around starts and optimum: a run that leaves them is cut off, the others not shrunk.
    points = np.concatenate([begun, optimal])
    box = box_around(points[np.isfinite(points).all(1)])
    return Scene(space, names, paths, ends, optimal, box)
