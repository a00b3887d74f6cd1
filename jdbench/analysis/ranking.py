"""The ranking over all problems and in each family, with its uncertainty: intervals and groups."""

from collections.abc import Mapping
from typing import cast

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.bootstrap import interval, resampled_means
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import grouped, names, numbers, only, ordered, series, where
from jdbench.analysis.performance_profiles import positions
from jdbench.analysis.problems import OVERALL, by_family, families
from jdbench.analysis.rank_tests import groups
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    FAMILY,
    GROUP,
    HIGH,
    LEADS,
    LOST,
    LOW,
    MEAN_RANK,
    POSITION,
    PROBLEM,
    PROBLEMS,
    RUNS,
    SCORE,
    UNRUN,
)
from jdbench.analysis.seed_ranks import by_problem, problem_ranks
from jdbench.roster import in_order

RANKING_COLUMNS = (POSITION, AGGREGATOR, MEAN_RANK, LOW, HIGH, GROUP, RUNS, LOST)

FAMILY_NORMS = {schema.NORM_OF_PROBLEMS: "median", schema.LARGEST_NORM: "max"}
"""Columns with the norms of the weights, and what is taken of them over problems."""

EQUAL = 1e-9
"""Mean ranks that differ by no more are equal: the order of a sum must not break a tie, nor make one."""


def ranking(ranks: pd.DataFrame, tests: pd.DataFrame, runs: pd.DataFrame, *, seed: int = 1) -> pd.DataFrame:
    """Return the aggregators by their mean rank over problems, with intervals, groups and losses.

    Each problem counts alike. An aggregator that misses a problem is not ranked; a problem without a seed that
    all its aggregators have run does not count.

    Args:
        ranks: Of seeds, see `jdbench.analysis.seed_ranks.all_seed_ranks`.
        tests: Of the pairs, by `jdbench.analysis.rank_tests.rank_tests`.
        runs: The runs that are compared, of which the lost are counted.
        seed: Seed of the resampling.

    Returns:
        The columns `RANKING_COLUMNS`. Positions are tied (``2=``) where mean ranks are equal; the interval is
        that of `jdbench.analysis.bootstrap`; ``group`` holds the letters of
        `jdbench.analysis.rank_tests.groups`, of which aggregators that cannot be told apart share one; ``runs``
        counts selected runs of these problems and ``lost`` those of them for which no rate finished.
    """
    tables = by_problem(ranks)
    ranked = sorted(set.intersection(*(set(table.columns) for table in tables.values()))) if tables else []
    values = [table[ranked].to_numpy() for table in tables.values()]
    means = np.array([value.mean(0) for value in values]).reshape(len(values), len(ranked))
    low, high = interval(resampled_means(values, seed=seed))
    counted = on_problems_of(runs, ranks).groupby(AGGREGATOR)[SCORE]
    letters = groups(pd.DataFrame(means, index=list(tables), columns=ranked), tests)
    result = pd.DataFrame({
        AGGREGATOR: ranked,
        MEAN_RANK: means.mean(0) if len(means) else np.zeros(0),
        LOW: low,
        HIGH: high,
        GROUP: [letters[name] for name in ranked],
        RUNS: counted.size().reindex(ranked).to_numpy(),
        LOST: counted.agg(lambda scores: int((~np.isfinite(scores)).sum())).reindex(ranked).to_numpy(),
    })
    result = result.sort_values([MEAN_RANK, AGGREGATOR], ignore_index=True)
    result.insert(0, str(POSITION), positions(result[MEAN_RANK].to_numpy().round(9)))
    return result


