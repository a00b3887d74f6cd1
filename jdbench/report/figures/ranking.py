"""The ranking as a figure: a dot for the mean rank, a bar for its bootstrap interval."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from jdbench.analysis.ranking import LEVEL
from jdbench.analysis.results import Results
from jdbench.report.figures.drawing import Drawing, plain, render
from jdbench.report.figures.palette import SOLID, Style


def ranking_figure(results: Results, family: str, looks: Mapping[str, Style]) -> list[Drawing]:
    """Return the figure of a ranking, best on top.

    Args:
        results: What was read.
        family: Name of a family, or `jdbench.analysis.family_tables.OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        One drawing; none where nobody is ranked.
    """
    rows = results.rows("ranking", family=family)
    if not rows:
        return []

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, row in enumerate(rows):
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
        names = [plain(looks[row["aggregator"]].label) for row in rows]
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.7, max(len(names), *(row["high"] for row in rows)) + 0.3)
        axes.set_xlabel(
            f"mean rank over problems (1 is best) with {LEVEL:.0%} bootstrap interval over problems and seeds"
        )
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)

    description = f"Mean rank of each aggregator over {family} with its bootstrap interval, best on top."
    return [render("ranking-figure", description, (8.2, 0.75 + 0.25 * len(rows)), paint)]
