"""Fronts with trajectories and end points, as in Figures 3 and 4 of [JD], among parameters and objectives."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.image import imsave

from jdbench.analysis.conflict import plane
from jdbench.analysis.points import Box
from jdbench.analysis.problems import ProblemEntry
from jdbench.problem import AnalyticProblem
from jdbench.report.figures.drawing import Picture
from jdbench.report.figures.palette import Style
from jdbench.report.figures.paths import RED_TO_YELLOW, ends_svg, optimum_svg, paths_svg
from jdbench.report.figures.scenes import Scene
from jdbench.report.figures.svg_panels import SIDE, Bar, Frame, svg_small_multiples
from jdbench.runs.record import Array

COSINES = ListedColormap(0.5 + 0.5 * colormaps["PiYG"](np.linspace(0, 1, 256)), "cosines")
"""Pink for conflict, green for agreement, as in the paper; half white, so that paths stand out."""

GREYS = ListedColormap(0.45 + 0.55 * colormaps["Greys_r"](np.linspace(0.35, 1, 256)), "greys")


class Background(NamedTuple):
    """What lies behind paths.

    Attributes:
        svg: The picture, as large as a panel.
        bar: What its colours mean, if they are numbers.
        what: The same in words.
    """

    svg: str
    bar: Bar | None
    what: str


def background(problem: AnalyticProblem, box: Box) -> Background:
    """Return the smallest cosine of two gradients where some conflict, otherwise shades of the mean objective.

    Args:
        problem: Of two parameters.
        box: Limits; what lies outside the problem's domain stays white.

    Returns:
        The background.
    """
    seen = plane(problem, box)
    if not seen.opposed:
        shades = _picture(GREYS(1 - seen.shades), seen.inside)
        return Background(shades, None, "the mean objective in shades, darker for more")
    what = "cosine of the gradients" if problem.m == 2 else "smallest cosine of two gradients"
    colours = [to_hex(COSINES(share)) for share in np.linspace(0, 1, 9)]
    bar = Bar(what, colours, [((c + 1) / 2, f"{c:g}") for c in (-1, -0.5, 0, 0.5, 1)])
    return Background(_picture(COSINES((seen.cosines + 1) / 2), seen.inside), bar, what)


def _picture(colours: Array, inside: npt.NDArray[np.bool_]) -> str:
    pixels = (255 * np.where(inside[..., None], colours, 1.0)[..., :3]).round().astype(np.uint8)
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    size = f'width="{SIDE}" height="{SIDE}" preserveAspectRatio="none"'
    return f'<image {size} href="data:image/png;base64,{data}"/>'


def trajectory_figures(
    entry: ProblemEntry, scenes: Sequence[Scene], looks: Mapping[str, Style]
) -> list[Picture]:
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
) -> Picture:
    behind = background(problem, scene.box)
    description = f"Paths and end points on {entry.spec} in parameter space, with {behind.what}."
    bars = [*([behind.bar] if behind.bar else []), *_step_bar(scene.last)]
    return _panels(f"parameters-{entry.slug}", description, ("x₁", "x₂"), behind.svg, scene, bars, looks)


def _objective_space(
    problem: AnalyticProblem, entry: ProblemEntry, scene: Scene, looks: Mapping[str, Style]
) -> Picture:
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
) -> Picture:
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
    return svg_small_multiples(name, description, frame, axes, shared, panels, bars)


def _step_bar(last: float) -> list[Bar]:
    if last <= 0:
        return []
    colours = [to_hex(RED_TO_YELLOW(share)) for share in np.linspace(0, 1, 5)]
    shown = [step for step in (0, 1, 10, 100, 1000, 10_000, 100_000) if step <= last]
    return [Bar("step", colours, [(math.log1p(step) / math.log1p(last), str(step)) for step in shown])]