def on_problems_of(runs: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Return the rows on problems that another table has too."""
    return where(runs, series(runs, PROBLEM).isin(names(others, PROBLEM)))


def family_rankings(
    ranks: pd.DataFrame,
    tests: pd.DataFrame,
    runs: pd.DataFrame,
    family_of: Mapping[str, str],
    *,
    seed: int = 1,
) -> pd.DataFrame:
    """Return the `ranking` of every family, and over all problems, with the number of those that count."""

    def board(name: str, part: pd.DataFrame) -> pd.DataFrame:
        own = on_problems_of(ranks, part)
        made = ranking(own, only(tests, FAMILY, name), part, seed=seed)
        made.insert(0, str(PROBLEMS), len(problem_ranks(by_problem(own))))
        return made

    return by_family(runs, family_of, board)


def with_norms(board: pd.DataFrame, along: pd.DataFrame, family_of: Mapping[str, str]) -> pd.DataFrame:
    """Return rankings with the norms of the weights, NaN for aggregators without weights.

    Args:
        board: Of `family_rankings`.
        along: Of `jdbench.analysis.along.along`, with the norms on each problem.
        family_of: Family of each problem.

    Returns:
        With the median over the problems, so that each counts alike, and the largest.
    """
    if not len(board):
        return board.reindex(columns=[*board.columns, *FAMILY_NORMS])
    own = along.reindex(columns=[PROBLEM, AGGREGATOR, *FAMILY_NORMS])

    def norms(_: str, part: pd.DataFrame) -> pd.DataFrame:
        return grouped(part, [AGGREGATOR], {str(name): how for name, how in FAMILY_NORMS.items()})

    return board.merge(by_family(own, family_of, norms), on=[FAMILY, AGGREGATOR], how="left")


def family_ranks(results: Results) -> pd.DataFrame:
    """Return the mean ranks over all problems and in each family, and whether no other is smaller there.

    Aggregators come in the order of the overall ranking; then those that are ranked in some family only.
    """
    board = results.table("ranking")
    overall = only(board, FAMILY, OVERALL)[AGGREGATOR].tolist()
    order = overall + [name for name in in_order(board[AGGREGATOR]) if name not in overall]
    found = with_leads(board, FAMILY, MEAN_RANK).filter(items=[*FAMILY_RANKS.columns])
    return ordered(found, AGGREGATOR, order)


def with_leads(ranks: pd.DataFrame, among: str, rank: str) -> pd.DataFrame:
    """Return ranks with whether no other is smaller among those that share a value of a column."""
    best = cast("pd.Series", ranks.groupby(among)[rank].transform("min"))
    return ranks.assign(**{LEADS: numbers(ranks, rank) <= best.to_numpy(dtype=np.float64) + EQUAL})


def unranked(results: Results) -> pd.DataFrame:
    """Return who is not ranked over all problems, and on which problems it has no selected run."""
    ranked = set(only(results.table("ranking"), FAMILY, OVERALL)[AGGREGATOR])
    selected = results.table("selected")
    ran = set(zip(selected[PROBLEM], selected[AGGREGATOR], strict=True))
    found = [
        (name, ", ".join(entry.spec for entry in results.problems if (entry.spec, name) not in ran))
        for name in results.aggregators
        if name not in ranked
    ]
    return pd.DataFrame(found, columns=[AGGREGATOR, UNRUN])


def _rankings(results: Results) -> pd.DataFrame:
    family_of = families(results.problems)
    board = family_rankings(
        results.table("seed_ranks"), results.table("rank_tests"), results.table("ranked"), family_of
    )
    return with_norms(board, results.table("along"), family_of)


RANKING = Table(
    "ranking",
    "Ranking over all problems and in each family",
    (FAMILY, PROBLEMS, *RANKING_COLUMNS, *FAMILY_NORMS),
    _rankings,
    needs=("seed_ranks", "rank_tests", "ranked", "along"),
    listed=False,
)
FAMILY_RANKS = Table(
    "family_ranks",
    "Mean rank in each family",
    (FAMILY, AGGREGATOR, MEAN_RANK, LEADS),
    family_ranks,
    needs=("ranking",),
    download=False,
    listed=False,
)
UNRANKED = Table(
    "unranked",
    "Who is not ranked",
    (AGGREGATOR, UNRUN),
    unranked,
    needs=("ranking", "selected"),
    download=False,
    listed=False,
)
