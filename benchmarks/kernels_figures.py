"""The figures of `reports/kernels/`: a line for each solver or method, both axes logarithmic."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.gramians import CAPTURED, RANKS
from jdbench.problems.networks import NETWORKS
from jdbench.report.figures.drawing import Picture, render
from jdbench.report.figures.palette import SOLID, Style
from jdbench.spec import slug

COLOURS = {
    "ours": "#d1121f",
    "torchjd": "#1f5fd0",
    "daqp": "#2e8b37",
    "proxqp": "#8e44c9",
    "quadprog": "#f08c00",
    "SGD": "#1a1a1a",
    "engine": "#d1121f",
    "autogram": "#1f5fd0",
    "autojac": "#12a5b5",
    "explicit": "#8a5a3b",
}

NAMES = {
    "torchjd": "TorchJD",
    "engine": "ours (engine)",
    "autogram": "TorchJD autogram",
    "autojac": "TorchJD autojac",
    "explicit": "explicit Jacobian",
}

LOOKS = {
    name: Style(NAMES.get(name, name), NAMES.get(name, name), slug(name), c, SOLID)
    for name, c in COLOURS.items()
}
"""How each solver and method is drawn, and what the legend calls it."""

TITLES = {"full": "full rank, n = m", "half": "rank m/2"} | {
    rank: f"captured on {network}" for rank, network in CAPTURED.items()
}

SMALLEST = 1e-17
"""A residual below is drawn here: zero among them."""

HEIGHT, WIDTH = 2.5, 2.75
"""Of a panel, in inches."""


def projection_figure(frame: pd.DataFrame) -> Picture:
    """Return time above residual by m, as `scaling.solved` yields them, a column for each kind of Gramian."""

    def paint(figure: Figure) -> None:
        panels = figure.subplots(2, len(RANKS), sharex="col", sharey="row", squeeze=False)
        for column, rank in enumerate(RANKS):
            times, residuals = panels[0][column], panels[1][column]
            times.set_title(TITLES[rank])
            chosen: pd.DataFrame = frame.loc[frame["rank"] == rank]
            for solver, lines in chosen.groupby("solver", sort=False):
                m, residual = _numbers(lines, "m"), _numbers(lines, "residual")
                _line(times, str(solver), m, _numbers(lines, "seconds"))
                _line(residuals, str(solver), m, np.maximum(residual, SMALLEST))
            residuals.set_xlabel("m, number of rows")
            _powers(residuals, sorted(set(chosen["m"])))
        panels[0][0].set_ylabel("seconds, UPGrad's weights")
        panels[1][0].set_ylabel("largest KKT residual")
        _finish(panels.flat)

    description = "Time of UPGrad's weights and the largest residual of their programs by m, one line a solver."
    return render("projection", description, (WIDTH * len(RANKS), 2 * HEIGHT), paint)


def training_figure(frame: pd.DataFrame, what: str) -> Picture:
    """Return the time of a ``step`` or ``gramian`` by batch, a panel for each network.

    The frame is as `scaling.trained` yields it.
    """
    label = "seconds, a step with UPGrad" if what == "step" else "seconds, forward and Gramian"
    description = f"{label.capitalize()} by batch size, one line a method, one panel a network."
    return render(what, description, (WIDTH * len(NETWORKS), HEIGHT), _by_batch(frame, what, "seconds", label))


def memory_figure(frame: pd.DataFrame) -> Picture:
    """Return the peak memory of a step by batch, as `scaling.trained` yields it, a panel for each network."""
    label = "bytes above those before the steps"
    description = (
        "Peak memory of three steps with UPGrad by batch size, one line a method, one panel a network."
    )
    return render(
        "memory", description, (WIDTH * len(NETWORKS), HEIGHT), _by_batch(frame, "step", "bytes", label)
    )


def _by_batch(frame: pd.DataFrame, what: str, quantity: str, label: str) -> Callable[[Figure], None]:
    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, len(NETWORKS), sharey=True)
        for axes, network in zip(panels, NETWORKS, strict=True):
            axes.set_title(f"{network} ([JD] Table {NETWORKS[network].table})")
            chosen: pd.DataFrame = frame.loc[(frame["network"] == network) & (frame["what"] == what)]
            for method, lines in chosen.groupby("method", sort=False):
                _line(axes, str(method), _numbers(lines, "batch"), _numbers(lines, quantity))
            axes.set_xlabel("batch")
            _powers(axes, sorted(set(chosen["batch"])))
        panels[0].set_ylabel(label)
        _finish(panels)

    return paint


def _numbers(lines: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return np.asarray(lines[column], dtype=np.float64)


def _line(axes: Axes, name: str, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    look = LOOKS[name]
    axes.plot(x, y, "o-", color=look.colour, linewidth=1.5, markersize=3.5, gid=look.gid())


def _powers(axes: Axes, ticks: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])


def _finish(panels: Iterable[Axes]) -> None:
    for axes in panels:
        axes.set_yscale("log")
        axes.grid()
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
