"""Figure 1 of [JD]: four aggregations of two gradients that conflict and differ in length."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from jdbench.aggregators import MGDA, DualProj, Mean, UPGrad
from jdbench.dual_cone import project_weights
from jdbench.gramian import gramian
from jdbench.report.figures.drawing import Picture, render
from jdbench.report.figures.palette import COLOURS
from jdbench.runs.record import Array

GRADIENTS = ((-1.0, 0.9), (3.0, 0.3))
"""g₁ and g₂: they conflict, and so do the mean and g₁."""

REACH = 6.0
"""Length of the cone's edges, beyond the picture."""

GREY = "#444444"


def dual_cone_figure() -> Picture:
    """Return Figure 1 of [JD], computed from the definitions.

    Returns:
        Two panels: how UPGrad is made, and what Mean, MGDA and DualProj give.
    """
    J = torch.tensor(GRADIENTS, dtype=torch.float64)
    projected = (project_weights(gramian(J), torch.eye(2, dtype=torch.float64)) @ J).numpy()

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharex=True, sharey=True)
        for axes in (left, right):
            _cone(axes)
            for i, g in enumerate(GRADIENTS):
                _arrow(axes, np.array(g), f"g{'₁₂'[i]}", GREY)
        for i, p in enumerate(projected):
            _arrow(left, p, f"π(g{'₁₂'[i]})", "#d98880", dashed=True)
            left.plot(*zip(GRADIENTS[i], p, strict=True), color="#999999", linewidth=0.8, linestyle=":")
        _arrow(left, UPGrad()(J).numpy(), "UPGrad", COLOURS["UPGrad"])
        left.set_title("(a) project each gradient onto the dual cone, then average", fontsize=8.5)
        for name, aggregator in {"Mean": Mean(), "MGDA": MGDA(), "DualProj": DualProj()}.items():
            _arrow(right, aggregator(J).numpy(), name, COLOURS[name])
        right.set_title("(b) the mean conflicts with g₁; DualProj projects it", fontsize=8.5)

    return render(
        "dual-cone", "Aggregations of two conflicting gradients and the dual cone.", (9.0, 2.75), paint
    )


def _cone(axes: Axes) -> None:
    """Shade the dual cone: its edges are orthogonal to one gradient each, on the side of the other."""
    first, second = np.array(GRADIENTS)
    edges: list[Array] = []
    for g, other in ((first, second), (second, first)):
        edge = np.array([-g[1], g[0]])
        edges.append(REACH * np.sign(other @ edge) * edge / np.linalg.norm(edge))
    corners = [np.zeros(2), edges[0], edges[0] + edges[1], edges[1]]
    axes.add_patch(Polygon(corners, color="#bfe3bf", linewidth=0))
    axes.set_aspect("equal")
    axes.set_xlim(-1.35, 3.5)
    axes.set_ylim(-0.15, 1.9)
    axes.set_axis_off()


def _arrow(axes: Axes, tip: Array, name: str, colour: str, dashed: bool = False) -> None:
    axes.annotate(
        "",
        xy=(float(tip[0]), float(tip[1])),
        xytext=(0, 0),
        arrowprops={
            "arrowstyle": "-|>",
            "color": colour,
            "linewidth": 1.6,
            "linestyle": "--" if dashed else "-",
            "shrinkA": 0,
            "shrinkB": 0,
            "mutation_scale": 9,
        },
    )
    away = tip / np.linalg.norm(tip)
    steep = abs(away[0]) < away[1] / 2**0.5
    axes.annotate(
        name,
        xy=(float(tip[0]), float(tip[1])),
        xytext=(7 * away[0], 7 * away[1]),
        textcoords="offset points",
        color=colour,
        fontsize=8.5,
        horizontalalignment="center" if steep else "left" if away[0] > 0 else "right",
        verticalalignment="center",
    )
