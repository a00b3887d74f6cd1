"""The norms of the weights beside every rank: median and largest ‖w‖ over the selected runs."""

from collections.abc import Sequence

import pandas as pd

from jdbench.analysis.family_tables import OVERALL
from jdbench.analysis.results import Results, Row
from jdbench.report.tables.cells import Cell, Heading, number

KEYS = ["problem", "aggregator"]

NORMS = {"weights_median": "median", "weights_largest": "max"}
"""Columns that are added, and what is taken of them over problems."""


def with_weight_norms(results: Results) -> Results:
    """Return the results with the norms of the weights in the tables ``problem_results`` and ``ranking``.

    Args:
        results: What was read, with the tables ``along`` and ``problem_results``.

    Returns:
        The same, these tables with columns ``weights_median`` and ``weights_largest``, NaN for aggregators
        without weights. On a problem they are those of the table ``along``; of a family or all problems the
        median over its problems, so that each counts alike, and the largest.
    """
    norms = results.tables["along"].reindex(columns=[*KEYS, *NORMS])
    families = {OVERALL: results.subjects, **{family.name: family.subjects for family in results.families}}
    parts: list[pd.DataFrame] = []
    for name, subjects in families.items():
        own = norms[norms["problem"].isin([subject.spec for subject in subjects])]
        parts.append(own.groupby("aggregator")[list(NORMS)].agg(NORMS).reset_index().assign(family=name))
    tables = {"problem_results": (norms, KEYS), "ranking": (pd.concat(parts), ["family", "aggregator"])}
    return results.adding(**{
        name: results.tables[name].merge(added, on=keys, how="left")
        for name, (added, keys) in tables.items()
        if len(results.tables[name])
    })


def norm_headings(over: str) -> list[Heading]:
    """Return the heads of the two columns.

    Args:
        over: What the median is taken over, after that over the steps.

    Returns:
        Headings.
    """
    without = "– for an aggregation without weights"
    return [
        Heading(
            "‖w‖", f"norm of the weights of the aggregation: median over the steps, then over {over}; {without}"
        ),
        Heading("largest ‖w‖", f"the largest of these in any step of any selected run; {without}"),
    ]


def norm_cells(row: Row) -> Sequence[Cell]:
    """Return the cells of the two columns.

    Args:
        row: Of ``problem_results`` or ``ranking``.

    Returns:
        Cells.
    """
    return [number(row[name]) for name in NORMS]
