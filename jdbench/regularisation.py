"""Exact UPGrad against its trace-regularised variant, by problem, with what may explain the difference."""

import numpy as np
import pandas as pd
from scipy.stats import binomtest

from jdbench.leaderboard import seed_ranks

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


def upgrad_against_regularised(
    selected: pd.DataFrame, exact: str = EXACT, regularised: str = REGULARISED
) -> pd.DataFrame:
    """Return on which problem which of two aggregators is better.

    Args:
        selected: The runs of `jdbench.metrics.selected_runs`.
        exact: Spec of the one, by default UPGrad by its definition ([JD] eq. 4).
        regularised: Spec of the other, by default UPGrad as published with 1e-4 of the trace added.

    Returns:
        One row a problem that both have run, with columns ``problem seeds exact_wins regularised_wins ties``,
        counts of seeds by score (infinite where no rate finished, tied if both are; equal to six digits is a
        tie); ``better``, the one with more wins, ``exact``, ``regularised`` or ``tied``; ``p_value`` of the
        sign test on the seeds that are not tied, two-sided, 1 if all are; and for each of `BESIDE` the median
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
        rows.append({
            "problem": problem,
            "seeds": len(ranks),
            "exact_wins": wins,
            "regularised_wins": losses,
            "ties": len(ranks) - wins - losses,
            "better": "exact" if wins > losses else "regularised" if losses > wins else "tied",
            "p_value": float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0,
            **_beside(runs, {"exact": exact, "regularised": regularised}),
        })
    names = ["problem", "seeds", "exact_wins", "regularised_wins", "ties", "better", "p_value"]
    return pd.DataFrame(
        rows, columns=[*names, *(f"{name}_{k}" for name in BESIDE for k in ("exact", "regularised"))]
    )


def _beside(runs: pd.DataFrame, variants: dict[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in BESIDE:
        for variant, spec in variants.items():
            own = runs["aggregator"] == spec
            values = runs.loc[own, name].to_numpy(dtype=np.float64) if name in runs else np.zeros(0)
            values = values[~np.isnan(values)]
            found[f"{name}_{variant}"] = float(np.median(values)) if len(values) else float("nan")
    return found
