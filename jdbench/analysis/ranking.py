"""Indicators to a ranking with its uncertainty: standard errors per problem, intervals and groups overall."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.analysis.performance_profiles import positions
from jdbench.analysis.rank_tests import groups, rank_tests

RESAMPLES = 4000
LEVEL = 0.95
DIGITS = 6
"""Scores that agree to this many digits are tied: their differences are rounding."""

RANKING_COLUMNS = ("position", "aggregator", "mean_rank", "low", "high", "group", "runs", "lost")
"""The columns of a `ranking` before those of its problems."""

Array = npt.NDArray[np.float64]


def standard_error(values: npt.ArrayLike) -> float:
    """Return the standard error of the mean, √(Σ(vᵢ - v̄)² / (k - 1)) / √k ([JD] Appendix D.2).

    Args:
        values: k numbers.

    Returns:
        The error; NaN for fewer than two values or infinite ones.
    """
    v = np.asarray(values, dtype=np.float64)
    if len(v) < 2 or not np.isfinite(v).all():
        return float("nan")
    return float(v.std(ddof=1) / np.sqrt(len(v)))


def problem_table(selected: pd.DataFrame, problem: str) -> pd.DataFrame:
    """Return one row an aggregator on one problem, best mean score first.

    Args:
        selected: The runs of `jdbench.analysis.run_table.selected_runs`.
        problem: Spec of the problem.

    Returns:
        Columns ``aggregator score score_sem final final_sem rate seeds seeds_lost at_edge worst_margin``: means
        over seeds with their standard errors, the median rate, the number of seeds and of those for which no
        rate finished, how many best rates lie at the edge of those tried, and the smallest margin of
        non-conflict seen (negative: some update conflicted with a gradient).
    """
    rows = [
        _problem_row(str(aggregator), runs)
        for aggregator, runs in selected.loc[selected["problem"] == problem].groupby("aggregator")
    ]
    return pd.DataFrame(rows).sort_values(["score", "aggregator"], ignore_index=True)


def _problem_row(aggregator: str, runs: pd.DataFrame) -> dict[str, object]:
    score, final = (runs[name].to_numpy(dtype=np.float64) for name in ("score", "final"))
    return {
        "aggregator": aggregator,
        "score": score.mean(),
        "score_sem": standard_error(score),
        "final": final.mean(),
        "final_sem": standard_error(final),
        "rate": float(np.median(runs["rate"].to_numpy())),
        "seeds": len(runs),
        "seeds_lost": int((~np.isfinite(score)).sum()),
        "at_edge": int(runs["at_edge"].to_numpy().sum()),
        "worst_margin": float(runs["worst_margin"].to_numpy(dtype=np.float64).min())
        if "worst_margin" in runs
        else float("nan"),
    }


def seed_ranks(selected: pd.DataFrame, problem: str) -> pd.DataFrame:
    """Return the rank of each aggregator in each seed of a problem.

    Ranks go by score, 1 is best; ties share the mean of their ranks, and all that never finished are tied last.
    Only seeds that every aggregator of the problem has run are ranked.

    Args:
        selected: The runs of `jdbench.analysis.run_table.selected_runs`.
        problem: Spec of the problem.

    Returns:
        One row a seed, one column an aggregator.
    """
    runs = selected[selected["problem"] == problem]
    scores = runs.pivot_table(index="seed", columns="aggregator", values="score", aggfunc="first").dropna()
    rounded = scores.map(lambda score: float(f"{score:.{DIGITS - 1}e}"))
    return rounded.rank(axis=1, method="average")


def problem_ranks(selected: pd.DataFrame) -> pd.DataFrame:
    """Return the mean rank over seeds of each aggregator on each problem.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.

    Returns:
        One row a problem, one column an aggregator, NaN where it did not run; without the problems that have
        no seed that all their aggregators have run.
    """
    return pd.DataFrame({problem: table.mean() for problem, table in _seed_ranks(selected).items()}).T


def ranking(selected: pd.DataFrame, *, seed: int = 1) -> pd.DataFrame:
    """Return the aggregators by their mean rank over problems, with intervals, groups and losses.

    Each problem counts alike, however many seeds it has. The interval is the central 95 % of the mean ranks of
    4,000 resamples on two levels: problems are drawn with replacement, and for each draw its seeds are. It
    therefore tells of other problems like these too; with one problem it tells of its seeds only. An aggregator
    that misses a problem is not ranked; a problem without a seed that all its aggregators have run does not
    count.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.
        seed: Seed of the resampling.

    Returns:
        The columns `RANKING_COLUMNS`, then the mean rank on each problem. Positions are tied (``2=``) where
        mean ranks are equal; ``group`` holds the letters of `jdbench.analysis.rank_tests.groups`, of which
        aggregators that cannot be told apart share one; ``runs`` counts selected runs of these problems
        and ``lost`` those of them for which no rate finished.

    Raises:
        MissingExtraError: scikit-posthocs is not installed, and there are two problems and two aggregators.
    """
    tables = _seed_ranks(selected)
    names = sorted(set.intersection(*(set(table.columns) for table in tables.values()))) if tables else []
    values = [table[names].to_numpy() for table in tables.values()]
    means = np.array([value.mean(0) for value in values]).reshape(len(values), len(names))
    resampled = _resample(values, len(names), np.random.default_rng(seed))
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    counted = selected[selected["problem"].isin(list(tables))].groupby("aggregator")["score"]
    ranks = pd.DataFrame(means, index=list(tables), columns=names)
    letters = groups(ranks, rank_tests(ranks))
    result = pd.DataFrame({
        "aggregator": names,
        "mean_rank": means.mean(0) if len(means) else np.zeros(0),
        "low": low,
        "high": high,
        "group": [letters[name] for name in names],
        "runs": counted.size().reindex(names).to_numpy(),
        "lost": counted.agg(lambda scores: int((~np.isfinite(scores)).sum())).reindex(names).to_numpy(),
    })
    for problem, row in zip(tables, means, strict=True):
        result[problem] = row
    result = result.sort_values(["mean_rank", "aggregator"], ignore_index=True)
    # The order of a sum must not break a tie, nor make one.
    result.insert(0, "position", positions(result["mean_rank"].to_numpy().round(9)))
    return result


def _seed_ranks(selected: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return `seed_ranks` of every problem that has a seed that all its aggregators have run."""
    problems = sorted(str(problem) for problem in selected["problem"].unique())
    ranks = {problem: seed_ranks(selected, problem) for problem in problems}
    return {problem: table for problem, table in ranks.items() if len(table)}


def _resample(values: Sequence[Array], width: int, generator: np.random.Generator) -> Array:
    """Return mean ranks of resampled problems with resampled seeds, shape ``[RESAMPLES, width]``."""
    if not values:
        return np.zeros((RESAMPLES, width))
    drawn = generator.integers(len(values), size=(RESAMPLES, len(values)))
    slots = np.zeros((*drawn.shape, width))
    for index, value in enumerate(values):
        here = drawn == index
        seeds = generator.integers(len(value), size=(int(here.sum()), len(value)))
        slots[here] = value[seeds].mean(1)
    return slots.mean(1)
