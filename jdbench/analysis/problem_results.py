"""The results on each problem: means over seeds with their standard errors, who leads, and what was lost."""

import math

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import numbers, only, parts, where
from jdbench.analysis.ranking import with_leads
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    AGGREGATORS,
    CONFLICTING,
    FAMILY,
    FINAL,
    FINAL_SEM,
    IS_RANKED,
    LEADER,
    LEADS,
    MEDIAN_RATE,
    PROBLEM,
    RANK_OF_PROBLEM,
    RATE,
    SCORE,
    SCORE_SEM,
    SEEDS,
    SEEDS_AT_EDGE,
    SEEDS_LOST,
    WORST_MARGIN,
)
from jdbench.analysis.seed_ranks import TIED_DIGITS
from jdbench.analysis.stops import margin_tolerance

RESULT_COLUMNS = (
    AGGREGATOR, SCORE, SCORE_SEM, FINAL, FINAL_SEM, MEDIAN_RATE, SEEDS, SEEDS_LOST, SEEDS_AT_EDGE, WORST_MARGIN,
)  # fmt: skip

NORMS = (schema.NORM, schema.WEIGHTS_LARGEST)


def standard_error(values: npt.ArrayLike) -> float:
    """Return the standard error of the mean, √(Σ(vᵢ - v̄)² / (k - 1)) / √k ([JD] Appendix D.2).

    Args:
        values: k numbers.

    Returns:
        The error; NaN for fewer than two values or infinite ones.

    Example:
        >>> from jdbench.analysis.problem_results import standard_error
        >>> standard_error([1.0, 2.0, 3.0])
        0.5773502691896258
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
        The columns `RESULT_COLUMNS`: means over seeds with their standard errors, the median rate, the number
        of seeds and of those for which no rate finished, how many best rates lie at the edge of those tried,
        and the smallest margin of non-conflict seen (negative: some update conflicted with a gradient).
    """
    found = [_row(aggregator, runs) for aggregator, runs in parts(only(selected, PROBLEM, problem), AGGREGATOR)]
    return pd.DataFrame(found, columns=[*RESULT_COLUMNS]).sort_values([SCORE, AGGREGATOR], ignore_index=True)


def _row(aggregator: str, runs: pd.DataFrame) -> tuple[object, ...]:
    score, final = (runs[name].to_numpy(dtype=np.float64) for name in (SCORE, FINAL))
    margins = runs[WORST_MARGIN].to_numpy(dtype=np.float64) if WORST_MARGIN in runs else np.array([math.nan])
    return (
        aggregator,
        score.mean(),
        standard_error(score),
        final.mean(),
        standard_error(final),
        float(np.median(runs[RATE].to_numpy())),
        len(runs),
        int((~np.isfinite(score)).sum()),
        int(runs[SEEDS_AT_EDGE].to_numpy().sum()),
        float(margins.min()),
    )


def problem_results(results: Results) -> pd.DataFrame:
    """Return `problem_table` of all problems, one below the other.

    Returns:
        Its columns after ``family problem``; ``conflicting``, whether the worst margin is negative beyond
        rounding; ``rank``, the mean rank over the seeds that all aggregators of the problem have run, NaN where
        `jdbench.analysis.run_table.ranked_runs` leaves all of them out; and the norms of the weights.
    """
    selected = results.table("selected")
    ranks = results.table("problem_ranks").set_index(PROBLEM)
    norms = results.table("along").reindex(columns=[PROBLEM, AGGREGATOR, *NORMS])
    ran = set(selected[PROBLEM])
    found: list[pd.DataFrame] = []
    for entry in results.problems:
        if entry.spec not in ran:
            continue
        part = problem_table(selected, entry.spec)
        part.insert(0, str(PROBLEM), entry.spec)
        part.insert(0, str(FAMILY), entry.family)
        part[CONFLICTING] = part[WORST_MARGIN] < -margin_tolerance(entry.shape)
        ranked = entry.spec in ranks.index
        part[RANK_OF_PROBLEM] = ranks.loc[entry.spec, part[AGGREGATOR]].to_numpy() if ranked else math.nan
        found.append(part)
    if not found:
        return pd.DataFrame(columns=[*PROBLEM_RESULTS.columns])
    return pd.concat(found, ignore_index=True).merge(norms, on=[PROBLEM, AGGREGATOR], how="left")


def leaders(results: Results) -> pd.DataFrame:
    """Return who leads on each problem: a row for each aggregator whose mean score no other undercuts.

    Returns:
        Also how many ``aggregators`` have results there; whether the problem is ``ranked``, or all its starts
        are optimal; and the number of ``seeds`` of all aggregators together, and of those that were lost. A
        problem without results has a row with an empty leader.
    """
    whole = results.table("problem_results")
    optimal = results.table("left_out")
    unranked = set(optimal[PROBLEM][optimal[schema.AT_TARGET] == optimal[schema.STARTS]])
    found: list[tuple[object, ...]] = []
    for entry in results.problems:
        own = only(whole, PROBLEM, entry.spec)
        scores = [f"{score:.{TIED_DIGITS - 1}e}" for score in own[SCORE]]
        counts = (
            len(own),
            entry.spec not in unranked,
            int(numbers(own, SEEDS).sum()),
            int(numbers(own, SEEDS_LOST).sum()),
        )
        first = own[: scores.count(scores[0])] if scores else own
        best = float(own[SCORE].iloc[0]) if scores else math.nan
        found += [(entry.spec, name, best, *counts) for name in (first[AGGREGATOR] if scores else [""])]
    return pd.DataFrame(found, columns=[*LEADERS.columns])


def lost_seeds(whole: pd.DataFrame) -> pd.DataFrame:
    """Return the results of the aggregators that had seeds for which no rate finished."""
    return (
        where(whole, numbers(whole, SEEDS_LOST) > 0).filter(items=[*LOST_SEEDS.columns]).reset_index(drop=True)
    )


def ranks_on_problems(whole: pd.DataFrame) -> pd.DataFrame:
    """Return the mean ranks on each problem that is ranked, and whether no other is smaller there."""
    ranked = where(whole, numbers(whole, RANK_OF_PROBLEM) >= 1)
    return with_leads(ranked, PROBLEM, RANK_OF_PROBLEM).filter(items=[*RANKS_ON_PROBLEMS.columns])


PROBLEM_RESULTS = Table(
    "problem_results",
    "Results on each problem",
    (FAMILY, PROBLEM, *RESULT_COLUMNS, CONFLICTING, RANK_OF_PROBLEM, *NORMS),
    problem_results,
    needs=("selected", "problem_ranks", "along"),
    listed=False,
)
LEADERS = Table(
    "leaders",
    "Who leads on each problem",
    (PROBLEM, LEADER, schema.LEADING_SCORE, AGGREGATORS, IS_RANKED, SEEDS, schema.SEEDS_LOST_BY_ANY),
    leaders,
    needs=("problem_results", "left_out"),
    download=False,
    listed=False,
)
LOST_SEEDS = Table(
    "lost_seeds",
    "Seeds in which no rate finished",
    (PROBLEM, AGGREGATOR, SEEDS_LOST, SEEDS),
    lambda results: lost_seeds(results.table("problem_results")),
    needs=("problem_results",),
    download=False,
    listed=False,
)
RANKS_ON_PROBLEMS = Table(
    "ranks_on_problems",
    "Mean rank on each problem",
    (FAMILY, PROBLEM, AGGREGATOR, RANK_OF_PROBLEM, LEADS),
    lambda results: ranks_on_problems(results.table("problem_results")),
    needs=("problem_results",),
    download=False,
    listed=False,
)
