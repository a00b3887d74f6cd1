"""How runs ended: counts, what failed runs raised, and the starts that are optimal already."""

from collections import Counter

import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import grouped, only, ordered
from jdbench.analysis.results import Results
from jdbench.analysis.run_table import at_target
from jdbench.analysis.schema import (
    AGGREGATOR,
    AT_TARGET,
    ERROR,
    PATH_LENGTH,
    PROBLEM,
    RUNS,
    SEED,
    SEEDS,
    STARTS,
    STATE,
)
from jdbench.roster import in_order

ENDED: list[str] = [schema.FINISHED, schema.DIVERGED, schema.FAILED]
"""Numbers of the runs by how they ended, named as the states are."""


def outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many runs of each aggregator on each problem finished, diverged and failed, at all rates."""
    counts = pd.crosstab([table[PROBLEM], table[AGGREGATOR]], table[STATE])
    counts = counts.reindex(columns=ENDED, fill_value=0)
    counts.insert(0, str(RUNS), counts.sum(axis=1))
    counts.columns.name = None
    return counts.reset_index()


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """Return what failed runs raised, most frequent first."""
    failed = only(table, STATE, "failed")
    counts = Counter(zip(failed[PROBLEM], failed[AGGREGATOR], failed[ERROR], strict=True))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    found = [(problem, name, runs, error) for (problem, name, error), runs in ordered]
    return pd.DataFrame(found, columns=[PROBLEM, AGGREGATOR, RUNS, ERROR])


def totals(counts: pd.DataFrame) -> pd.DataFrame:
    """Return the counts of `outcomes` over all problems."""
    return grouped(counts, [AGGREGATOR], dict.fromkeys([str(RUNS), *ENDED], "sum"))


def left_out(selected: pd.DataFrame) -> pd.DataFrame:
    """Return the problems with starts that are at the target already, how many are, and of how many."""
    starts = sorted(set(zip(selected[PROBLEM], selected[SEED], at_target(selected), strict=True)))
    whole = Counter(problem for problem, _, _ in starts)
    part = Counter(problem for problem, _, there in starts if there)
    found = [(problem, count, whole[problem]) for problem, count in part.items()]
    return pd.DataFrame(found, columns=[PROBLEM, AT_TARGET, STARTS])


def longest_paths(results: Results) -> pd.DataFrame:
    """Return the longest path of each aggregator on each problem, of selected and reference runs.

    A path of length 0 says that all runs stayed at their starts. Aggregators of which no run finished, and
    problems whose runs have no length, are left out.
    """
    runs = pd.concat([results.table(name) for name in ("selected", "references")])
    ended = only(runs, STATE, "finished")
    if PATH_LENGTH not in ended:
        return pd.DataFrame(columns=[PROBLEM, AGGREGATOR, PATH_LENGTH])
    longest = grouped(ended, [PROBLEM, AGGREGATOR], {PATH_LENGTH: "max"}).dropna()
    return ordered(longest, AGGREGATOR, in_order(longest[AGGREGATOR]))


def seed_counts(table: pd.DataFrame) -> pd.DataFrame:
    """Return the largest seed of each problem."""
    return grouped(table, [PROBLEM], {SEED: "max"}).rename(columns={SEED: SEEDS})


COUNTS = (RUNS, schema.FINISHED, schema.DIVERGED, schema.FAILED)

OUTCOMES = Table(
    "outcomes",
    "How the runs ended, at all rates",
    (PROBLEM, AGGREGATOR, *COUNTS),
    lambda results: outcomes(results.table("indicators")),
    needs=("indicators",),
    listed=False,
)
TOTALS = Table(
    "outcome_totals",
    "How the runs on all problems ended, at all rates",
    (AGGREGATOR, *COUNTS),
    lambda results: totals(results.table("outcomes")),
    needs=("outcomes",),
    download=False,
    listed=False,
)
ERRORS = Table(
    "errors",
    "What failed runs raised",
    (PROBLEM, AGGREGATOR, RUNS, ERROR),
    lambda results: errors(results.table("indicators")),
    needs=("indicators",),
    listed=False,
)
LEFT_OUT = Table(
    "left_out",
    "Starts that are optimal already",
    (PROBLEM, AT_TARGET, STARTS),
    lambda results: left_out(results.table("selected")),
    needs=("selected",),
    download=False,
    listed=False,
)
MOTION = Table(
    "motion",
    "The longest path of each aggregator",
    (PROBLEM, AGGREGATOR, PATH_LENGTH),
    longest_paths,
    needs=("selected", "references"),
    download=False,
    listed=False,
)
SEED_COUNTS = Table(
    "seed_counts",
    "Seeds of each problem",
    (PROBLEM, SEEDS),
    lambda results: seed_counts(results.table("indicators")),
    needs=("indicators",),
    download=False,
    listed=False,
)
