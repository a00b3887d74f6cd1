"""Indicators to a ranking with its uncertainty: standard errors per problem, bootstrap intervals overall."""

import numpy as np
import numpy.typing as npt
import pandas as pd

RESAMPLES = 4000
LEVEL = 0.95
DIGITS = 6
"""Scores that agree to this many digits are tied: their differences are rounding."""


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
        selected: The runs of `jdbench.metrics.selected_runs`.
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
        selected: The runs of `jdbench.metrics.selected_runs`.
        problem: Spec of the problem.

    Returns:
        One row a seed, one column an aggregator.
    """
    runs = selected[selected["problem"] == problem]
    scores = runs.pivot_table(index="seed", columns="aggregator", values="score", aggfunc="first").dropna()
    rounded = scores.map(lambda score: float(f"{score:.{DIGITS - 1}e}"))
    return rounded.rank(axis=1, method="average")


def ranking(selected: pd.DataFrame, *, seed: int = 1) -> pd.DataFrame:
    """Return the aggregators by their mean rank over problems, with bootstrap intervals over seeds.

    Each problem counts alike, however many seeds it has. The interval is the central 95 % of the mean ranks of
    4,000 resamples of every problem's seeds. An aggregator that misses a problem is not ranked; a problem
    without a seed that all its aggregators have run does not count.

    Args:
        selected: The runs of `jdbench.metrics.selected_runs`.
        seed: Seed of the resampling.

    Returns:
        Columns ``position aggregator mean_rank low high`` and the mean rank on each problem. Positions are
        tied (``2=``) where mean ranks are equal.
    """
    problems = sorted(str(problem) for problem in selected["problem"].unique())
    ranks = {problem: seed_ranks(selected, problem) for problem in problems}
    ranks = {problem: table for problem, table in ranks.items() if len(table)}
    names = sorted(set.intersection(*(set(table.columns) for table in ranks.values())) if ranks else set())
    generator = np.random.default_rng(seed)
    mean = np.zeros(len(names))
    resampled = np.zeros((RESAMPLES, len(names)))
    for table in ranks.values():
        values = table[names].to_numpy()
        draws = generator.integers(len(values), size=(RESAMPLES, len(values)))
        mean += values.mean(0) / len(ranks)
        resampled += values[draws].mean(1) / len(ranks)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    result = pd.DataFrame({"aggregator": names, "mean_rank": mean, "low": low, "high": high})
    for problem, table in ranks.items():
        result[problem] = table[names].to_numpy().mean(0)
    result = result.sort_values(["mean_rank", "aggregator"], ignore_index=True)
    place = result["mean_rank"].round(9).rank(method="min").astype(int)
    tied = place.duplicated(keep=False)
    result.insert(0, "position", [f"{p}=" if t else str(p) for p, t in zip(place, tied, strict=True)])
    return result
