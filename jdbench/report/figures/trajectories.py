"""Fronts with trajectories and end points, as in Figures 3 and 4 of [JD], among parameters and objectives."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.colors import to_hex

from jdbench.analysis.problems import ProblemEntry
from jdbench.problem import AnalyticProblem
from jdbench.report.figures.background import background
from jdbench.report.figures.drawing import Drawing
from jdbench.report.figures.palette import Style
from jdbench.report.figures.paths import RED_TO_YELLOW, ends_svg, optimum_svg, paths_svg
from jdbench.report.figures.scenes import Scene
from jdbench.report.figures.svg_panels import Bar, Frame, small_multiples


def trajectory_figures(
    entry: ProblemEntry, scenes: Sequence[Scene], looks: Mapping[str, Style]
) -> list[Drawing]:
    """Return the paths and ends in parameter space if n = 2, and in the space of the first two objectives.

    Args:
        entry: A problem.
        scenes: Of `jdbench.report.figures.scenes.scenes_of`.
        looks: Styles of all aggregators.

    Returns:
        A drawing a scene, with a panel for each aggregator.
    """
    problem = entry.analytic
    if problem is None:
        return []
    return [
        (_parameter_space if scene.space == "x" else _objective_space)(problem, entry, scene, looks)
        for scene in scenes
    ]


def _parameter_space(
    problem: AnalyticProblem, entry: ProblemEntry, scene: Scene, looks: Mapping[str, Style]
) -> Drawing:
    behind = background(problem, scene.box)
    description = f"Paths and end points on {entry.spec} in parameter space, with {behind.what}."
    bars = [*([behind.bar] if behind.bar else []), *_step_bar(scene.last)]
    return _panels(f"parameters-{entry.slug}", description, ("x₁", "x₂"), behind.svg, scene, bars, looks)


def _objective_space(
    problem: AnalyticProblem, entry: ProblemEntry, scene: Scene, looks: Mapping[str, Style]
) -> Drawing:
    which = "objective space" if problem.m == 2 else f"the first two of {problem.m} objectives"
    description = f"Paths and end points on {entry.spec} in {which}, with the front."
    return _panels(
        f"objectives-{entry.slug}", description, ("f₁", "f₂"), "", scene, _step_bar(scene.last), looks
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
            paths_svg(scene.paths.get(one, ()), frame, scene.last)
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
