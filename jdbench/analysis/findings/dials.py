"""Predictions about `CompetingTasks`, whose dials are the cosine and the ratio of norms of two gradients."""

import math
from collections.abc import Callable, Sequence
from typing import Literal

from jdbench.analysis.findings.evidence import (
    EXACT,
    Answer,
    Evidence,
    Prediction,
    Run,
    judged,
    untold,
)
from jdbench.analysis.problems import announced_problem
from jdbench.roster import LISTED
from jdbench.rounding import gamma

PROBLEM = "CompetingTasks"

Cosine = Literal["mean_cosine", "cosine_at_start"]

ROUNDING = gamma(2**12)
"""Of a cosine of 793 float64 numbers, and of the projections that it is taken of."""

UNEQUAL = 10.0
"""Norm of the second row over the first's, where they differ."""

TURNED = 0.99
"""Below this the direction has left the mean gradient's, at a dial of -0.9 and norms 1 to 10."""


def cosine_to_mean(cosine: float, scale: float) -> float:
    """Return the cosine of UPGrad's direction to the mean gradient, for two rows ([JD] eq. 4).

    Each row is projected onto the dual cone of both: without conflict it stays, else it loses its part along
    the other row.

    Args:
        cosine: Between the rows.
        scale: Norm of the second row; that of the first is 1.

    Returns:
        The cosine.
    """
    rows = (1.0, 0.0), (scale * cosine, scale * math.sqrt(1 - cosine**2))
    total = [0.0, 0.0]
    for g, other in (rows, rows[::-1]):
        along = min(_inner(g, other), 0.0) / _inner(other, other)
        total = [t + a - along * b for t, a, b in zip(total, g, other, strict=True)]
    mean = [a + b for a, b in zip(*rows, strict=True)]
    return _inner(total, mean) / math.sqrt(_inner(total, total) * _inner(mean, mean))


def _inner(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def _at(evidence: Evidence, *, scale: float) -> list[tuple[float, Run]]:
    """Return the selected runs at a ratio of norms that finished, each with its dial."""
    dials: dict[str, float] = {}
    for name in {run.problem for run in evidence.selected}:
        problem = announced_problem(name) if name.partition("(")[0] == PROBLEM else None
        if problem is not None and getattr(problem, "scale", None) == scale:
            dials[name] = float(getattr(problem, "cosine", math.nan))
    runs = [run for run in evidence.selected if run.problem in dials and run.state == "finished"]
    return sorted(((dials[run.problem], run) for run in runs), key=lambda one: one[0])


def _violations(
    runs: Sequence[tuple[float, Run]],
    column: Cosine,
    sound: Callable[[float, float], bool],
) -> list[str]:
    """Return the runs of which a number is not sound for the dial."""
    return [
        f"{run.aggregator} at {dial:g}, seed {run.seed}: {column} {_cosine(run, column):.6g}"
        for dial, run in runs
        if not sound(dial, _cosine(run, column))
    ]


def _cosine(run: Run, column: Cosine) -> float:
    return run.mean_cosine if column == "mean_cosine" else run.cosine_at_start


def aligned_rows_agree(evidence: Evidence) -> Answer:
    """Judge whether all of our aggregators go along the mean gradient where both rows are parallel."""
    runs = [one for one in _at(evidence, scale=1.0) if one[0] == 1.0 and one[1].aggregator in LISTED]
    if not runs:
        return untold(f"trainings on {PROBLEM} with the dial at 1: `jdbench run --preset full` makes them")
    return judged(
        _violations(runs, "mean_cosine", lambda _, cosine: cosine >= 1 - ROUNDING),
        aggregators=len({run.aggregator for _, run in runs}),
        runs=len(runs),
        **{"1 - least cosine": 1 - min(run.mean_cosine for _, run in runs)},
    )


def equal_norms_go_along_the_mean(evidence: Evidence) -> Answer:
    """Judge whether UPGrad starts along the mean gradient where both rows are of one length."""
    runs = [one for one in _at(evidence, scale=1.0) if one[1].aggregator == EXACT]
    if not runs:
        return untold(f"trainings of {EXACT} on {PROBLEM}: `jdbench run --preset full` makes them")
    return judged(
        _violations(runs, "cosine_at_start", lambda _, cosine: cosine >= 1 - ROUNDING),
        dials=", ".join(f"{dial:g}" for dial in dict.fromkeys(dial for dial, _ in runs)),
        runs=len(runs),
        **{"1 - least cosine": 1 - min(run.cosine_at_start for _, run in runs)},
    )


def unequal_norms_leave_the_mean(evidence: Evidence) -> Answer:
    """Judge whether UPGrad starts as (4) says at norms 1 and 10, and stays off the mean where they conflict."""
    runs = [one for one in _at(evidence, scale=UNEQUAL) if one[1].aggregator == EXACT]
    if not runs:
        return untold(
            f"trainings of {EXACT} on {PROBLEM} at norms 1 and 10: `jdbench run --preset full` makes them"
        )

    def error(dial: float, cosine: float) -> float:
        return abs(cosine - cosine_to_mean(dial, UNEQUAL))

    hard = [one for one in runs if one[0] == -0.9]
    return judged(
        [
            *_violations(runs, "cosine_at_start", lambda dial, cosine: error(dial, cosine) <= 16 * ROUNDING),
            *_violations(hard, "cosine_at_start", lambda _, cosine: cosine < TURNED),
            *_violations(hard, "mean_cosine", lambda _, cosine: cosine < TURNED),
        ],
        dials=", ".join(f"{dial:g}" for dial in dict.fromkeys(dial for dial, _ in runs)),
        runs=len(runs),
        **{"largest error": max(error(dial, run.cosine_at_start) for dial, run in runs)},
    )


PREDICTIONS = (
    Prediction(
        "dial-aligned",
        "With parallel rows all aggregators go along the mean gradient, from the first step to the last",
        "[JD] Section 2.2",
        aligned_rows_agree,
    ),
    Prediction(
        "dial-equal-norms",
        "With rows of one length UPGrad starts along the mean gradient, whatever their angle",
        "[JD] eq. 4, by symmetry",
        equal_norms_go_along_the_mean,
    ),
    Prediction(
        "dial-unequal-norms",
        "With norms 1 and 10 UPGrad leaves the mean gradient by what the projections of two rows say",
        "[JD] eq. 4",
        unequal_norms_leave_the_mean,
    ),
)
