"""What the selected runs of trainings came to: held-out measures, losses, Δm% and the mean rank over tasks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import names, numbers, only
from jdbench.analysis.problem_results import standard_error
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, HELD_OUT, PROBLEM, STATE, TASK_RANK
from jdbench.analysis.seed_ranks import Criterion, seed_ranks

END_INDICATORS = (schema.WORST_LOSS, schema.BEST_LOSS, schema.DELTA_M)
"""Indicators of the end of a training, after its held-out measures."""

COLUMNS = (
    PROBLEM, AGGREGATOR, schema.MEASURE, schema.LARGER_IS_BETTER, schema.RUNS, schema.MEAN, schema.SEM,
)  # fmt: skip

Found = tuple[str, str, str, bool, int, float, float]
"""A row of these columns."""


def held_out(results: Results) -> pd.DataFrame:
    """Return what the selected runs of trainings came to.

    Returns:
        A row for each aggregator and held-out measure and each of `END_INDICATORS`, mean and standard error
        over the runs that finished; and for each problem of several held-out measures one of `TASK_RANK`, see
        `mean_ranks`.
    """
    selected = results.table("selected")
    found: list[Found] = []
    for entry in results.problems:
        runs = only(selected, PROBLEM, entry.spec)
        larger = {str(one.column): one.larger_is_better for one in measures_of(entry)}
        ended = only(runs, STATE, "finished")
        named = [name for name in ended.columns if name.startswith(HELD_OUT) or name in END_INDICATORS]
        taken = {name: numbers(ended, name) for name in named}
        values: dict[tuple[str, str], list[float]] = {}
        for place, aggregator in enumerate(names(ended, AGGREGATOR)):
            for name in named:
                if not np.isnan(taken[name][place]):
                    values.setdefault((name, aggregator), []).append(float(taken[name][place]))
        # Held-out measures first.
        for (name, one), own in sorted(values.items(), key=lambda item: item[0][0] in END_INDICATORS):
            measure, error = name.removeprefix(HELD_OUT), standard_error(own)
            mean = float(np.mean(own))
            found.append((entry.spec, one, measure, larger.get(name, False), len(own), mean, error))
        found += mean_ranks(entry, runs)
    return pd.DataFrame(found, columns=[*COLUMNS])


def mean_ranks(entry: ProblemEntry, runs: pd.DataFrame) -> list[Found]:
    """Return the mean rank MR of each aggregator over the tasks of a training, which stands beside Δm%.

    MR = 1/K Σₖ rankₖ over the K held-out measures of the problem, where rankₖ is the rank of the aggregator's
    measure among those of all aggregators: 1 is best, ties share the mean of their ranks, and a run that did
    not finish is tied last (Navon et al. 2022, Section 6; ranks are taken in each seed, which gives an error).

    Args:
        entry: The problem.
        runs: The selected runs on it.

    Returns:
        Rows as those of `held_out`, mean and standard error over the seeds that all aggregators have run; none
        for fewer than two measures.
    """
    measures = [
        one for one in measures_of(entry) if one.column in runs and bool(runs[one.column].notna().any())
    ]
    if len(measures) < 2:
        return []
    ranks = seed_ranks(runs, measures)
    found: list[Found] = []
    for name in ranks.columns if len(ranks) else ():
        own = ranks[name].to_numpy(dtype=np.float64)
        error = standard_error(own)
        found.append((entry.spec, str(name), str(TASK_RANK), False, len(own), float(own.mean()), error))
    return found


def measures_of(entry: ProblemEntry) -> Sequence[Criterion]:
    """Return the columns of the held-out measures of a problem, and whether larger is better."""
    return [
        Criterion(HELD_OUT + one.name, one.larger_is_better) for one in getattr(entry.problem, "measures", ())
    ]


HELD_OUT_TABLE = Table(
    "held_out",
    "What the selected runs of trainings came to",
    COLUMNS,
    held_out,
    needs=("selected",),
    listed=False,
)
