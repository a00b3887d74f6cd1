"""Performance profiles (Dolan and Moré 2002): the share of instances solved within a factor of the fastest."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from jdbench.analysis.performance_profiles import TAU_MAX
from jdbench.analysis.results import Results
from jdbench.report.figures.drawing import Drawing, render
from jdbench.report.figures.lines import label_ends
from jdbench.report.figures.palette import Style


def profiles_figure(results: Results, family: str, looks: Mapping[str, Style]) -> list[Drawing]:
    """Return the profiles of a family or of all problems.

    Args:
        results: What was read.
        family: Name of a family, or `jdbench.analysis.family_tables.OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        One drawing; none where no problem has the cost.
    """
    rows = results.rows("profiles", family=family)
    if not rows:
        return []
    lines: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        lines.setdefault(row["aggregator"], []).append((row["tau"], row["share"]))
    found = {name: np.array(lines[name]).T for name in looks if name in lines}

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
