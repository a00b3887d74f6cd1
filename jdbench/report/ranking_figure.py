"""The ranking as a figure: a dot for the mean rank, a bar for its bootstrap interval."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure

from jdbench.leaderboard import LEVEL
from jdbench.report.drawing import Drawing, plain, render
from jdbench.report.palette import SOLID, Style
from jdbench.report.results import rows_of


def ranking_figure(ranking: pd.DataFrame, looks: Mapping[str, Style]) -> Drawing:
    """Return the figure of a ranking, best on top.

    Args:
        ranking: A `jdbench.leaderboard.ranking` of at least one aggregator.
        looks: Styles of its aggregators.

    Returns:
        The drawing.
    """

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, row in enumerate(rows_of(ranking)):
            look = looks[row["aggregator"]]
            axes.plot(
                [row["low"], row["high"]],
                [place, place],
                color=look.colour,
                linestyle=look.dash,
                linewidth=2.2,
                gid=look.gid(),
            )
            face = look.colour if look.dash == SOLID else "white"
            axes.plot(row["mean_rank"], place, "o", color=look.colour, mfc=face, markersize=6, gid=look.gid())
        names = [plain(looks[name].label) for name in ranking["aggregator"]]
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.7, max(len(names), *ranking["high"]) + 0.3)
        axes.set_xlabel(
            f"mean rank over problems (1 is best) with {LEVEL:.0%} bootstrap interval over problems and seeds"
        )
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)

    return render(
        "ranking",
        "Mean rank of each aggregator over all problems with its bootstrap interval, best on top.",
        (8.2, 0.75 + 0.25 * len(ranking)),
        paint,
    )
