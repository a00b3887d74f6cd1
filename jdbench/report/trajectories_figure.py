"""Fronts with trajectories and end points, as in Figures 3 and 4 of [JD], among parameters and objectives."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.colors import to_hex

from jdbench.problem import AnalyticProblem
from jdbench.record import Array
from jdbench.report.background import background
from jdbench.report.drawing import Drawing
from jdbench.report.palette import Style
from jdbench.report.paths import RED_TO_YELLOW, box_around, ends_svg, optimum_svg, paths_svg
from jdbench.report.results import Curves, Results
from jdbench.report.subjects import Subject
from jdbench.report.svg_panels import Bar, Box, Frame, small_multiples

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


def trajectory_figures(results: Results, subject: Subject, looks: Mapping[str, Style]) -> list[Drawing]:
    """Return the paths and ends in parameter space if n = 2, and in the space of the first two objectives.

    Args:
        results: What was read.
        subject: A problem.
        looks: Styles of all aggregators.

    Returns:
        Up to two drawings with a panel for each aggregator; none where the problem is no analytic one, cannot
        be had, or no run finished.
    """
    problem = subject.analytic
    if problem is None:
        return []
    optimal = problem.pareto_set(ALONG) if problem.attained else torch.zeros(0, problem.n, dtype=torch.float64)
    drawings: list[Drawing] = []
    if problem.n == 2:
        scene = _scene(results, subject, problem, looks, "x", optimal.numpy())
        drawings += [_parameter_space(problem, subject, scene, looks)] if scene else []
    if problem.m >= 2:
        scene = _scene(results, subject, problem, looks, "f", problem.objectives(optimal)[:, :2].numpy())
        drawings += [_objective_space(problem, subject, scene, looks)] if scene else []
    return drawings


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


def _parameter_space(
    problem: AnalyticProblem, subject: Subject, scene: Scene, looks: Mapping[str, Style]
) -> Drawing:
    behind = background(problem, scene.box)
    description = f"Paths and end points on {subject.spec} in parameter space, with {behind.what}."
    bars = [*([behind.bar] if behind.bar else []), *_step_bar(scene.last)]
    return _panels(f"parameters-{subject.slug}", description, ("x₁", "x₂"), behind.svg, scene, bars, looks)


def _objective_space(
    problem: AnalyticProblem, subject: Subject, scene: Scene, looks: Mapping[str, Style]
) -> Drawing:
    which = "objective space" if problem.m == 2 else f"the first two of {problem.m} objectives"
    description = f"Paths and end points on {subject.spec} in {which}, with the front."
    return _panels(
        f"objectives-{subject.slug}", description, ("f₁", "f₂"), "", scene, _step_bar(scene.last), looks
    )


def _panels(
    name: str,
    description: str,
    axes: tuple[str, str],
    behind: str,
    scene: Scene,
    bars: Sequence[Bar],
    looks: Mapping[str, Style],
) -> Drawing:
    frame = Frame(scene.box)
    panels = [
        (
            looks[one],
            paths_svg(scene.paths.get(one, ()), scene.space, frame, scene.last)
            + ends_svg(scene.ends.get(one, np.zeros((0, 2))), frame),
        )
        for one in scene.names
    ]
    shared = behind + optimum_svg(scene.optimal, frame)
    return small_multiples(name, description, frame, axes, shared, panels, bars)


def _step_bar(last: float) -> list[Bar]:
    if last <= 0:
        return []
    colours = [to_hex(RED_TO_YELLOW(share)) for share in np.linspace(0, 1, 5)]
    shown = [step for step in (0, 1, 10, 100, 1000, 10_000, 100_000) if step <= last]
    return [Bar("step", colours, [(math.log1p(step) / math.log1p(last), str(step)) for step in shown])]
