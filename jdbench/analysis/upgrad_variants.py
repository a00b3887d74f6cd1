"""Exact UPGrad against its trace-regularised variant, by problem, with what may explain the difference."""

import itertools
import math

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import numbers, only, parts, series, where
from jdbench.analysis.rank_tests import SIGNIFICANCE
from jdbench.analysis.schema import (
    AGGREGATOR,
    EXACT_WINS,
    GAP,
    P_VALUE,
    PROBLEM,
    PROBLEMS,
    RATIO,
    REGULARISED_WINS,
    SEEDS,
    TIES,
    VERDICT,
    of_variant,
)
from jdbench.analysis.seed_ranks import seed_ranks

EXACT = "UPGrad"
REGULARISED = "UPGrad(trace_regularization=0.0001)"

SHORT = {"exact": EXACT, "regularised": REGULARISED}
"""The two by what they are called here."""

BESIDE = (
    schema.SCORE,
    schema.RATE,
    schema.WEIGHTS_MEDIAN,
    schema.WEIGHTS_LARGEST,
    schema.DECADES_MEDIAN,
    schema.DECADES_LARGEST,
    schema.WORST_MARGIN,
)
"""Medians over the selected runs that stand side by side, each once for either variant."""

FEWEST = next(n for n in itertools.count(1) if 0.5 ** (n - 1) < SIGNIFICANCE)
"""Seeds it takes at least: n that all go one way have p = 2¹⁻ⁿ in the sign test, and no outcome has less."""

NEGLIGIBLE = 0.01
"""Median scores that differ by less than this share of the larger one are alike, however low p."""

TOO_FEW = "too few seeds"

VERDICTS = ("exact", "regularised", "not told apart", TOO_FEW)
"""Which one is better, or why neither is said to be."""

TESTED = "enough seeds"
"""All verdicts but the last, in a summary."""


def upgrad_against_regularised(ranked: pd.DataFrame) -> pd.DataFrame:
    """Return on which problem which of the two is better, as far as the seeds tell.

    Args:
        ranked: The runs of `jdbench.analysis.run_table.ranked_runs`.

    Returns:
        One row a problem that both have run, with columns ``problem seeds exact_wins regularised_wins ties``,
        counts of seeds by score (infinite where no rate finished, tied if both are; equal to six digits is a
        tie); ``better``, one of `VERDICTS`: the one that won more seeds where p is below the level of the tests
        and the gap is in its favour and at least `NEGLIGIBLE`, ``too few seeds`` below `FEWEST` and ``not told
        apart`` otherwise; ``p_value`` of the sign test on the seeds that are not tied, two-sided, 1 if all are;
        ``gap``, by what share of the larger one the medians of the scores differ, positive where that of the
        exact one is smaller, ±1 where only one is infinite; and for each of `BESIDE` the median over the
        selected runs, ``score_exact``, ``score_regularised`` and so on, NaN where no run has it.
    """
    found: list[tuple[object, ...]] = []
    for problem, all_runs in parts(where(ranked, series(ranked, AGGREGATOR).isin([*SHORT.values()])), PROBLEM):
        ranks = seed_ranks(all_runs) if len(set(all_runs[AGGREGATOR])) == 2 else pd.DataFrame()
        if not len(ranks):
            continue
        difference = ranks[EXACT].to_numpy() - ranks[REGULARISED].to_numpy()
        wins, losses = int((difference < 0).sum()), int((difference > 0).sum())
        p_value = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
        medians = [
            _median(only(all_runs, AGGREGATOR, spec), name) for name in BESIDE for spec in SHORT.values()
        ]
        gap = _gap(medians[0], medians[1])
        better = _verdict(wins, losses, len(ranks), p_value, gap)
        ties = len(ranks) - wins - losses
        found.append((problem, len(ranks), wins, losses, ties, better, p_value, gap, *medians))
    return pd.DataFrame(found, columns=[*COMPARISON.columns])


