"""Performance profiles: on what share of the instances an aggregator is within a factor τ of the fastest.

E. D. Dolan and J. J. Moré, Benchmarking optimization software with performance profiles, Mathematical
Programming 91 (2002). An instance is a problem with a seed; the cost is the number of steps to a target,
infinite for a run that diverged, failed or never came there.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Table
from jdbench.analysis.problems import by_family, families
from jdbench.analysis.schema import AGGREGATOR, FAMILY, PROBLEM, SEED, STATE
from jdbench.runs.record import Array

COST: str = schema.STEPS_TO_TARGET
"""The cost by default: steps until the distance is 1e-3 of that at the start."""

TAU_MAX = 128.0
"""Profiles and their areas reach to this factor, seven doublings."""

AREA_COLUMNS = (
    schema.POSITION, AGGREGATOR, schema.PROFILE_AREA, schema.FASTEST, schema.SOLVED, schema.INSTANCES,
    schema.INSTANCES_LOST,
)  # fmt: skip


def costs(selected: pd.DataFrame, cost: str = COST) -> pd.DataFrame:
    """Return the cost of each aggregator on each instance.

    Args:
        selected: The runs of `jdbench.analysis.run_table.ranked_runs`.
        cost: Column with the costs, such as ``steps_to_1e-3`` or ``seconds_to_1e-2``.

    Returns:
        One row an instance, indexed by ``problem seed``, one column an aggregator. Problems of which no run has
        the cost, trainings for example, are left out. Infinite for runs that did not finish, for NaN, and for
        aggregators that have not run an instance; those that ran none of the problems here are left out. So
        are instances with a cost of 0, which start on the front.
    """
    if cost not in selected:
        return pd.DataFrame()
    measured = selected[cost].notna().groupby(selected[PROBLEM]).transform("any")
    paid = pd.DataFrame(selected.loc[measured, [PROBLEM, SEED, AGGREGATOR, STATE]])
    price = selected.loc[measured, cost].to_numpy(dtype=np.float64)
    paid["cost"] = np.where((paid[STATE] == "finished") & ~np.isnan(price), price, np.inf)
    table = paid.pivot_table(index=[PROBLEM, SEED], columns=AGGREGATOR, values="cost", aggfunc="first")
    table = table.fillna(np.inf)
    return table.loc[(table.to_numpy() > 0).all(axis=1)]


def performance_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return each cost over the least of its instance, infinite where nobody came to the target.

    Args:
        table: Of `costs`.

    Returns:
        A table of the same shape, entries at least 1.
    """
    least = table.min(axis=1)
    return table.div(least.where(np.isfinite(least), 1.0), axis=0)


def profiles(selected: pd.DataFrame, cost: str = COST, tau_max: float = TAU_MAX) -> pd.DataFrame:
    """Return the profiles ρ(τ), the weight of the instances with a ratio of at most τ, as steps.

    Each problem weighs alike, and each of its seeds. An instance that nobody solves still counts: no profile
    reaches 1 then.

    Args:
        selected: The runs of `jdbench.analysis.run_table.ranked_runs`.
        cost: See `costs`.
        tau_max: Where profiles end.

    Returns:
        Columns ``aggregator tau share``: ρ is the share of the last row with ``tau`` at most τ. Rows at τ = 1,
        at every rise, and at τ_max.
    """
    table = costs(selected, cost)
    rows: list[tuple[str, float, float]] = []
    if len(table):
        relative, weights = performance_ratios(table), _weights(table)
        for name in relative.columns:
            own = relative[name].to_numpy(dtype=np.float64)
            taus = np.unique(np.concatenate([[1.0, tau_max], own[own <= tau_max]]))
            rows += [(str(name), float(tau), float(weights[own <= tau].sum())) for tau in taus]
    return pd.DataFrame(rows, columns=[AGGREGATOR, schema.TAU, schema.SHARE])


def profile_areas(selected: pd.DataFrame, cost: str = COST, tau_max: float = TAU_MAX) -> pd.DataFrame:
    """Return the areas under the profiles, largest first.

    The area is that of ρ over log₂ τ from 0 to log₂ τ_max, divided by log₂ τ_max: 1 for the fastest on every
    instance, 0 for one that is never within the factor τ_max of it. An instance of weight w and ratio r adds
    w (1 - log₂ r / log₂ τ_max).

    Args:
        selected: The runs of `jdbench.analysis.run_table.ranked_runs`.
        cost: See `costs`.
        tau_max: Where profiles end, above 1.

    Returns:
        Columns ``position aggregator area fastest solved instances lost``: the place, tied (``2=``) where areas
        are equal; the weight of the instances on which it is fastest, ρ(1); of those it solved; the number of
        instances; and of those it did not solve.
    """
    table = costs(selected, cost)
    rows: list[tuple[str, float, float, float, int, int]] = []
    if len(table):
        relative, weights = performance_ratios(table), _weights(table)
        for name in relative.columns:
            own = relative[name].to_numpy(dtype=np.float64)
            solved = np.isfinite(own)
            area = float(weights @ np.maximum(0.0, 1 - np.log2(own) / np.log2(tau_max)))
            fastest, reached = float(weights[own == 1].sum()), float(weights[solved].sum())
            rows.append((str(name), area, fastest, reached, len(own), int((~solved).sum())))
    found = pd.DataFrame(rows, columns=[*AREA_COLUMNS[1:]])
    # Areas that agree to nine digits differ by the order of a sum.
    area = schema.PROFILE_AREA
    found[area] = found[area].astype(np.float64).round(9)
    found = found.sort_values([area, AGGREGATOR], ascending=[False, True], ignore_index=True)
    found.insert(0, str(schema.POSITION), positions(found[area], largest_first=True))
    return found


def family_profiles(ranked: pd.DataFrame, family_of: Mapping[str, str]) -> pd.DataFrame:
    """Return `profiles` of every family of problems, and over all."""
    return by_family(ranked, family_of, lambda _, part: profiles(part))


def family_profile_areas(ranked: pd.DataFrame, family_of: Mapping[str, str]) -> pd.DataFrame:
    """Return `profile_areas` of every family of problems, and over all."""
    return by_family(ranked, family_of, lambda _, part: profile_areas(part))


def positions(values: npt.ArrayLike, *, largest_first: bool = False) -> list[str]:
    """Return places from 1, equal values sharing theirs.

    Args:
        values: What decides.
        largest_first: Whether the largest is first.

    Returns:
        Such as ``1``, ``2=``, ``2=``, ``4``.
    """
    place = (
        pd
        .Series(np.asarray(values, dtype=np.float64))
        .rank(method="min", ascending=not largest_first)
        .astype(int)
    )
    shared = place.duplicated(keep=False)
    return [f"{p}=" if tied else str(p) for p, tied in zip(place, shared, strict=True)]


def _weights(table: pd.DataFrame) -> Array:
    """Return the weight of each instance, 1 in all."""
    problems = table.index.get_level_values(PROBLEM)
    counts = problems.value_counts()
    return np.array([1 / (counts[problem] * len(counts)) for problem in problems])


PROFILES = Table(
    "profiles",
    "Performance profiles: the share of instances solved within a factor of the fastest",
    (FAMILY, AGGREGATOR, schema.TAU, schema.SHARE),
    lambda results: family_profiles(results.table("ranked"), families(results.problems)),
    needs=("ranked",),
    listed=False,
)
PROFILE_AREAS = Table(
    "profile_areas",
    "Areas under the performance profiles",
    (FAMILY, *AREA_COLUMNS),
    lambda results: family_profile_areas(results.table("ranked"), families(results.problems)),
    needs=("ranked",),
    listed=False,
)
