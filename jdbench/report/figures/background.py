"""The background of a plane of parameters: where gradients conflict, or how the mean objective rises."""

import base64
import io
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import ListedColormap, to_hex
from matplotlib.image import imsave

from jdbench.analysis.conflict import plane
from jdbench.analysis.points import Box
from jdbench.problem import AnalyticProblem
from jdbench.report.figures.svg_panels import SIDE, Bar
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
