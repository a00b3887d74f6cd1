"""Which aggregators are not distinguishable from the best in a situation: a paired bootstrap of mean ranks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jdbench.analysis.rank_tests import friedman, rank_tests
from jdbench.analysis.ranked_runs import ranked_runs
from jdbench.analysis.ranking import DIGITS, LEVEL, RESAMPLES, Array
from jdbench.analysis.results import Results, rows_of, where
from jdbench.analysis.situations import Situation, situations

COLUMNS = [
    "situation",
    "rule",
    "problems",
    "aggregator",
    "mean_rank",
    "behind",
    "low",
    "high",
    "close",
    "apart",
]


def choices(results: Results) -> pd.DataFrame:
    """Return how the aggregators stand in each situation.

    In each situation the best is the one with the smallest mean rank over problems. How far another one is
    behind it is resampled 4,000 times on two levels, problems with replacement and for each draw its seeds, the
    same for both; they are not distinguishable if the central 95 % of these differences reach down to 0. With
    one problem only its seeds are drawn. Starts at the target already do not count, see
    `jdbench.analysis.ranked_runs`.

    Args:
        results: What was read, with the table ``traits``.

    Returns:
        Columns ``situation rule problems`` (how many count) ``aggregator mean_rank``; ``behind``, its
        difference to the best, and the interval ``low high``; ``close``, whether that reaches 0; ``apart``,
        whether Friedman's and Nemenyi's tests tell it from the best, a stricter question since it allows for
        all pairs; ``p_friedman``. Best first. Aggregators that miss a problem are left out.
    """
    ranked = ranked_runs(results.tables["selected"])
    found = [_standing(ranked, situation) for situation in situations(results)]
    parts = [part for part in found if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=[*COLUMNS, "p_friedman"])


def ranks_of(runs: pd.DataFrame, measures: Sequence[tuple[str, bool]]) -> pd.DataFrame:
    """Return the rank of each aggregator in each seed of a problem, mean over measures.

    Args:
        runs: Selected runs of one problem.
        measures: Columns, and whether larger is better; what is missing, as of runs that did not finish, is
            the worst.

    Returns:
        One row a seed that all aggregators have run, one column an aggregator; 1 is best, ties share the mean
        of their ranks.
    """
    ranks: list[pd.DataFrame] = []
    complete = runs.pivot_table(index="seed", columns="aggregator", values="rate", aggfunc="first").dropna()
    for column, larger in measures:
        costs = runs.assign(cost=(-1 if larger else 1) * runs[column])
        costs["cost"] = costs["cost"].where(costs["state"] == "finished", np.inf).fillna(np.inf)
        table = costs.pivot_table(index="seed", columns="aggregator", values="cost", aggfunc="first")
        table = table.loc[complete.index].map(lambda cost: float(f"{cost:.{DIGITS - 1}e}"))
        ranks.append(table.rank(axis=1, method="average"))
    return sum(ranks[1:], ranks[0]) / len(ranks)


def behind(values: Sequence[Array], best: int, seed: int = 1) -> tuple[Array, Array]:
    """Return the central 95 % of how far each aggregator's mean rank is behind that of the best.

    Args:
        values: Ranks of each problem, shape ``[seeds, k]``.
        best: Index of the best.
        seed: Seed of the resampling.

    Returns:
        Lower and upper ends, shape ``[k]``.
    """
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(values), size=(RESAMPLES, len(values)))
    total = np.zeros((RESAMPLES, values[0].shape[1]))
    for index, value in enumerate(values):
        gaps = value - value[:, [best]]
        for place in range(len(values)):
            here = np.flatnonzero(drawn[:, place] == index)
            total[here] += gaps[generator.integers(len(value), size=(len(here), len(value)))].mean(1)
    low, high = np.quantile(total / len(values), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high


def _standing(ranked: pd.DataFrame, situation: Situation) -> pd.DataFrame:
    tables: dict[str, pd.DataFrame] = {}
    for problem in situation.problems:
        runs = where(ranked, problem=problem)
        if situation.aggregators is not None:
            runs = pd.concat([where(runs, aggregator=name) for name in situation.aggregators])
        table = ranks_of(runs, situation.measures[problem]) if len(runs) else pd.DataFrame()
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
    tests = rows_of(rank_tests(means))
    apart = {frozenset((row["aggregator"], row["other"])) for row in tests if row["apart"]}
    result = pd.DataFrame({
        "situation": situation.name,
        "rule": situation.rule,
        "problems": len(tables),
        "aggregator": names,
        "mean_rank": mean,
        "behind": mean - mean[best],
        "low": low,
        "high": high,
        "close": low <= 1e-9,
        "apart": [frozenset((name, names[best])) in apart for name in names],
        "p_friedman": friedman(means).p_value,
    })
    return result.sort_values(["mean_rank", "aggregator"], ignore_index=True)
