"""The tables of problems: the results on one, and who leads on each, and what trainings came to."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.along import ALONG
from jdbench.analysis.declarations import Column
from jdbench.analysis.frames import flags, numbers, only, ordered, parts, rows
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, PROBLEM
from jdbench.analysis.trainings import END_INDICATORS
from jdbench.analysis.traits import CONFLICT_RULE, SPREAD_DECADES, Traits
from jdbench.report.tables.cells import (
    MISSING,
    Cell,
    Heading,
    PageTable,
    aggregator,
    count,
    link,
    measure,
    number,
    text,
)
from jdbench.report.tables.columns import (
    Looks,
    Shown,
    aggregator_column,
    count_column,
    heading,
    measure_column,
    number_column,
    page_table,
    shown,
)
from jdbench.report.tables.stops import margin
from jdbench.report.tables.verdicts import verdict_columns
from jdbench.roster import in_order


def results_table(results: Results, entry: ProblemEntry, looks: Looks) -> PageTable | None:
    """Return the table of a problem.

    Returns:
        The table; None where only reference runs were made.
    """
    own = only(results.table("problem_results"), PROBLEM, entry.spec)
    if not len(own):
        return None
    margins = zip(numbers(own, schema.WORST_MARGIN), flags(own, schema.CONFLICTING), strict=True)
    return page_table(
        "results",
        f"Results on {entry.spec}",
        [
            aggregator_column(own, looks),
            *verdict_columns(own, results.verdicts),
            number_column(own, schema.RANK_OF_PROBLEM),
            measure_column(own, schema.SCORE, schema.SCORE_SEM),
            measure_column(own, schema.FINAL, schema.FINAL_SEM),
            number_column(own, schema.MEDIAN_RATE),
            count_column(own, schema.SEEDS_LOST, schema.SEEDS),
            count_column(own, schema.SEEDS_AT_EDGE, schema.SEEDS),
            number_column(own, schema.NORM),
            number_column(own, schema.LARGEST_NORM),
            shown(schema.WORST_MARGIN, [margin(float(value), bool(bad)) for value, bad in margins]),
        ],
    )


class _Leader(NamedTuple):
    leader: str
    score: float
    aggregators: int
    ranked: bool
    seeds: int
    seeds_lost: int


def problems_table(results: Results, entries: Sequence[ProblemEntry], looks: Looks) -> PageTable:
    """Return the problems with who leads on each, and links to their pages."""
    traits = {trait.problem: trait for trait in rows(results.table("traits"), Traits)}
    leaders = {spec: rows(own, _Leader) for spec, own in parts(results.table("leaders"), PROBLEM)}
    rule = f"conflicting: {CONFLICT_RULE}; norms spread: over more than {SPREAD_DECADES:g} decades"
    headings = [
        Heading(PROBLEM.heading),
        Heading(schema.FAMILY.heading),
        heading(schema.M),
        heading(schema.N),
        Heading(schema.TRAITS.heading, rule),
        heading(schema.DECADES),
        heading(schema.LEADER),
        heading(schema.LEADING_SCORE),
        heading(schema.SEEDS_LOST_BY_ANY),
    ]
    cells: list[list[Cell]] = []
    for entry in entries:
        trait, first = traits[entry.spec], leaders[entry.spec][0]
        cells.append([
            link(entry.spec, entry.page),
            text(entry.family),
            number(trait.m),
            number(trait.n, 6),
            text(trait.traits, "long"),
            number(trait.decades, 2),
            _leader(leaders[entry.spec], looks),
            number(first.score) if first.aggregators else text(MISSING),
            count(first.seeds_lost, first.seeds),
        ])
    return PageTable("problems", "The problems and who leads on each", headings, cells)


def _leader(tied: Sequence[_Leader], looks: Looks) -> Cell:
    """Return who has the smallest mean score, or how many have it."""
    first = tied[0]
    if not first.ranked:
        return text("nobody: starts are optimal", "long")
    if not first.aggregators:
        return text(MISSING, "long")
    if len(tied) == 1:
        return aggregator(looks[first.leader])
    named = ", ".join(looks[one.leader].label for one in tied)
    return text(named if len(tied) <= 3 else f"{len(tied)} of {first.aggregators} tied", "long")


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
