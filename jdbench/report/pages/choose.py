"""Which aggregator should I use? The choices of each situation, with the figures behind them."""

import math
from dataclasses import dataclass

from jdbench.analysis.results import Results, Row
from jdbench.report.figures.palette import Style
from jdbench.report.pages.template import fill
from jdbench.report.tables.cells import Cell, Heading, Table, aggregator, number, text
from jdbench.report.tables.verdicts import verdict_cells, verdict_headings
from jdbench.spec import slug


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
    table: Table


def choose_page(results: Results, looks: dict[str, Style], *, compact: bool = False) -> str:
    """Return the page of choices.

    Args:
        results: What was read, with the table ``choices``.
        looks: Styles of all aggregators.
        compact: Whether the report has no other pages than this and the first.

    Returns:
        HTML.
    """
    situations: dict[str, list[Row]] = {}
    for row in results.rows("choices"):
        situations.setdefault(row["situation"], []).append(row)
    return fill(
        "choose.html",
        results,
        looks,
        compact=compact,
        advices=[_advice(results, rows, looks) for rows in situations.values()],
        tested=any(not math.isnan(rows[0]["p_friedman"]) for rows in situations.values()),
    )


def _advice(results: Results, rows: list[Row], looks: dict[str, Style]) -> Advice:
    name = rows[0]["situation"]
    anchor = slug(name)
    headings = [
        Heading("aggregator"),
        *verdict_headings(results.verdicts),
        Heading("mean rank", "over the problems, 1 is best"),
        Heading("behind the best", "difference of mean ranks, and the central 95 % of its resamples"),
        Heading("verdict", "not distinguishable where that interval reaches down to 0"),
        Heading("rank tests", "whether Friedman's and Nemenyi's tests tell it from the best"),
    ]
    cells = [
        [
            aggregator(looks[row["aggregator"]]),
            *verdict_cells(results.verdicts, row["aggregator"]),
            Cell(f"{row['mean_rank']:.2f}", repr(float(row["mean_rank"]))),
            Cell(f"{row['behind']:.2f} ({row['low']:.2f} to {row['high']:.2f})", repr(float(row["behind"]))),
            text("close" if row["close"] else "behind", "good" if row["close"] else ""),
            text("apart" if row["apart"] else "–"),
        ]
        for row in rows
    ]
    close = [looks[row["aggregator"]] for row in rows if row["close"]]
    return Advice(
        name,
        anchor,
        rows[0]["rule"],
        int(rows[0]["problems"]),
        looks[rows[0]["aggregator"]],
        close,
        len(rows) - len(close),
        sum(bool(row["apart"]) for row in rows),
        float(number(rows[0]["p_friedman"]).key),
        Table(f"figures-{anchor}", f"Mean ranks, situation {name}", headings, cells),
    )
