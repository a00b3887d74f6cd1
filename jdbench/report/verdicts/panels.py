"""Small multiples: a panel for each aggregator, all with the same axes."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jdbench.report.figures.drawing import plain
from jdbench.report.figures.palette import Style

COLUMNS = 5

SIDE = 1.7
"""Width and height of a panel in inches, as all lengths here."""

GAP = (0.16, 0.34)
"""Between panels: beside each other, and below each other where the titles are."""

LEFT, RIGHT, BOTTOM, TOP = 0.6, 0.14, 0.5, 0.28
"""Around the panels."""


def panels_size(count: int, head: float = 0.0) -> tuple[float, float]:
    """Return the size of a figure of panels.

    Args:
        count: Number of panels, at least 1.
        head: Room above them, in inches.

    Returns:
        Width and height in inches.
    """
    columns, rows = _shape(count)
    width = LEFT + columns * SIDE + (columns - 1) * GAP[0] + RIGHT
    return width, BOTTOM + rows * SIDE + (rows - 1) * GAP[1] + TOP + head


def small_multiples(figure: Figure, looks: Sequence[Style], x: str, y: str, head: float = 0.0) -> list[Axes]:
    """Return the panels of a figure, titled by aggregator, with tick labels at the edges only.

    Args:
        figure: An empty figure of `panels_size`.
        looks: One style a panel.
        x: What all abscissae are.
        y: What all ordinates are.
        head: Room to leave above the panels, in inches.

    Returns:
        One axes a style.
    """
    columns, rows = _shape(len(looks))
    width, height = panels_size(len(looks), head)
    figure.set_layout_engine("none")
    left, right, bottom, top = (
        LEFT / width,
        1 - RIGHT / width,
        BOTTOM / height,
        1 - (TOP + head) / height,
    )
    grid = figure.subplots(
        rows,
        columns,
        squeeze=False,
        sharex=True,
        sharey=True,
        gridspec_kw={
            "left": left,
            "right": right,
            "bottom": bottom,
            "top": top,
            "wspace": GAP[0] / SIDE,
            "hspace": GAP[1] / SIDE,
        },
    )
    panels: list[Axes] = list(grid.flat)
    for axes in panels[len(looks) :]:
        axes.remove()
    for i, (axes, look) in enumerate(zip(panels, looks, strict=False)):
        axes.set_title(plain(look.label), color=look.colour, fontsize=8, pad=3)
        # Where the last row is short, the panels above the gap carry the labels.
        axes.tick_params(labelbottom=i + columns >= len(looks), length=2)
    figure.text((left + right) / 2, 0.1 / height, x, horizontalalignment="center")
    figure.text(0.05 / width, (bottom + top) / 2, y, verticalalignment="center", rotation="vertical")
    return panels[: len(looks)]


def _shape(count: int) -> tuple[int, int]:
    columns = min(count, COLUMNS)
    return columns, -(-count // columns)
