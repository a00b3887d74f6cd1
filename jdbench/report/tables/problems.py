"""The tables of problems: the results on one, and who leads on each."""

from collections.abc import Sequence
from typing import NamedTuple

from jdbench.analysis import schema
from jdbench.analysis.frames import flags, numbers, only, parts, rows
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import PROBLEM
from jdbench.analysis.traits import CONFLICT_RULE, SPREAD_DECADES, Traits
from jdbench.report.tables.cells import MISSING, Cell, Heading, PageTable, aggregator, count, link, number, text
from jdbench.report.tables.columns import (
    Looks,
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
