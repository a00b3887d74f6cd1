"""The tables of who is best: rankings, families and problems side by side, and the rank tests."""

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.frames import names, numbers, only, rows, values_of
from jdbench.analysis.problems import OVERALL, Family
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, FAMILY, LOW, MEAN_RANK, POSITION
from jdbench.report.tables.cells import MISSING, Cell, Heading, PageTable, number, text
from jdbench.report.tables.columns import (
    Looks,
    Shown,
    aggregator_column,
    count_column,
    heading,
    number_column,
    page_table,
    shown,
    text_column,
)
from jdbench.report.tables.verdicts import verdict_columns


def ranking_table(results: Results, family: str, looks: Looks) -> PageTable | None:
    """Return the table of a ranking, with the verdicts, the areas of the profiles and the norms of the weights.

    Args:
        results: What was read.
        family: Name of a family, or `OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        The table; None where nobody is ranked.
    """
    board = only(results.table("ranking"), FAMILY, family)
    if not len(board):
        return None
    places = zip(names(board, POSITION), numbers(board, MEAN_RANK), strict=True)
    ends = zip(numbers(board, LOW), numbers(board, schema.HIGH), strict=True)
    return page_table(
        "ranking",
        f"Ranking over {family}",
        [
            Shown(Heading(POSITION.heading), [Cell(place, repr(float(rank))) for place, rank in places]),
            aggregator_column(board, looks),
            *verdict_columns(board, results.verdicts),
            shown(MEAN_RANK, [rank_cell(rank) for rank in numbers(board, MEAN_RANK)]),
            shown(LOW, [Cell(f"{low:.2f} to {high:.2f}", repr(float(low))) for low, high in ends]),
            text_column(board, schema.GROUP),
            *_profile_column(results, family, board),
            number_column(board, schema.NORM_OF_PROBLEMS),
            number_column(board, schema.LARGEST_NORM),
            count_column(board, schema.LOST, schema.RUNS),
        ],
    )


def _profile_column(results: Results, family: str, board: pd.DataFrame) -> list[Shown]:
    """Return the column of the areas of the profiles, if there are any."""
    areas = only(results.table("profile_areas"), FAMILY, family)
    found = dict(zip(names(areas, AGGREGATOR), numbers(areas, schema.PROFILE_AREA), strict=True))
    cells = [number(float(found[n])) if n in found else text(MISSING) for n in names(board, AGGREGATOR)]
    return [shown(schema.PROFILE_AREA, cells)] if found else []


def rank_cell(rank: float, mark: str = "") -> Cell:
    """Return the cell of a mean rank."""
    return Cell(f"{rank:.2f}", repr(float(rank)), mark)


class _Rank(NamedTuple):
    family: str
    aggregator: str
    mean_rank: float
    leads: bool


def families_table(results: Results, looks: Looks) -> PageTable | None:
    """Return the mean ranks in each family side by side.

    Returns:
        The table, in the order of the overall ranking; None where no family has one.
    """
    frame = results.table("family_ranks")
    ranks = {(row.family, row.aggregator): row for row in rows(frame, _Rank)}
    order = pd.DataFrame({AGGREGATOR: list(dict.fromkeys(names(frame, AGGREGATOR)))})
    if not len(order):
        return None

    def column(family: str, head: Heading) -> Shown:
        found = [ranks.get((family, name)) for name in names(order, AGGREGATOR)]
        return Shown(
            head,
            [
                Cell(MISSING, "NaN")
                if row is None
                else rank_cell(row.mean_rank, "good" if row.leads and family != OVERALL else "")
                for row in found
            ],
        )

    return page_table(
        "families",
        "Mean rank in each family, the best in green",
        [
            aggregator_column(order, looks),
            *verdict_columns(order, results.verdicts),
            column(OVERALL, Heading("all", MEAN_RANK.note, MEAN_RANK.better)),
            *(column(family.name, heading(MEAN_RANK, family.name)) for family in results.families),
        ],
    )


class _ProblemRank(NamedTuple):
    problem: str
    aggregator: str
    rank: float
    leads: bool


def ranks_table(results: Results, family: Family, looks: Looks) -> PageTable | None:
    """Return the mean ranks on each problem of a family side by side.

    Returns:
        The table, without problems that are not ranked; None where none is.
    """
    found = rows(only(results.table("ranks_on_problems"), FAMILY, family.name), _ProblemRank)
    ranks = {(row.problem, row.aggregator): row for row in found}
    ranked = {row.aggregator for row in found}
    order = [name for name in looks if name in ranked]
    problems = [entry.spec for entry in family.problems if entry.spec in {row.problem for row in found}]
    if not problems:
        return None

    def cells(problem: str) -> Sequence[Cell]:
        own = [ranks.get((problem, name)) for name in order]
        return [number(float("nan")) if one is None else _rank_of_problem(one) for one in own]

    return page_table(
        "ranks",
        f"Mean rank on each problem of {family.name}, the best in green",
        [
            aggregator_column(pd.DataFrame({AGGREGATOR: order}), looks),
            *(Shown(heading(schema.RANK_OF_PROBLEM, one), list(cells(one))) for one in problems),
        ],
    )


def _rank_of_problem(row: _ProblemRank) -> Cell:
    return number(row.rank, mark="good" if row.leads else "")


def friedman_table(results: Results) -> PageTable | None:
    """Return Friedman's test of each family and of all problems.

    Returns:
        The table; None where there was nothing to test.
    """
    tests = results.table("friedman_tests")
    if not len(tests):
        return None
    pairs = zip(values_of(tests, schema.PAIRS_APART), values_of(tests, schema.PAIRS), strict=True)
    return page_table(
        "friedman",
        "Friedman's test: are the ranks more than chance?",
        [
            Shown(Heading(FAMILY.heading), [text(name) for name in names(tests, FAMILY)]),
            text_column(tests, schema.BLOCKS),
            number_column(tests, schema.FRIEDMAN),
            number_column(tests, schema.P_FRIEDMAN, 2),
            shown(schema.PAIRS_APART, [Cell(f"{apart} of {whole}", str(apart)) for apart, whole in pairs]),
        ],
    )


def pairs_table(results: Results, family: str, looks: Looks) -> PageTable | None:
    """Return the pairs of aggregators that are told apart.

    Args:
        results: What was read.
        family: Name of a family, or `OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        The table, largest difference first, the better of a pair first; None where none is.
    """
    pairs = only(results.table("pairs_apart"), FAMILY, family)
    if not len(pairs):
        return None
    return page_table(
        "pairs",
        f"Pairs told apart over {family}",
        [
            aggregator_column(pairs, looks, schema.BETTER),
            aggregator_column(pairs, looks, schema.WORSE),
            number_column(pairs, schema.DIFFERENCE),
            number_column(pairs, schema.P_NEMENYI, 2),
            number_column(pairs, schema.P_CONOVER, 2),
        ],
    )
