"""Which aggregators are not distinguishable from the best in a situation: a paired bootstrap of mean ranks."""

import numpy as np
import pandas as pd

from jdbench.analysis.bootstrap import interval, resampled_means
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import flags, only, parts, series, where
from jdbench.analysis.rank_tests import friedman, rank_tests
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    APART,
    APART_FROM_BEST,
    BEHIND,
    BEHIND_HIGH,
    BEHIND_LOW,
    CLOSE,
    OTHER,
    OTHERS,
    P_FRIEDMAN,
    PROBLEM,
    PROBLEMS,
    RULE,
    SITUATION,
    SITUATION_RANK,
    TOLD_APART,
)
from jdbench.analysis.seed_ranks import BY_SCORE, by_problem, seed_ranks
from jdbench.analysis.situations import Situation, situations
from jdbench.runs.record import Array

COLUMNS = (
    SITUATION, RULE, PROBLEMS, AGGREGATOR, SITUATION_RANK, BEHIND, BEHIND_LOW, BEHIND_HIGH, CLOSE,
    APART_FROM_BEST, P_FRIEDMAN,
)  # fmt: skip


def choices(results: Results) -> pd.DataFrame:
    """Return how the aggregators stand in each situation.

    In each situation the best is the one with the smallest mean rank over problems. How far another one is
    behind it is resampled by `jdbench.analysis.bootstrap`, the same problems and seeds for both; they are not
    distinguishable if the central 95 % of these differences reach down to 0. Starts at the target already do
    not count, see `jdbench.analysis.run_table.ranked_runs`.

    Returns:
        Columns ``situation rule problems`` (how many count) ``aggregator mean_rank``; ``behind``, its
        difference to the best, and the interval ``low high``; ``close``, whether that reaches 0; ``apart``,
        whether Friedman's and Nemenyi's tests tell it from the best, a stricter question since it allows for
        all pairs; ``p_friedman``. Best first. Aggregators that miss a problem are left out.
    """
    ranked = results.table("ranked")
    by_score = by_problem(results.table("seed_ranks"))
    found = [_standing(ranked, by_score, situation) for situation in situations(results)]
    kept = [part for part in found if len(part)]
    return pd.concat(kept, ignore_index=True) if kept else pd.DataFrame(columns=[*COLUMNS])


def behind(ranks: list[Array], best: int) -> tuple[Array, Array]:
    """Return the central 95 % of how far each aggregator's mean rank is behind that of the best.

    Args:
        ranks: Of each problem, shape ``[seeds, k]``.
        best: Index of the best.

    Returns:
        Lower and upper ends, shape ``[k]``.

    Example:
        >>> import numpy as np
        >>> from jdbench.analysis.choices import behind
        >>> low, high = behind([np.array([[1.0, 2.0]] * 3)], 0)
        >>> low, high
        (array([0., 1.]), array([0., 1.]))
    """
    resampled = resampled_means(ranks)
    return interval(resampled - resampled[:, [best]])


def _standing(ranked: pd.DataFrame, by_score: dict[str, pd.DataFrame], situation: Situation) -> pd.DataFrame:
    tables: dict[str, pd.DataFrame] = {}
    for problem in situation.problems:
        criteria = situation.criteria[problem]
        if tuple(criteria) == BY_SCORE and situation.aggregators is None:
            table = by_score.get(problem, pd.DataFrame())
        else:
            runs = only(ranked, PROBLEM, problem)
            if situation.aggregators is not None:
                runs = where(runs, series(runs, AGGREGATOR).isin(situation.aggregators))
            table = seed_ranks(runs, criteria) if len(runs) else pd.DataFrame()
        if len(table):
            tables[problem] = table
    names = sorted(set.intersection(*(set(table.columns) for table in tables.values()))) if tables else []
    if not names:
        return pd.DataFrame()
    values = [table[names].to_numpy() for table in tables.values()]
    means = pd.DataFrame([value.mean(0) for value in values], index=list(tables), columns=names)
    mean = means.mean().to_numpy()
    best = int(np.argmin(mean.round(9)))
    low, high = behind(values, best)
    tests = rank_tests(means)
    told = where(tests, flags(tests, APART))
    apart = {frozenset(pair) for pair in zip(told[AGGREGATOR], told[OTHER], strict=True)}
    result = pd.DataFrame({
        SITUATION: situation.name,
        RULE: situation.rule,
        PROBLEMS: len(tables),
        AGGREGATOR: names,
        SITUATION_RANK: mean,
        BEHIND: mean - mean[best],
        BEHIND_LOW: low,
        BEHIND_HIGH: high,
        CLOSE: low <= 1e-9,
        APART_FROM_BEST: [frozenset((name, names[best])) in apart for name in names],
        P_FRIEDMAN: friedman(means).p_value,
    })
    return result.sort_values([SITUATION_RANK, AGGREGATOR], ignore_index=True)


def answers(table: pd.DataFrame) -> pd.DataFrame:
    """Return a row a situation: how many problems count, the best, and how many others are told from it."""
    found: list[tuple[object, ...]] = []
    for situation, own in parts(table, SITUATION, sort=False):
        first = own.iloc[0]
        others, told = int((~flags(own, CLOSE)).sum()), int(flags(own, APART_FROM_BEST).sum())
        found.append((
            situation, first[RULE], int(first[PROBLEMS]), first[AGGREGATOR], others, told, first[P_FRIEDMAN],
        ))  # fmt: skip
    return pd.DataFrame(found, columns=[*ANSWERS.columns])


CHOICES = Table(
    "choices",
    "How the aggregators stand in each situation",
    COLUMNS,
    choices,
    needs=("ranked", "seed_ranks", "selected", "traits"),
    listed=False,
)
ANSWERS = Table(
    "answers",
    "The best in each situation",
    (SITUATION, RULE, PROBLEMS, AGGREGATOR, OTHERS, TOLD_APART, P_FRIEDMAN),
    lambda results: answers(results.table("choices")),
    needs=("choices",),
    download=False,
    listed=False,
)
