"""The problems that rankings and profiles leave out, with starts at the target already, and what they show."""

import math
from collections.abc import Sequence

from jdbench.analysis.problems import Subject
from jdbench.analysis.ranked_runs import starts_at_target
from jdbench.analysis.results import Results
from jdbench.roster import in_order


def left_out(results: Results, subjects: Sequence[Subject]) -> dict[str, str]:
    """Return the problems of whose starts rankings and profiles leave some or all out.

    Args:
        results: What was read.
        subjects: The problems that are asked about.

    Returns:
        By problem, which of its starts, such as ``all 8 starts``.
    """
    found = starts_at_target(results.tables["selected"])
    return {
        one.spec: f"all {whole} starts" if part == whole > 1 else f"{part} of {whole} starts"
        for one in subjects
        for part, whole in [found.get(one.spec, (0, 0))]
        if part
    }


def unranked_problems(results: Results) -> set[str]:
    """Return the problems that are not ranked since all their starts are at the target already.

    Args:
        results: What was read.

    Returns:
        Their specs.
    """
    found = starts_at_target(results.tables["selected"])
    return {problem for problem, (part, whole) in found.items() if part == whole}


def motion(results: Results, subject: Subject) -> tuple[list[str], dict[str, float]]:
    """Return who stayed at the starts of a problem and who moved, in selected and reference runs.

    Args:
        results: What was read.
        subject: The problem.

    Returns:
        The aggregators whose runs all have a path of length 0, and the longest path of each of the others, by
        aggregator; both without those of which no run finished.
    """
    runs = [
        row
        for name in ("selected", "references")
        for row in results.rows(name, problem=subject.spec, state="finished")
    ]
    longest: dict[str, float] = {}
    for run in runs:
        if not math.isnan(length := run.get("path_length", math.nan)):
            longest[run["aggregator"]] = max(length, longest.get(run["aggregator"], 0.0))
    names = in_order(longest)
    return (
        [name for name in names if longest[name] == 0],
        {name: longest[name] for name in names if longest[name] > 0},
    )