def verdict_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many problems have each of `VERDICTS`, or `TESTED`, on how many seeds, over how many decades.

    The decades are those of the exact one's runs: least, median and largest, NaN where none is known.
    """
    found: list[tuple[object, ...]] = []
    for verdict in (*VERDICTS, TESTED):
        own = (
            where(table, series(table, VERDICT) != TOO_FEW)
            if verdict == TESTED
            else only(table, VERDICT, verdict)
        )
        if len(own):
            decades = own[DECADES_OF_EXACT].to_numpy(dtype=np.float64)
            known = decades[np.isfinite(decades)]
            spread = (known.min(), np.median(known), known.max()) if len(known) else (math.nan,) * 3
            found.append((verdict, len(own), own[SEEDS].min(), own[SEEDS].max(), *spread))
    return pd.DataFrame(found, columns=[*SUMMARY.columns])


def most_won_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the comparison with the problems first of which the exact one won most seeds beyond the other."""
    lead = numbers(table, REGULARISED_WINS) - numbers(table, EXACT_WINS)
    return table.iloc[np.argsort(lead, kind="stable")]


def score_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return the score of the exact one over that of the regularised one, and the decades of the exact one's.

    Problems without decades are left out, and those on which both scores are infinite or one is 0.
    """
    exact, regularised = (table[of_variant(schema.SCORE, name)].astype(np.float64) for name in SHORT)
    decades = table[DECADES_OF_EXACT].astype(np.float64)
    kept = (
        np.isfinite(decades) & (np.isfinite(exact) | np.isfinite(regularised)) & (exact > 0) & (regularised > 0)
    )
    found = pd.DataFrame({
        PROBLEM: table[PROBLEM], DECADES_OF_EXACT: decades, RATIO: exact / regularised, VERDICT: table[VERDICT],
    })  # fmt: skip
    return pd.DataFrame(found[kept]).reset_index(drop=True)


def _verdict(wins: int, losses: int, seeds: int, p_value: float, gap: float) -> str:
    if seeds < FEWEST:
        return TOO_FEW
    if p_value < SIGNIFICANCE and wins > losses and gap >= NEGLIGIBLE:
        return "exact"
    if p_value < SIGNIFICANCE and losses > wins and -gap >= NEGLIGIBLE:
        return "regularised"
    return "not told apart"


def _gap(exact: float, regularised: float) -> float:
    if math.isinf(exact) or math.isinf(regularised):
        return float(math.isinf(regularised)) - float(math.isinf(exact))
    larger = max(abs(exact), abs(regularised))
    return (regularised - exact) / larger if larger else 0.0


def _median(runs: pd.DataFrame, name: str) -> float:
    values = runs[name].to_numpy(dtype=np.float64) if name in runs else np.zeros(0)
    values = values[~np.isnan(values)]
    return float(np.median(values)) if len(values) else math.nan


DECADES_OF_EXACT = of_variant(schema.DECADES_MEDIAN, "exact")

COMPARISON = Table(
    "upgrad_against_regularised",
    f"{EXACT} against {REGULARISED}",
    (
        PROBLEM, SEEDS, EXACT_WINS, REGULARISED_WINS, TIES, VERDICT, P_VALUE, GAP,
        *(of_variant(column, variant) for column in BESIDE for variant in SHORT),
    ),
    lambda results: upgrad_against_regularised(results.table("ranked")),
    needs=("ranked",),
    listed=False,
)  # fmt: skip
SUMMARY = Table(
    "upgrad_summary",
    "Which of the two is better on how many problems",
    (
        VERDICT, PROBLEMS, schema.FEWEST_SEEDS, schema.MOST_SEEDS, schema.LEAST_DECADES, DECADES_OF_EXACT,
        schema.MOST_DECADES,
    ),
    lambda results: verdict_counts(results.table("upgrad_against_regularised")),
    needs=("upgrad_against_regularised",),
    download=False,
    listed=False,
)  # fmt: skip
RATIOS = Table(
    "upgrad_ratios",
    "Ratio of the scores of the two",
    (PROBLEM, DECADES_OF_EXACT, RATIO, VERDICT),
    lambda results: score_ratios(results.table("upgrad_against_regularised")),
    needs=("upgrad_against_regularised",),
    download=False,
    listed=False,
)
