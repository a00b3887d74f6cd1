"""The ranks of aggregators in each seed of a problem, from which every other rank and test follows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import parts
from jdbench.analysis.schema import AGGREGATOR, PROBLEM, RANK, SCORE, SEED, STATE

TIED_DIGITS = 6
"""Scores that agree to this many digits are tied: their differences are rounding."""


class Criterion(NamedTuple):
    """What runs are compared by.

    Attributes:
        column: Of a table of runs.
        larger_is_better: Whether it is.
    """

    column: str
    larger_is_better: bool


BY_SCORE = (Criterion(SCORE, larger_is_better=False),)


def seed_ranks(runs: pd.DataFrame, criteria: Sequence[Criterion] = BY_SCORE) -> pd.DataFrame:
    """Return the rank of each aggregator in each seed of a problem, mean over criteria.

    1 is best; ties share the mean of their ranks. What is missing, as where a run did not finish, is tied last.

    Args:
        runs: Selected runs on one problem.
        criteria: By which.

    Returns:
        One row a seed that all aggregators have run, one column an aggregator.

    Example:
        >>> import numpy as np
        >>> import pandas as pd
        >>> from jdbench.analysis.seed_ranks import seed_ranks
        >>> runs = pd.DataFrame({"aggregator": ["A", "B", "C"], "score": [0.5, 0.1, np.inf]})
        >>> runs = runs.assign(seed=1, state=["finished", "finished", "diverged"])
        >>> seed_ranks(runs).to_dict("records")
        [{'A': 2.0, 'B': 1.0, 'C': 3.0}]
    """
    complete = runs.pivot_table(index=SEED, columns=AGGREGATOR, values=STATE, aggfunc="first").dropna()
    ranks: list[pd.DataFrame] = []
    for column, larger in criteria:
        price = (-1 if larger else 1) * runs[column]
        price = price.where(runs[STATE] == "finished", np.inf).fillna(np.inf)
        costs = runs.assign(cost=price).pivot_table(
            index=SEED, columns=AGGREGATOR, values="cost", aggfunc="first"
        )
        rounded = costs.loc[complete.index].map(lambda cost: float(f"{cost:.{TIED_DIGITS - 1}e}"))
        ranks.append(rounded.rank(axis=1, method="average"))
    return sum(ranks[1:], ranks[0]) / len(ranks)


def all_seed_ranks(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return `seed_ranks` by score of every problem, a row for each aggregator in each seed."""
    found = [
        seed_ranks(runs).reset_index().melt(id_vars=SEED, value_name=str(RANK)).assign(**{PROBLEM: problem})
        for problem, runs in parts(ranked, PROBLEM)
    ]
    kept = [part for part in found if len(part)]
    columns = [*SEED_RANKS.columns]
    return pd.concat(kept, ignore_index=True).filter(items=columns) if kept else pd.DataFrame(columns=columns)


def by_problem(ranks: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return a table of the ranks of seeds as `seed_ranks` of each problem, sorted by its spec.

    Problems without a seed that all their aggregators have run have none.
    """
    return {
        problem: own.pivot(index=SEED, columns=AGGREGATOR, values=RANK)
        for problem, own in parts(ranks, PROBLEM)
    }


def problem_ranks(ranks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the mean rank over seeds: a row a problem, a column an aggregator, NaN where it did not run."""
    return pd.DataFrame({problem: table.mean() for problem, table in ranks.items()}).T


SEED_RANKS = Table(
    "seed_ranks",
    "The rank of each aggregator in each seed, by score",
    (PROBLEM, SEED, AGGREGATOR, RANK),
    lambda results: all_seed_ranks(results.table("ranked")),
    needs=("ranked",),
    download=False,
    listed=False,
)
PROBLEM_RANKS = Table(
    "problem_ranks",
    "Mean rank over the seeds of each problem",
    (PROBLEM,),
    lambda results: (
        problem_ranks(by_problem(results.table("seed_ranks")))
        .rename_axis(index=str(PROBLEM), columns=None)
        .reset_index()
    ),
    needs=("seed_ranks",),
    rest=schema.RANK_OF_PROBLEM,
    listed=False,
)
