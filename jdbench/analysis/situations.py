"""The situations that the report recommends an aggregator for, each a rule that the data decide."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from jdbench.analysis.results import Results, Row
from jdbench.analysis.traits import CONFLICT_RULE, CONFLICTING, SPREAD
from jdbench.verification.properties import TABLE_1
from jdbench.verification.summary import NON_CONFLICTING

MANY = 4
"""Objectives are many beyond this."""

SCORE = "score"
TIME = "seconds_to_1e-3"
DELTA = "delta_m"
HELD_OUT = "held_out: "

Measures = Mapping[str, Sequence[tuple[str, bool]]]
"""By problem, columns and whether larger is better."""


@dataclass(frozen=True)
class Situation:
    """What somebody has and wants.

    Attributes:
        name: In a few words.
        rule: Which problems and aggregators are compared, and by what.
        problems: Specs of the problems.
        aggregators: Specs of those that qualify; None for all.
        measures: Columns by which runs are compared, and whether larger is better, by problem.
    """

    name: str
    rule: str
    problems: Sequence[str]
    measures: Measures
    aggregators: Sequence[str] | None = None


def situations(results: Results) -> list[Situation]:
    """Return the situations of which there are problems.

    Args:
        results: What was read, with the table ``traits``.

    Returns:
        The situations, most general first.
    """
    rows = results.rows("traits")
    every = [row["problem"] for row in rows]
    found = [_by_score("anything", "All problems, by score.", every)]
    found += [
        _by_score(
            f"{family.name} problems",
            f"The problems of the family {family.name}, by score.",
            [s.spec for s in family.subjects],
        )
        for family in results.families
    ]
    by_trait: list[tuple[str, str, Callable[[Row], bool]]] = [
        (
            "every objective convex",
            "Analytic problems whose objectives are all convex, by score.",
            lambda r: r["convex"] is True,
        ),
        (
            "some objective not convex",
            "Analytic problems of which some objective is not convex, by score.",
            lambda r: r["convex"] is False,
        ),
        (
            "conflicting objectives",
            f"Problems on which {CONFLICT_RULE}; by score.",
            lambda r: r["conflict"] >= CONFLICTING,
        ),
        (
            f"gradient norms spread over more than {SPREAD:g} decades",
            "Problems on which, in the median over steps and selected runs, the longest gradient is more than "
            f"1e{SPREAD:g} times as long as the shortest that is not zero, by score.",
            lambda r: r["decades"] > SPREAD,
        ),
        (
            "many objectives",
            f"Analytic problems with more than {MANY} objectives, by score.",
            lambda r: r["m"] > MANY,
        ),
    ]
    for name, rule, chosen in by_trait:
        found.append(_by_score(name, rule, [row["problem"] for row in rows if chosen(row)]))
    return [one for one in [*found, *_by_measure(results), *_by_property(results, every)] if one.problems]


def _by_score(name: str, rule: str, problems: Sequence[str]) -> Situation:
    return Situation(name, rule, problems, {problem: [(SCORE, False)] for problem in problems})


def _by_measure(results: Results) -> list[Situation]:
    rows = results.rows("selected")
    measured = {(row["problem"], name) for row in rows for name, value in row.items() if value == value}
    held: dict[str, Sequence[tuple[str, bool]]] = {}
    for subject in results.subjects:
        measures = [] if subject.problem is None else getattr(subject.problem, "measures", ())
        known = [(HELD_OUT + one.name, one.larger_is_better) for one in measures]
        known = [one for one in known if (subject.spec, one[0]) in measured]
        if known:
            held[subject.spec] = known

    def with_column(name: str) -> Measures:
        return {
            subject.spec: [(name, False)] for subject in results.subjects if (subject.spec, name) in measured
        }

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
            list(with_column(DELTA)),
            with_column(DELTA),
        ),
        Situation(
            "seconds count, not steps",
            "Analytic problems, by the wall-clock time until the distance is 1e-3 of that at the start.",
            list(with_column(TIME)),
            with_column(TIME),
        ),
    ]


def _by_property(results: Results, problems: Sequence[str]) -> list[Situation]:
    verdicts = results.verdicts
    if not verdicts.outcomes:
        return []
    measures: Measures = {problem: [(SCORE, False)] for problem in problems}
    ran = {row["aggregator"] for row in results.rows("selected")}
    safe, all_three = (
        [one for one in verdicts.having(*names) if one in ran] for names in ((NON_CONFLICTING,), TABLE_1)
    )
    kept = [
        Situation(
            "no update may conflict with a gradient",
            "All problems, by score, among aggregators of which no search found a violation of non-conflict: "
            f"{', '.join(safe)}.",
            problems,
            measures,
            safe,
        ),
        Situation(
            "all three properties of [JD] Table 1",
            "All problems, by score, among aggregators of which no search found a violation of "
            f"{', '.join(TABLE_1)}: {', '.join(all_three)}.",
            problems,
            measures,
            all_three,
        ),
    ]
    return [one for one in kept if one.aggregators]
