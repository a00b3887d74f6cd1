"""The tables of what the selected runs on a problem were like, and of what those of a training came to."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.along import ALONG
from jdbench.analysis.declarations import Column
from jdbench.analysis.frames import numbers, only, ordered, rows
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, PROBLEM
from jdbench.analysis.trainings import END_INDICATORS
from jdbench.report.tables.cells import PageTable, measure, number
from jdbench.report.tables.columns import Looks, Shown, aggregator_column, heading, number_column, page_table
from jdbench.report.tables.verdicts import verdict_columns
from jdbench.roster import in_order


def along_table(results: Results, entry: ProblemEntry, looks: Looks) -> PageTable | None:
    """Return the table of what the selected runs on a problem were like.

    Returns:
        The table, of the indicators and metrics that some run has; None where no run finished.
    """
    own = only(results.table("along"), PROBLEM, entry.spec)
    known = {column: column for column in (*ALONG, *results.metrics)}
    columns = [known[name] for name in known if name in own and not np.isnan(numbers(own, name)).all()]
    if not len(own) or not columns:
        return None
    own = ordered(own, AGGREGATOR, in_order(own[AGGREGATOR]))
    return page_table(
        "along",
        f"What the selected runs on {entry.spec} were like",
        [aggregator_column(own, looks), *(number_column(own, column) for column in columns)],
    )


class _Found(NamedTuple):
    aggregator: str
    measure: str
    larger_is_better: bool
    mean: float
    sem: float


def held_out_table(results: Results, entry: ProblemEntry, looks: Looks) -> PageTable | None:
    """Return the table of what the selected runs of a training came to.

    Returns:
        The table; None where there is nothing to tell.
    """
    found = rows(only(results.table("held_out"), PROBLEM, entry.spec), _Found)
    if not found:
        return None
    larger = {row.measure: row.larger_is_better for row in found}
    cells = {(row.aggregator, row.measure): measure(row.mean, row.sem) for row in found}
    order = in_order(row.aggregator for row in found)
    frame = pd.DataFrame({AGGREGATOR: order})
    return page_table(
        "held-out",
        f"What the selected runs on {entry.spec} came to",
        [
            aggregator_column(frame, looks),
            *verdict_columns(frame, results.verdicts),
            *(
                Shown(
                    heading(measured(name, more)),
                    [cells.get((one, name), number(math.nan)) for one in order],
                )
                for name, more in larger.items()
            ),
        ],
    )


def measured(name: str, larger_is_better: bool) -> Column:
    """Return the declaration of a measure of a training, or of an indicator of its end."""
    for column in (*END_INDICATORS, schema.TASK_RANK):
        if column == name:
            return column
    better = "more" if larger_is_better else "less"
    return Column(name, "on data held out from training", better=better, heading=name)
