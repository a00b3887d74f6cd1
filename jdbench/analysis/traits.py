"""What kind of problem each is: what it says of itself, and what the runs on it saw."""

import math
from typing import NamedTuple

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.conflict import POSITIVE, conflict_share, opposed_share
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import only
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import DECADES_MEDIAN, PROBLEM, SEED
from jdbench.analysis.stops import margin_tolerance

SPREAD_DECADES = 2.0
"""Norms are spread where the longest gradient is, in the median, over 10² times as long as the shortest."""

CONFLICT_THRESHOLD = 0.1
"""A problem is conflicting where gradients oppose each other at this share of points, or of seeds, or more."""

CONFLICT_RULE = (
    f"some gradients oppose each other, gᵢᵀgⱼ < 0, at {100 * CONFLICT_THRESHOLD:g} % or more of the points "
    "sampled between starts and Pareto set (at the starts, where there is no set); of trainings, as runs prove "
    f"in {100 * CONFLICT_THRESHOLD:g} % or more of the seeds: an update of {' or '.join(POSITIVE)}, whose "
    "weights are positive, conflicted with a gradient"
)
"""When a problem is conflicting, in words."""


class Traits(NamedTuple):
    """The traits of a problem; the fields are the columns of the table.

    Attributes:
        problem: Its spec.
        family: Its family.
        kind: ``analytic`` or ``training``.
        m: Number of objectives, NaN where it is not known.
        n: Number of parameters, likewise.
        beta: β of [JD] eq. 17, NaN where the problem does not say.
        convex: Whether every objective is, None where the problem does not say.
        attained: Whether there is a Pareto set, likewise.
        conflict: `jdbench.analysis.conflict.opposed_share` of an analytic problem that can be had, and
            `jdbench.analysis.conflict.conflict_share` of the selected runs on any other.
        decades: Median over all selected runs of ``decades_median``.
        starts: Number of seeds.
        traits: The same in words.
    """

    problem: str
    family: str
    kind: str
    m: float
    n: float
    beta: float
    convex: bool | None
    attained: bool | None
    conflict: float
    decades: float
    starts: int
    traits: str


def traits(results: Results) -> pd.DataFrame:
    """Return the `Traits` of each problem."""
    selected = results.table("selected")
    return pd.DataFrame([_traits(entry, only(selected, PROBLEM, entry.spec)) for entry in results.problems])


def _traits(entry: ProblemEntry, runs: pd.DataFrame) -> Traits:
    problem = entry.analytic
    if problem is None:
        conflict = conflict_share(runs, margin_tolerance(entry.shape))
    else:
        conflict = opposed_share(problem)
    norms = runs[DECADES_MEDIAN].dropna() if DECADES_MEDIAN in runs else []
    decades = float(np.median(norms)) if len(norms) else math.nan
    m, n = entry.shape or (math.nan, math.nan)
    words = [
        "" if problem is None else "convex" if problem.convex else "not convex",
        "conflicting" if conflict >= CONFLICT_THRESHOLD else "",
        "norms spread" if decades > SPREAD_DECADES else "",
        "" if problem is None or problem.attained else "optimum at infinity",
        "training" if entry.kind == "training" else "",
    ]
    return Traits(
        entry.spec,
        entry.family,
        entry.kind,
        float(m),
        float(n),
        math.nan if problem is None or problem.beta is None else float(problem.beta),
        None if problem is None else problem.convex,
        None if problem is None else problem.attained,
        conflict,
        decades,
        len(set(runs[SEED])),
        ", ".join(word for word in words if word),
    )


TRAITS_TABLE = Table(
    "traits",
    "What kind of problem each is",
    (
        PROBLEM, schema.FAMILY, schema.KIND, schema.M, schema.N, schema.BETA, schema.CONVEX, schema.ATTAINED,
        schema.CONFLICT, schema.DECADES, schema.STARTS, schema.TRAITS,
    ),
    traits,
    needs=("selected",),
    listed=False,
)  # fmt: skip
