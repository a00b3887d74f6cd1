"""What rankings and profiles leave out, problems whose starts are at the target already, and what these show."""

from collections.abc import Sequence

import pandas as pd

from jdbench.ranked_runs import starts_at_target
from jdbench.report.palette import in_order
from jdbench.report.results import Results, where
from jdbench.report.subjects import Subject


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
    runs = pd.concat([
        where(results.tables[name], problem=subject.spec, state="finished") for name in ("selected", "references")
    ])
    if "path_length" not in runs:
        return [], {}
    lengths = runs.groupby("aggregator")["path_length"].max().dropna()
    names = in_order(str(name) for name in lengths.index)
    return (
        [name for name in names if lengths[name] == 0],
        {name: float(lengths[name]) for name in names if lengths[name] > 0},
    )
