"""The situations that the report recommends an aggregator for, each a rule that the data decide."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jdbench.analysis.frames import names, numbers, series, where
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    CONFLICT,
    CONVEX,
    DECADES,
    DELTA_M,
    PROBLEM,
    SECONDS_TO_TARGET,
    M,
)
from jdbench.analysis.seed_ranks import BY_SCORE, Criterion
from jdbench.analysis.trainings import measures_of
from jdbench.analysis.traits import CONFLICT_RULE, CONFLICT_THRESHOLD, SPREAD_DECADES
from jdbench.verification.properties import TABLE_1
from jdbench.verification.summary import NON_CONFLICTING

MANY = 4
"""Objectives are many beyond this."""

Criteria = Mapping[str, Sequence[Criterion]]
"""By problem, what runs are compared by."""


@dataclass(frozen=True)
class Situation:
    """What somebody has and wants.

    Attributes:
        name: In a few words.
        rule: Which problems and aggregators are compared, and by what.
        problems: Specs of the problems.
        aggregators: Specs of those that qualify; None for all.
        criteria: What runs are compared by, by problem.
    """

    name: str
    rule: str
    problems: Sequence[str]
    criteria: Criteria
    aggregators: Sequence[str] | None = None


def situations(results: Results) -> list[Situation]:
    """Return the situations of which there are problems, most general first."""
    traits = results.table("traits")
    every = names(traits, PROBLEM)
    found = [_by_score("anything", "All problems, by score.", every)]
    found += [
        _by_score(
            f"{family.name} problems",
            f"The problems of the family {family.name}, by score.",
            [entry.spec for entry in family.problems],
        )
        for family in results.families
    ]
    conflict, decades, m = (numbers(traits, name) for name in (CONFLICT, DECADES, M))
    by_trait: list[tuple[str, str, npt.NDArray[np.bool_]]] = [
        (
            "every objective convex",
            "Analytic problems whose objectives are all convex, by score.",
            series(traits, CONVEX).eq(True).to_numpy(dtype=np.bool_),
        ),
        (
            "some objective not convex",
            "Analytic problems of which some objective is not convex, by score.",
            series(traits, CONVEX).eq(False).to_numpy(dtype=np.bool_),
        ),
        (
            "conflicting objectives",
            f"Problems on which {CONFLICT_RULE}; by score.",
            conflict >= CONFLICT_THRESHOLD,
        ),
        (
            f"gradient norms spread over more than {SPREAD_DECADES:g} decades",
            "Problems on which, in the median over steps and selected runs, the longest gradient is more than "
            f"1e{SPREAD_DECADES:g} times as long as the shortest that is not zero, by score.",
            decades > SPREAD_DECADES,
        ),
        (
            "many objectives",
            f"Analytic problems with more than {MANY} objectives, by score.",
            m > MANY,
        ),
    ]
    found += [_by_score(name, rule, names(where(traits, chosen), PROBLEM)) for name, rule, chosen in by_trait]
    return [one for one in [*found, *_by_measure(results), *_by_property(results, every)] if one.problems]


def _by_score(name: str, rule: str, problems: Sequence[str]) -> Situation:
    return Situation(name, rule, problems, dict.fromkeys(problems, BY_SCORE))


def _by_measure(results: Results) -> list[Situation]:
    selected = results.table("selected")

    def measured(name: str) -> set[str]:
        return set(selected[PROBLEM][selected[name].notna()]) if name in selected else set()

    held: dict[str, Sequence[Criterion]] = {}
    for entry in results.problems:
        known = [one for one in measures_of(entry) if entry.spec in measured(one.column)]
        if known:
            held[entry.spec] = known

    def with_column(name: str) -> Criteria:
        having = measured(name)
        criterion = Criterion(name, larger_is_better=False)
        return {entry.spec: [criterion] for entry in results.problems if entry.spec in having}

    return [
        Situation(
            "held-out results matter",
            "Trainings with held-out data, ranked by each measure there instead of by the training loss (mean "
            "rank over the measures of a problem); rates were still selected by the training loss.",
            list(held),
            held,
        ),
        Situation(
            "no task may pay for the others",
            "Trainings with single-task baselines, by Δm%.",
            list(with_column(DELTA_M)),
            with_column(DELTA_M),
        ),
        Situation(
            "seconds count, not steps",
            "Analytic problems, by the wall-clock time until the distance is 1e-3 of that at the start.",
            list(with_column(SECONDS_TO_TARGET)),
            with_column(SECONDS_TO_TARGET),
        ),
    ]


def _by_property(results: Results, problems: Sequence[str]) -> list[Situation]:
    verdicts = results.verdicts
    if not verdicts.outcomes:
        return []
    criteria = dict.fromkeys(problems, BY_SCORE)
    ran = set(results.table("selected")[AGGREGATOR])
    safe, all_three = (
        [one for one in verdicts.having(*properties) if one in ran]
        for properties in ((NON_CONFLICTING,), TABLE_1)
    )
    kept = [
        Situation(
            "no update may conflict with a gradient",
            "All problems, by score, among aggregators of which no search found a violation of non-conflict: "
            f"{', '.join(safe)}.",
            problems,
            criteria,
            safe,
        ),
        Situation(
            "all three properties of [JD] Table 1",
            "All problems, by score, among aggregators of which no search found a violation of "
            f"{', '.join(TABLE_1)}: {', '.join(all_three)}.",
            problems,
            criteria,
            all_three,
        ),
    ]
    return [one for one in kept if one.aggregators]
