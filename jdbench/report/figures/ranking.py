"""Figures of rankings: mean ranks with their bootstrap intervals, and performance profiles."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from jdbench.analysis.bootstrap import CONFIDENCE
from jdbench.analysis.frames import numbers, only, parts, rows
from jdbench.analysis.performance_profiles import TAU_MAX
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, FAMILY, SHARE, TAU
from jdbench.report.figures.drawing import Picture, plain, render
from jdbench.report.figures.lines import label_ends
from jdbench.report.figures.palette import SOLID, Style


class _Ranked(NamedTuple):
    aggregator: str
    mean_rank: float
    low: float
    high: float


def ranking_figure(results: Results, family: str, looks: Mapping[str, Style]) -> list[Picture]:
    """Return the figure of a ranking, best on top.

    Args:
        results: What was read.
        family: Name of a family, or `jdbench.analysis.problems.OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        One drawing; none where nobody is ranked.
    """
    ranked = rows(only(results.table("ranking"), FAMILY, family), _Ranked)
    if not ranked:
        return []

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, row in enumerate(ranked):
            look = looks[row.aggregator]
            axes.plot(
                [row.low, row.high],
                [place, place],
                color=look.colour,
                linestyle=look.dash,
                linewidth=2.2,
                gid=look.gid(),
            )
            face = look.colour if look.dash == SOLID else "white"
            axes.plot(row.mean_rank, place, "o", color=look.colour, mfc=face, markersize=6, gid=look.gid())
        names = [plain(looks[row.aggregator].label) for row in ranked]
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0.7, max(len(names), *(row.high for row in ranked)) + 0.3)
        axes.set_xlabel(
            f"mean rank over problems (1 is best) with {CONFIDENCE:.0%} bootstrap interval over problems and "
            "seeds"
        )
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)

    description = f"Mean rank of each aggregator over {family} with its bootstrap interval, best on top."
    return [render("ranking-figure", description, (8.2, 0.75 + 0.25 * len(ranked)), paint)]


def profiles_figure(results: Results, family: str, looks: Mapping[str, Style]) -> list[Picture]:
    """Return the profiles of a family or of all problems.

    Args:
        results: What was read.
        family: Name of a family, or `jdbench.analysis.problems.OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        One drawing; none where no problem has the cost.
    """
    lines = dict(parts(only(results.table("profiles"), FAMILY, family), AGGREGATOR))
    if not lines:
        return []
    found = {name: (numbers(lines[name], TAU), numbers(lines[name], SHARE)) for name in looks if name in lines}

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_xscale("log", base=2)
        axes.set_xlim(1, TAU_MAX)
        axes.set_ylim(0, 1.02)
        for name, (tau, share) in found.items():
            look = looks[name]
            axes.step(
                tau, share, where="post", color=look.colour, linestyle=look.dash, linewidth=1.5, gid=look.gid()
            )
        ticks = 2.0 ** np.arange(0, np.log2(TAU_MAX) + 1)
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xlabel("factor τ of the fewest steps that anybody took")
        axes.set_ylabel("share of instances solved within it")
        axes.grid()
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        label_ends(axes, [(looks[name], float(share[-1])) for name, (_, share) in found.items()])

    description = (
        f"Performance profiles over {family}, one line an aggregator: higher and further left is better."
    )
    return [render("profiles", description, (8.6, 4.0), paint)]
