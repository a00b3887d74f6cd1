"""The table of what the selected runs on a problem were like along the way."""

import math
from collections.abc import Mapping

import pandas as pd

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Results
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import Heading, Table, aggregator, number
from jdbench.roster import in_order

ALONG = {
    "decades_median": (
        "decades",
        "log₁₀ of the longest over the shortest non-zero gradient: median over the steps",
    ),
    "decades_largest": ("largest", "the largest of these in any step of any run"),
    "weights_median": ("‖w‖", "norm of the weights of the aggregation: median over the steps"),
    "weights_largest": ("largest ‖w‖", "the largest of these in any step of any run"),
    "mean_cosine": ("cosine", "to the mean gradient: mean over the steps"),
    "rises": (
        "rises",
        "share of steps that raise an objective; of a training, of intervals in which its loss rose",
    ),
    "largest_rise": ("largest rise", "the largest of these, relative to the value at the start"),
    "smoothness": ("smoothness", "mean cosine of consecutive steps: 1 on a line, -1 to and fro"),
    "path_length": ("path", "length of the path"),
    "seconds": ("seconds", "wall-clock time of a run, of a batch its share"),
}
"""Indicators of the table of what runs were like, with heading and note."""

LARGEST = ("decades_largest", "weights_largest", "largest_rise")
"""Those of which the largest over the runs is told; of the others, the median."""


def along(results: Results) -> pd.DataFrame:
    """Return what the selected runs of each aggregator on each problem were like.

    Args:
        results: What was read.

    Returns:
        Columns ``problem aggregator`` and `ALONG`, medians over the runs that finished, of `LARGEST` the
        largest.
    """
    selected = results.tables["selected"]
    ended = selected[selected["state"] == "finished"]
    names = [name for name in ALONG if name in ended]
    groups = ended.groupby(["problem", "aggregator"])
    return groups[names].agg({name: "max" if name in LARGEST else "median" for name in names}).reset_index()


def along_table(results: Results, subject: Subject, looks: Mapping[str, Style]) -> Table | None:
    """Return the table of what the selected runs on a problem were like.

    Args:
        results: What was read, with the table ``along``.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        The table; None where no run finished.
    """
    rows = results.rows("along", problem=subject.spec)
    shown = [name for name in ALONG if any(not math.isnan(row.get(name, math.nan)) for row in rows)]
    if not rows or not shown:
        return None
    headings = [Heading("aggregator"), *(Heading(*ALONG[name]) for name in shown)]
    by_name = {row["aggregator"]: row for row in rows}
    cells = [
        [aggregator(looks[name]), *(number(by_name[name][column]) for column in shown)]
        for name in in_order(by_name)
    ]
    return Table("along", f"What the selected runs on {subject.spec} were like", headings, cells)
