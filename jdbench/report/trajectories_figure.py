"""Figures 3 and 4 of [JD]: the paths of the reference runs, among parameters and among objective values."""

from collections.abc import Mapping, Sequence

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
from jdbench.report.paths import RED_TO_YELLOW, Box, box_around, draw_paths
from jdbench.report.results import Curves, Results, Subject

GRID = 120
"""Points along each side of a background."""

COSINES = ListedColormap(0.5 + 0.5 * colormaps["PiYG"](np.linspace(0, 1, 256)), "cosines")
"""Pink for conflict, green for agreement, as in the paper; half white, so that paths stand out."""

ALONG = 200
"""Points along the Pareto set."""

Paths = Mapping[str, Sequence[Curves]]


def trajectory_figures(results: Results, subject: Subject, looks: Mapping[str, Style]) -> list[Drawing]:
    """Return the paths in parameter space if n = 2 and in objective space if m = 2.

    Args:
        results: What was read.
        subject: A problem.
        looks: Styles of all aggregators.

    Returns:
        Up to two drawings with a panel for each aggregator; none where the problem is no analytic one, cannot
        be had, or no run finished.
    """
    problem = subject.analytic
    runs = results.finished(subject, reference=True)
    paths: Paths = {name: runs[name] for name in looks if name in runs}
    if problem is None or not paths:
        return []
    drawings: list[Drawing] = []
    optimal = problem.pareto_set(ALONG)
    if problem.n == 2:
        drawings.append(_parameter_space(problem, subject, paths, looks, optimal.numpy()))
    if problem.m == 2:
        drawings.append(_objective_space(subject, paths, looks, problem.objectives(optimal).numpy()))
    return drawings


def _parameter_space(
    problem: AnalyticProblem, subject: Subject, paths: Paths, looks: Mapping[str, Style], optimal: Array
) -> Drawing:
    box = _box(paths, "x", optimal)
    sides = [np.linspace(low, high, GRID) for low, high in box]
    points = torch.from_numpy(np.stack(np.meshgrid(*sides), -1))
    cosines = _smallest_cosine(problem.jacobian(points)).numpy()
    mean = problem.objectives(points).mean(-1).numpy()
    # Where gradients never conflict their cosines say nothing, and the mean objective is shown instead.
    conflicting = bool((cosines < 0).any())

    bars = 2 if conflicting else 1
    last = _last(paths)

    def paint(figure: Figure) -> None:
        panels = small_multiples(figure, [looks[name] for name in paths], "x₁", "x₂", bars)
        for axes, runs in zip(panels, paths.values(), strict=True):
            if conflicting:
                _shade(axes, cosines, box)
            else:
                axes.contour(*sides, mean, levels=8, colors="#8a8a8a", linewidths=0.5, linestyles="dashed")
            draw_paths(axes, runs, "x", optimal, box, last)
        _step_bar(figure, last, bars)
        if conflicting:
            what = "cosine of the gradients" if problem.m == 2 else "smallest cosine of two gradients"
            colour_bar(figure, ScalarMappable(Normalize(-1, 1), COSINES), what, 1, bars)

    background = "cosine similarity of the gradients" if conflicting else "contours of the mean objective"
    return render(
        f"parameters-{subject.slug}",
        f"Paths of the reference runs on {subject.spec} in parameter space, with {background}.",
        panels_size(len(paths), bars),
        paint,
    )


def _objective_space(subject: Subject, paths: Paths, looks: Mapping[str, Style], front: Array) -> Drawing:
    box, last = _box(paths, "f", front), _last(paths)

    def paint(figure: Figure) -> None:
        panels = small_multiples(figure, [looks[name] for name in paths], "f₁", "f₂", 1)
        for axes, runs in zip(panels, paths.values(), strict=True):
            draw_paths(axes, runs, "f", front, box, last)
        _step_bar(figure, last, 1)

    return render(
        f"objectives-{subject.slug}",
        f"Paths of the reference runs on {subject.spec} in objective space, with the front.",
        panels_size(len(paths), 1),
        paint,
    )


def _box(paths: Paths, space: str, optimal: Array) -> Box:
    """Return limits around starts and optimum: a run that leaves them is cut off, the others not shrunk."""
    starts = [run[space][:1] for runs in paths.values() for run in runs]
    points = np.concatenate([*starts, optimal])
    return box_around(points[np.isfinite(points).all(1)])


def _last(paths: Paths) -> float:
    return max(float(run["steps"][-1]) for runs in paths.values() for run in runs)


def _step_bar(figure: Figure, last: float, bars: int) -> None:
    scale = ScalarMappable(Normalize(0, np.log1p(last) or 1.0), RED_TO_YELLOW)
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
