"""Fronts with trajectories and end points, as Figures 3 and 4 of [JD]: among parameters and objective values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from torch import Tensor

from jdbench.problem import AnalyticProblem
from jdbench.record import Array
from jdbench.report.drawing import Drawing, render
from jdbench.report.palette import Style
from jdbench.report.panels import colour_bar, panels_size, small_multiples
from jdbench.report.paths import RED_TO_YELLOW, Box, box_around, draw_ends, draw_optimum, draw_paths
from jdbench.report.results import Curves, Results, Subject

GRID = 64
"""Points along each side of a background."""

COSINES = ListedColormap(0.5 + 0.5 * colormaps["PiYG"](np.linspace(0, 1, 256)), "cosines")
"""Pink for conflict, green for agreement, as in the paper; half white, so that paths stand out."""

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
        name: np.array([run[f"end_{space}"][:2] for run in mine if f"end_{space}" in run])
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
    low, high = problem.domain
    box = tuple((max(a, low), min(b, high)) for a, b in scene.box)
    sides = [np.linspace(a, b, GRID) for a, b in box]
    points = torch.from_numpy(np.stack(np.meshgrid(*sides), -1))
    cosines = _smallest_cosine(problem.jacobian(points)).numpy()
    mean = problem.objectives(points).mean(-1).numpy()
    # Where gradients never conflict their cosines say nothing, and the mean objective is shown instead.
    conflicting = bool((cosines < 0).any())
    bars = int(conflicting) + int(scene.last > 0)

    def paint(figure: Figure) -> None:
        panels = small_multiples(figure, [looks[name] for name in scene.names], "x₁", "x₂", bars)
        for axes, name in zip(panels, scene.names, strict=True):
            if conflicting:
                _shade(axes, cosines, (box[0], box[1]))
            else:
                axes.contour(*sides, mean, levels=6, colors="#8a8a8a", linewidths=0.5, linestyles="dashed")
            _draw(axes, scene, name)
        _step_bar(figure, scene.last, bars)
        if conflicting:
            what = "cosine of the gradients" if problem.m == 2 else "smallest cosine of two gradients"
            colour_bar(figure, ScalarMappable(Normalize(-1, 1), COSINES), what, bars - 1, bars)

    background = "cosine similarity of the gradients" if conflicting else "contours of the mean objective"
    return render(
        "parameters",
        f"Paths and end points on {subject.spec} in parameter space, with {background}.",
        panels_size(len(scene.names), bars),
        paint,
    )


def _objective_space(
    problem: AnalyticProblem, subject: Subject, scene: Scene, looks: Mapping[str, Style]
) -> Drawing:
    bars = int(scene.last > 0)

    def paint(figure: Figure) -> None:
        panels = small_multiples(figure, [looks[name] for name in scene.names], "f₁", "f₂", bars)
        for axes, name in zip(panels, scene.names, strict=True):
            _draw(axes, scene, name)
        _step_bar(figure, scene.last, bars)

    which = "objective space" if problem.m == 2 else f"the first two of {problem.m} objectives"
    return render(
        "objectives",
        f"Paths and end points on {subject.spec} in {which}, with the front.",
        panels_size(len(scene.names), bars),
        paint,
    )


def _draw(axes: Axes, scene: Scene, name: str) -> None:
    draw_optimum(axes, scene.optimal)
    draw_paths(axes, scene.paths.get(name, ()), scene.space, scene.box, scene.last)
    if len(scene.ends.get(name, ())):
        draw_ends(axes, scene.ends[name])
    axes.set_xlim(*scene.box[0])
    axes.set_ylim(*scene.box[1])


def _step_bar(figure: Figure, last: float, bars: int) -> None:
    if last <= 0:
        return
    scale = ScalarMappable(Normalize(0, math.log1p(last)), RED_TO_YELLOW)
    shown = [step for step in (0, 1, 10, 100, 1000, 10_000, 100_000) if step <= last]
    bar = colour_bar(figure, scale, "step", 0, bars)
    bar.set_ticks(list(np.log1p(shown)), labels=[str(step) for step in shown])


def _shade(axes: Axes, cosines: Array, box: Box) -> None:
    axes.imshow(
        cosines,
        cmap=COSINES,
        vmin=-1,
        vmax=1,
        extent=(*box[0], *box[1]),
        origin="lower",
        aspect="auto",
        interpolation="none",
    )


def _smallest_cosine(J: Tensor) -> Tensor:
    """Return the smallest cosine of two rows, 1 for a single row; zero rows count as orthogonal to all."""
    norms = J.norm(dim=-1, keepdim=True)
    units = J / torch.where(norms > 0, norms, 1.0)
    cosines = units @ units.mT
    return cosines.where(~torch.eye(J.shape[-2], dtype=torch.bool), 1.0).amin((-2, -1))
