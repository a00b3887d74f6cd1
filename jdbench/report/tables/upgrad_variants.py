"""Exact UPGrad beside its trace-regularised variant: by problem, and against the decades of the row norms."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from jdbench.analysis.rank_tests import LEVEL
from jdbench.analysis.results import Results, Row
from jdbench.analysis.upgrad_variants import EXACT, FEWEST, NEGLIGIBLE, REGULARISED
from jdbench.report.figures.drawing import Drawing, render
from jdbench.report.figures.palette import COLOURS
from jdbench.report.tables.cells import Cell, Heading, Table, link, number, text

CLIPPED = 100.0
"""Ratios of scores beyond this, infinite ones among them, are drawn here."""

SIGN = {
    "exact": ("#d1121f", "exact better"),
    "regularised": ("#1f5fd0", "regularised better"),
    "not told apart": ("#666666", "not told apart"),
    "too few seeds": ("#bbbbbb", "too few seeds to tell"),
}
"""Colour and label of each of `jdbench.analysis.upgrad_variants.VERDICTS`."""


def regularisation_table(results: Results) -> Table | None:
    """Return the table of the problems that both variants have run.

    Args:
        results: What was read.

    Returns:
        The table, those of which the exact one won most seeds first; None where there are none.
    """
    rows = results.rows("upgrad_against_regularised")
    if not rows:
        return None
    pages = {subject.spec: subject.page for subject in results.subjects}
    rows.sort(key=lambda row: (row["regularised_wins"] - row["exact_wins"], row["problem"]))
    headings = [
        Heading("problem"),
        Heading(
            "better",
            f"the winner of more seeds by score, where p is below {LEVEL:g} and the median scores differ by at "
            f"least {100 * NEGLIGIBLE:g} %; with fewer than {FEWEST} seeds p cannot be that small",
        ),
        Heading("seeds", "won by the exact one, won by the regularised one, tied"),
        Heading("p", "of the two-sided sign test on the seeds that are not tied"),
        Heading("gap %", "by how much the smaller median score is below the larger"),
        Heading("score exact", "median over the seeds; less is better"),
        Heading("score regularised"),
        Heading(
            "decades exact", "log₁₀ of the longest over the shortest gradient, median over its steps and runs"
        ),
        Heading("decades regularised"),
        Heading(
            "‖w‖ exact", "norm of the weights, median over steps and runs, and median of the runs' largest"
        ),
        Heading("‖w‖ regularised"),
        Heading("margin regularised", "median of the worst margins of non-conflict: negative is a conflict"),
    ]
    cells = [
        [
            link(row["problem"], pages[row["problem"]]),
            _verdict(row),
            text(f"{row['exact_wins']} : {row['regularised_wins']} : {row['ties']}"),
            number(row["p_value"], 2),
            number(100 * abs(row["gap"]), 2),
            number(row["score_exact"]),
            number(row["score_regularised"]),
            number(row["decades_median_exact"], 2),
            number(row["decades_median_regularised"], 2),
            _weights(row["weights_median_exact"], row["weights_largest_exact"]),
            _weights(row["weights_median_regularised"], row["weights_largest_regularised"]),
            number(row["worst_margin_regularised"], 2),
        ]
        for row in rows
    ]
    return Table("regularisation", f"{EXACT} against {REGULARISED}", headings, cells)


def regularisation_summary(results: Results) -> list[str]:
    """Return what the table says, in sentences.

    Args:
        results: What was read.

    Returns:
        Sentences; none where nobody ran both.
    """
    rows = results.rows("upgrad_against_regularised")
    if not rows:
        return []
    counts = Counter(row["better"] for row in rows)
    tested = [row["seeds"] for row in rows if row["better"] != "too few seeds"]
    few = [row["seeds"] for row in rows if row["better"] == "too few seeds"]
    said: list[str] = []
    if tested:
        said.append(
            f"On {_problems(len(tested))} there were enough seeds ({_range(tested)}) for a sign test: the "
            f"exact one is better on {counts['exact']}, the regularised one on {counts['regularised']}, and on "
            f"{counts['not told apart']} they are not told apart (p ≥ {LEVEL:g}, or median scores that differ "
            f"by less than {100 * NEGLIGIBLE:g} %)."
        )
    if few:
        said.append(
            f"On {_problems(len(few))} there were too few seeds ({_range(few)}) to say which is better: with "
            f"fewer than {FEWEST}, p cannot come below {LEVEL:g} even if one wins them all."
        )
    for name in ("exact", "regularised"):
        decades = [row["decades_median_exact"] for row in rows if row["better"] == name]
        known = [value for value in decades if np.isfinite(value)]
        if known:
            said.append(
                f"Where the {name} one is better, the row norms along the exact one's runs span "
                f"{np.median(known):.2g} decades in the median, {min(known):.2g} to {max(known):.2g}."
            )
    return said


def regularisation_figure(results: Results) -> list[Drawing]:
    """Return the ratio of the scores against the decades of the row norms, a dot a problem.

    Args:
        results: What was read.

    Returns:
        One drawing; none where fewer than two problems have both.
    """
    dots: list[tuple[float, float, str]] = []
    for row in results.rows("upgrad_against_regularised"):
        exact, regularised, decades = row["score_exact"], row["score_regularised"], row["decades_median_exact"]
        if (
            np.isfinite(decades)
            and (np.isfinite(exact) or np.isfinite(regularised))
            and exact > 0 < regularised
        ):
            dots.append((decades, float(np.clip(exact / regularised, 1 / CLIPPED, CLIPPED)), row["better"]))
    if len(dots) < 2:
        return []

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.axhline(1, color=COLOURS["Mean"], linewidth=0.8)
        for name, (colour, label) in SIGN.items():
            own = np.array([dot[:2] for dot in dots if dot[2] == name]).reshape(-1, 2)
            if len(own):
                axes.scatter(*own.T, s=18, c=colour, alpha=0.8, linewidths=0, label=label)
        axes.legend(frameon=False, loc="best")
        axes.set_xlabel("decades of the row norms along the exact one's runs, median")
        axes.set_ylabel("score exact / score regularised")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.grid()
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)

    description = (
        "Score of exact over regularised UPGrad against the decades of the row norms, one dot a problem."
    )
    return [render("regularisation", description, (6.4, 3.0), paint)]


def _verdict(row: Row) -> Cell:
    """Return the cell of which one is better, with the number of seeds where they are too few."""
    verdict = row["better"]
    said = f"{verdict}: {row['seeds']}" if verdict == "too few seeds" else verdict
    return Cell(said, said, "good" if verdict == "exact" else "")


def _problems(number: int) -> str:
    return f"{number} problem{'' if number == 1 else 's'}"


def _range(seeds: Sequence[int]) -> str:
    least, most = min(seeds), max(seeds)
    return f"{least}" if least == most else f"{least} to {most}"


def _weights(median: float, largest: float) -> Cell:
    cell = number(median, 2)
    return Cell(f"{cell.text}, largest {number(largest, 2).text}", cell.key)
