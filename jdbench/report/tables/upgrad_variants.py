"""Exact UPGrad beside its trace-regularised variant: by problem, and against the decades of the row norms."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from jdbench.analysis import schema
from jdbench.analysis.frames import names, numbers, only, rows, values_of
from jdbench.analysis.rank_tests import SIGNIFICANCE
from jdbench.analysis.results import Results
from jdbench.analysis.schema import VERDICT, of_variant
from jdbench.analysis.upgrad_variants import (
    DECADES_OF_EXACT,
    EXACT,
    FEWEST,
    NEGLIGIBLE,
    REGULARISED,
    TESTED,
    TOO_FEW,
    most_won_first,
)
from jdbench.report.figures.drawing import Picture, render
from jdbench.report.figures.palette import COLOURS
from jdbench.report.tables.cells import Cell, PageTable, number, text
from jdbench.report.tables.columns import Shown, number_column, page_table, problem_column, shown
from jdbench.report.tables.outcomes import pages_of

CLIPPED = 100.0
"""Ratios of scores beyond this, infinite ones among them, are drawn here."""

VARIANTS = ("exact", "regularised")

SIGN = {
    "exact": ("#d1121f", "exact better"),
    "regularised": ("#1f5fd0", "regularised better"),
    "not told apart": ("#666666", "not told apart"),
    "too few seeds": ("#bbbbbb", "too few seeds to tell"),
}
"""Colour and label of each of `jdbench.analysis.upgrad_variants.VERDICTS`."""


class _Summary(NamedTuple):
    better: str
    problems: int
    fewest_seeds: int
    most_seeds: int
    least_decades: float
    decades_median_exact: float
    most_decades: float


def regularisation_table(results: Results) -> PageTable | None:
    """Return the table of the problems that both variants have run.

    Returns:
        The table, those of which the exact one won most seeds first; None where there are none.
    """
    found = results.table("upgrad_against_regularised")
    if not len(found):
        return None
    found = most_won_first(found)
    wins = zip(
        *(values_of(found, name) for name in (schema.EXACT_WINS, schema.REGULARISED_WINS, schema.TIES)),
        strict=True,
    )
    return page_table(
        "regularisation",
        f"{EXACT} against {REGULARISED}",
        [
            problem_column(found, pages_of(results)),
            shown(VERDICT, _verdicts(found)),
            shown(schema.EXACT_WINS, [text(f"{exact} : {other} : {ties}") for exact, other, ties in wins]),
            number_column(found, schema.P_VALUE, 2),
            shown(schema.GAP, [number(100 * abs(float(gap)), 2) for gap in numbers(found, schema.GAP)]),
            *(number_column(found, of_variant(schema.SCORE, name)) for name in VARIANTS),
            *(number_column(found, of_variant(schema.DECADES_MEDIAN, name), 2) for name in VARIANTS),
            *(_weights(found, name) for name in VARIANTS),
            _margin(found),
        ],
    )


def regularisation_summary(results: Results) -> list[str]:
    """Return what the table says, in sentences; none where nobody ran both."""
    found = {one.better: one for one in rows(results.table("upgrad_summary"), _Summary)}
    counts = {name: found[name].problems if name in found else 0 for name in (*VARIANTS, "not told apart")}
    said: list[str] = []
    if TESTED in found:
        said.append(
            f"On {_seeds(found[TESTED], 'were enough')} for a sign test: the exact one is better on "
            f"{counts['exact']}, the regularised one on {counts['regularised']}, and on "
            f"{counts['not told apart']} they are not told apart (p ≥ {SIGNIFICANCE:g}, or median scores that "
            f"differ by less than {100 * NEGLIGIBLE:g} %)."
        )
    if TOO_FEW in found:
        said.append(
            f"On {_seeds(found[TOO_FEW], 'were too few')} to say which is better: with fewer than {FEWEST}, p "
            f"cannot come below {SIGNIFICANCE:g} even if one wins them all."
        )
    said += [
        f"Where the {one.better} one is better, the row norms along the exact one's runs span "
        f"{one.decades_median_exact:.2g} decades in the median, {one.least_decades:.2g} to "
        f"{one.most_decades:.2g}."
        for one in (found[name] for name in VARIANTS if name in found)
        if np.isfinite(one.decades_median_exact)
    ]
    return said


def upgrad_pair(table: PageTable) -> PageTable | None:
    """Return what a table says of exact and trace-regularised UPGrad, without the rows between them.

    Args:
        table: One that names an aggregator in each row.

    Returns:
        The table of their two rows, in its order and with its columns; None where one of them is missing.
    """
    both = {EXACT, REGULARISED}
    pair = [row for row in table.rows if any(cell.look and cell.look.name in both for cell in row)]
    if len(pair) < len(both):
        return None
    caption = "Exact and trace-regularised UPGrad side by side"
    return replace(table, name=f"{table.name}-upgrad", caption=caption, rows=pair)


def regularisation_figure(results: Results) -> list[Picture]:
    """Return the ratio of the scores against the decades of the row norms, a dot a problem.

    Returns:
        One drawing; none where fewer than two problems have both.
    """
    dots = results.table("upgrad_ratios")
    if len(dots) < 2:
        return []

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.set_yscale("log")
        axes.axhline(1, color=COLOURS["Mean"], linewidth=0.8)
        for name, (colour, label) in SIGN.items():
            own = only(dots, VERDICT, name)
            if len(own):
                ratios = np.clip(numbers(own, schema.RATIO), 1 / CLIPPED, CLIPPED)
                axes.scatter(
                    numbers(own, DECADES_OF_EXACT), ratios, s=18, c=colour, alpha=0.8, linewidths=0, label=label
                )
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


def _verdicts(found: pd.DataFrame) -> list[Cell]:
    """Return the cells of which one is better, with the number of seeds where they are too few."""
    cells: list[Cell] = []
    for verdict, seeds in zip(names(found, VERDICT), values_of(found, schema.SEEDS), strict=True):
        said = f"{verdict}: {seeds}" if verdict == TOO_FEW else verdict
        cells.append(Cell(said, said, "good" if verdict == "exact" else ""))
    return cells


def _seeds(one: _Summary, there: str) -> str:
    """Return on how many problems there were how many seeds, in words."""
    problems = f"{one.problems} problem{'' if one.problems == 1 else 's'}"
    least, most = one.fewest_seeds, one.most_seeds
    return f"{problems} there {there} seeds ({least if least == most else f'{least} to {most}'})"


def _weights(found: pd.DataFrame, variant: str) -> Shown:
    column, largest = of_variant(schema.WEIGHTS_MEDIAN, variant), of_variant(schema.WEIGHTS_LARGEST, variant)
    cells: list[Cell] = []
    for median, most in zip(numbers(found, column), numbers(found, largest), strict=True):
        cell = number(float(median), 2)
        cells.append(Cell(f"{cell.text}, largest {number(float(most), 2).text}", cell.key))
    return shown(column, cells)


def _margin(found: pd.DataFrame) -> Shown:
    column = of_variant(schema.WORST_MARGIN, "regularised")
    column_shown = number_column(found, column, 2)
    return Shown(replace(column_shown.heading, text="margin regularised"), column_shown.cells)
