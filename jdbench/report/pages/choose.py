"""Which aggregator should I use? The choices of each situation, with the figures behind them."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.frames import flags, names, numbers, only, rows, where
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, BEHIND, CLOSE, SITUATION
from jdbench.report.figures.palette import Style
from jdbench.report.pages.template import fill
from jdbench.report.tables.cells import Cell, PageTable, text
from jdbench.report.tables.columns import aggregator_column, page_table, shown
from jdbench.report.tables.rankings import rank_cell
from jdbench.report.tables.verdicts import verdict_columns
from jdbench.spec import slug


class AdviceRow(NamedTuple):
    """What a situation comes to; the fields are columns."""

    situation: str
    rule: str
    problems: int
    aggregator: str
    others: int
    told_apart: int
    p_friedman: float


@dataclass(frozen=True)
class Advice:
    """What a situation comes to.

    Attributes:
        name: The situation.
        anchor: The same for links within the page.
        rule: Which problems and aggregators are compared, by what.
        problems: How many problems count.
        best: Who has the smallest mean rank.
        close: Who is not distinguishable from it, itself included, best first.
        others: Number of those who are.
        apart: Number of those whom the rank tests tell from the best too.
        p_friedman: Chance of such ranks if all were alike; NaN where there was no test.
        table: The figures.
    """

    name: str
    anchor: str
    rule: str
    problems: int
    best: Style
    close: list[Style]
    others: int
    apart: int
    p_friedman: float
    table: PageTable


def choose_page(results: Results, looks: dict[str, Style], *, compact: bool = False) -> str:
    """Return the page of choices.

    Args:
        results: What was read.
        looks: Styles of all aggregators.
        compact: Whether the report has no other pages than this and the first.

    Returns:
        HTML.
    """
    answers = rows(results.table("answers"), AdviceRow)
    return fill(
        "choose.html",
        results,
        looks,
        compact=compact,
        advices=[_advice(results, answer, looks) for answer in answers],
        tested=any(not math.isnan(answer.p_friedman) for answer in answers),
    )


def _advice(results: Results, answer: AdviceRow, looks: dict[str, Style]) -> Advice:
    own = only(results.table("choices"), SITUATION, answer.situation)
    anchor = slug(answer.situation)
    columns = [
        aggregator_column(own, looks),
        *verdict_columns(own, results.verdicts),
        shown(schema.SITUATION_RANK, [rank_cell(rank) for rank in numbers(own, schema.SITUATION_RANK)]),
        shown(BEHIND, _behind(own)),
        shown(CLOSE, [text("close" if c else "behind", "good" if c else "") for c in flags(own, CLOSE)]),
        shown(
            schema.APART_FROM_BEST,
            [text("apart" if apart else "–") for apart in flags(own, schema.APART_FROM_BEST)],
        ),
    ]
    return Advice(
        answer.situation,
        anchor,
        answer.rule,
        answer.problems,
        looks[answer.aggregator],
        [looks[name] for name in names(where(own, flags(own, CLOSE)), AGGREGATOR)],
        answer.others,
        answer.told_apart,
        answer.p_friedman,
        page_table(f"figures-{anchor}", f"Mean ranks, situation {answer.situation}", columns),
    )


def _behind(own: pd.DataFrame) -> list[Cell]:
    """Return the cells of how far each is behind the best, with the interval."""
    values = zip(*(numbers(own, name) for name in (BEHIND, schema.BEHIND_LOW, schema.BEHIND_HIGH)), strict=True)
    return [Cell(f"{gap:.2f} ({low:.2f} to {high:.2f})", repr(float(gap))) for gap, low, high in values]
