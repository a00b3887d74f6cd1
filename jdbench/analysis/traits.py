"""What kind of problem each is: what it says of itself, and what the runs on it saw."""

import math

import numpy as np
import pandas as pd

from jdbench.analysis.conflict import POSITIVE, conflict_share, opposed_share
from jdbench.analysis.margin_rounding import margin_tolerance
from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Results

SPREAD = 2.0
"""Norms are spread where the longest gradient is, in the median, over 10² times as long as the shortest."""

CONFLICTING = 0.1
"""A problem is conflicting where gradients oppose each other at this share of points, or of seeds, or more."""

CONFLICT_RULE = (
    f"some gradients oppose each other, gᵢᵀgⱼ < 0, at {100 * CONFLICTING:g} % or more of the points sampled "
    "between starts and Pareto set (at the starts, where there is no set); of trainings, as runs prove in "
    f"{100 * CONFLICTING:g} % or more of the seeds: an update of {' or '.join(POSITIVE)}, whose weights are "
    "positive, conflicted with a gradient"
)
"""When a problem is conflicting, in words."""


def traits(results: Results) -> pd.DataFrame:
    """Return the traits of each problem.

    Args:
        results: What was read.

    Returns:
        Columns ``problem family kind m n beta convex attained``, NaN or None where the problem does not say;
        ``conflict``, `jdbench.analysis.conflict.opposed_share` of an analytic problem that can be had, and
        `jdbench.analysis.conflict.conflict_share` of the selected runs on any other;
        ``decades``, the median over all selected runs of ``decades_median``; ``starts``, the number of seeds;
        and ``traits``, in words.
    """
    return pd.DataFrame([_traits(results, subject) for subject in results.subjects])


def _traits(results: Results, subject: Subject) -> dict[str, object]:
    problem = subject.analytic
    rows = results.rows("selected", problem=subject.spec)
    if problem is None:
        conflict = conflict_share(rows, margin_tolerance(subject.shape))
    else:
        conflict = opposed_share(problem)
    norms = [row["decades_median"] for row in rows if not math.isnan(row.get("decades_median", math.nan))]
    decades = float(np.median(norms)) if norms else math.nan
    shape = subject.shape or (math.nan, math.nan)
    words = [
        "" if problem is None else "convex" if problem.convex else "not convex",
        "conflicting" if conflict >= CONFLICTING else "",
        "norms spread" if decades > SPREAD else "",
        "" if problem is None or problem.attained else "optimum at infinity",
        "training" if subject.kind == "training" else "",
    ]
    return {
        "problem": subject.spec,
        "family": subject.family,
        "kind": subject.kind,
        "m": float(shape[0]),
        "n": float(shape[1]),
        "beta": math.nan if problem is None or problem.beta is None else float(problem.beta),
        "convex": None if problem is None else problem.convex,
        "attained": None if problem is None else problem.attained,
        "conflict": conflict,
        "decades": decades,
        "starts": len({row["seed"] for row in rows}),
        "traits": ", ".join(word for word in words if word),
    }
