"""Exact UPGrad against its trace-regularised variant, by problem, with what may explain the difference."""

import itertools
import math

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from jdbench.analysis.rank_tests import LEVEL
from jdbench.analysis.ranking import seed_ranks

EXACT = "UPGrad"
REGULARISED = "UPGrad(trace_regularization=0.0001)"

BESIDE = (
    "score",
    "rate",
    "weights_median",
    "weights_largest",
    "decades_median",
    "decades_largest",
    "worst_margin",
)
"""Medians over the selected runs that stand side by side, each once for either variant."""

FEWEST = next(n for n in itertools.count(1) if 0.5 ** (n - 1) < LEVEL)
"""Seeds it takes at least: n that all go one way have p = 2¹⁻ⁿ in the sign test, and no outcome has less."""

NEGLIGIBLE = 0.01
"""Median scores that differ by less than this share of the larger one are alike, however low p."""

VERDICTS = ("exact", "regularised", "not told apart", "too few seeds")
"""Which one is better, or why neither is said to be."""


def upgrad_against_regularised(
    selected: pd.DataFrame, exact: str = EXACT, regularised: str = REGULARISED
) -> pd.DataFrame:
    """Return on which problem which of two aggregators is better, as far as the seeds tell.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.
        exact: Spec of the one, by default UPGrad by its definition ([JD] eq. 4).
        regularised: Spec of the other, by default UPGrad as published with 1e-4 of the trace added.

    Returns:
        One row a problem that both have run, with columns ``problem seeds exact_wins regularised_wins ties``,
        counts of seeds by score (infinite where no rate finished, tied if both are; equal to six digits is a
        tie); ``p_value`` of the sign test on the seeds that are not tied, two-sided, 1 if all are; ``gap``,
        by what share of the larger one the medians of the scores differ, positive where that of the exact one
        is smaller, ±1 where only one is infinite; ``better``, one of `VERDICTS`: the one that won more seeds
        where p is below the level of the tests and the gap is in its favour and at least `NEGLIGIBLE`,
        ``too few seeds`` below `FEWEST` and ``not told apart`` otherwise; and for each of `BESIDE` the median
        over the selected runs, ``score_exact``, ``score_regularised`` and so on, NaN where no run has it.
    """
    rows: list[dict[str, object]] = []
    for problem in sorted(str(problem) for problem in selected["problem"].unique()):
        both = (selected["problem"] == problem) & selected["aggregator"].isin([exact, regularised])
        runs = pd.DataFrame(selected[both])
        if len(set(runs["aggregator"])) < 2:
            continue
        ranks = seed_ranks(runs, problem)
        if not len(ranks):
            continue
        difference = ranks[exact].to_numpy() - ranks[regularised].to_numpy()
        wins, losses = int((difference < 0).sum()), int((difference > 0).sum())
        p_value = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
        beside = _beside(runs, {"exact": exact, "regularised": regularised})
        gap = _gap(beside["score_exact"], beside["score_regularised"])
        rows.append({
            "problem": problem,
            "seeds": len(ranks),
            "exact_wins": wins,
            "regularised_wins": losses,
            "ties": len(ranks) - wins - losses,
            "better": _verdict(wins, losses, len(ranks), p_value, gap),
            "p_value": p_value,
            "gap": gap,
            **beside,
        })
    names = ["problem", "seeds", "exact_wins", "regularised_wins", "ties", "better", "p_value", "gap"]
    return pd.DataFrame(
        rows, columns=[*names, *(f"{name}_{k}" for name in BESIDE for k in ("exact", "regularised"))]
    )


def _verdict(wins: int, losses: int, seeds: int, p_value: float, gap: float) -> str:
    if seeds < FEWEST:
        return "too few seeds"
    if p_value < LEVEL and wins > losses and gap >= NEGLIGIBLE:
        return "exact"
    if p_value < LEVEL and losses > wins and -gap >= NEGLIGIBLE:
        return "regularised"
    return "not told apart"


def _gap(exact: float, regularised: float) -> float:
    if math.isinf(exact) or math.isinf(regularised):
        return float(math.isinf(regularised)) - float(math.isinf(exact))
    larger = max(abs(exact), abs(regularised))
    return (regularised - exact) / larger if larger else 0.0


def _beside(runs: pd.DataFrame, variants: dict[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in BESIDE:
        for variant, spec in variants.items():
            own = runs["aggregator"] == spec
            values = runs.loc[own, name].to_numpy(dtype=np.float64) if name in runs else np.zeros(0)
            values = values[~np.isnan(values)]
            found[f"{name}_{variant}"] = float(np.median(values)) if len(values) else float("nan")
    return found
