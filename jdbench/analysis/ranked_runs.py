"""The runs that are compared: those whose start leaves something to gain.

Where the start lies in the Pareto set the criterion, a share of the distance at the start, measures nothing:
every aggregator that stays has score 0 and reaches every target in 0 steps, and all are tied. Such starts tell
whether an aggregator rests; they say nothing about how fast it is.
"""

from collections import Counter

import numpy as np
import numpy.typing as npt
import pandas as pd


def ranked_runs(selected: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that rankings and performance profiles compare.

    Args:
        selected: The runs of `jdbench.analysis.run_table.selected_runs`.

    Returns:
        Those of its rows, all aggregators alike, whose start is not at the target.
    """
    return pd.DataFrame(selected[~_at_target(selected)])


def starts_at_target(selected: pd.DataFrame) -> dict[str, tuple[int, int]]:
    """Return the problems with starts that are at the target already.

    Args:
        selected: The runs of `jdbench.analysis.run_table.selected_runs`.

    Returns:
        By problem, how many of its starts are, at least 1, and how many starts it has.
    """
    starts = sorted({
        (str(problem), int(seed), bool(there))
        for problem, seed, there in zip(
            selected["problem"], selected["seed"], _at_target(selected), strict=True
        )
    })
    whole = Counter(problem for problem, _, _ in starts)
    part = Counter(problem for problem, _, there in starts if there)
    return {problem: (count, whole[problem]) for problem, count in part.items()}


def _at_target(selected: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Return for each run whether its criterion is 0 at the start, as all runs from there say that have one."""
    starts = selected.groupby(["problem", "seed"])["start"].transform("max")
    return starts.to_numpy(dtype=np.float64) == 0
