"""The background of a plane of parameters: where gradients conflict, or how the mean objective rises."""

import base64
import io
from typing import NamedTuple

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.image import imsave

from jdbench.analysis.conflict import smallest_cosine
from jdbench.analysis.points import Box
from jdbench.problem import AnalyticProblem
from jdbench.report.figures.svg_panels import SIDE, Bar
from jdbench.runs.record import Array

GRID = 61
"""Points along each side."""

COSINES = ListedColormap(0.5 + 0.5 * colormaps["PiYG"](np.linspace(0, 1, 256)), "cosines")
"""Pink for conflict, green for agreement, as in the paper; half white, so that paths stand out."""

GREYS = ListedColormap(0.45 + 0.55 * colormaps["Greys_r"](np.linspace(0.35, 1, 256)), "greys")

LEVELS = 10
"""Shades of the mean objective, each of as many points of the plane."""


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
    x, y = (np.linspace(low, high, GRID) for low, high in box)
    # The first row of a picture is its top.
    points = torch.from_numpy(np.stack(np.meshgrid(x, y[::-1]), -1))
    inside = ((points >= problem.domain[0]) & (points <= problem.domain[1])).all(-1).numpy()
    cosines = smallest_cosine(problem.jacobian(points)).numpy()
    if (cosines[inside] < 0).any():
        what = "cosine of the gradients" if problem.m == 2 else "smallest cosine of two gradients"
        colours = [to_hex(COSINES(share)) for share in np.linspace(0, 1, 9)]
        bar = Bar(what, colours, [((c + 1) / 2, f"{c:g}") for c in (-1, -0.5, 0, 0.5, 1)])
        return Background(_picture(COSINES((cosines + 1) / 2), inside), bar, what)
    mean = problem.objectives(points).mean(-1).numpy()
    edges = np.quantile(mean[inside & np.isfinite(mean)], np.linspace(0, 1, LEVELS + 1)[1:-1])
    shades = np.searchsorted(edges, mean) / (LEVELS - 1)
    return Background(
        _picture(GREYS(1 - shades), inside), None, "the mean objective in shades, darker for more"
    )


def _picture(colours: Array, inside: Array) -> str:
    pixels = (255 * np.where(inside[..., None], colours, 1.0)[..., :3]).round().astype(np.uint8)
    buffer = io.BytesIO()
    imsave(buffer, pixels, format="png")
    data = base64.b64encode(buffer.getvalue()).decode()
    size = f'width="{SIDE}" height="{SIDE}" preserveAspectRatio="none"'
    return f'<image {size} href="data:image/png;base64,{data}"/>'
