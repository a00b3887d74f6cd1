"""Rankings, profiles and rank tests of every family of problems beside those of all problems."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from jdbench.analysis.performance_profiles import COST, TAU_MAX, profile_areas, profiles
from jdbench.analysis.rank_tests import friedman, rank_tests
from jdbench.analysis.ranking import RANKING_COLUMNS, problem_ranks, ranking

OVERALL = "all problems"
"""Stands for the family in rows that are about all of them."""

UNKNOWN = "unknown"
"""The family of problems that cannot be had."""


def family_rankings(selected: pd.DataFrame, families: Mapping[str, str], *, seed: int = 1) -> pd.DataFrame:
    """Return the ranking of every family of problems, and over all.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.
        families: Family of each problem, as `jdbench.analysis.run_table.families` gives it.
        seed: Seed of the resampling.

    Returns:
        Columns ``family problems`` (how many count) and `RANKING_COLUMNS`; `OVERALL` first, then the families
        by name.
    """
    return _by_family(
        selected,
        families,
        lambda part: pd.DataFrame(ranking(part, seed=seed)[list(RANKING_COLUMNS)]),
        lambda part: {"problems": len(problem_ranks(part))},
    )


def family_profile_areas(
    selected: pd.DataFrame, families: Mapping[str, str], cost: str = COST, tau_max: float = TAU_MAX
) -> pd.DataFrame:
    """Return `jdbench.analysis.performance_profiles.profile_areas` of every family of problems, and over all.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.
        families: Family of each problem.
        cost: See `jdbench.analysis.performance_profiles.costs`.
        tau_max: Where profiles end.

    Returns:
        A column ``family`` and those of the areas.
    """
    return _by_family(selected, families, lambda part: profile_areas(part, cost, tau_max), lambda _: {})


def family_profiles(
    selected: pd.DataFrame, families: Mapping[str, str], cost: str = COST, tau_max: float = TAU_MAX
) -> pd.DataFrame:
    """Return `jdbench.analysis.performance_profiles.profiles` of every family of problems, and over all.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.
        families: Family of each problem.
        cost: See `jdbench.analysis.performance_profiles.costs`.
        tau_max: Where profiles end.

    Returns:
        A column ``family`` and those of the profiles.
    """
    return _by_family(selected, families, lambda part: profiles(part, cost, tau_max), lambda _: {})


def family_rank_tests(selected: pd.DataFrame, families: Mapping[str, str]) -> pd.DataFrame:
    """Return `jdbench.analysis.rank_tests.rank_tests` of every family of problems, and over all.

    Args:
        selected: The runs of `jdbench.analysis.ranked_runs.ranked_runs`.
        families: Family of each problem.

    Returns:
        Columns ``family blocks friedman p_friedman`` and those of the pairs. Families with fewer than two
        problems or aggregators are left out.
    """

    def head(part: pd.DataFrame) -> dict[str, float]:
        whole = friedman(problem_ranks(part))
        return {"blocks": whole.blocks, "friedman": whole.statistic, "p_friedman": whole.p_value}

    return _by_family(selected, families, lambda part: rank_tests(problem_ranks(part)), head)


def _by_family(
    selected: pd.DataFrame,
    families: Mapping[str, str],
    table: Callable[[pd.DataFrame], pd.DataFrame],
    head: Callable[[pd.DataFrame], Mapping[str, float]],
) -> pd.DataFrame:
    """Stack the tables of all problems and of each family, with the columns of ``head`` before theirs."""
    own = np.array([families.get(str(problem), UNKNOWN) for problem in selected["problem"]], dtype=object)
    parts = {OVERALL: selected} | {name: pd.DataFrame(selected[own == name]) for name in sorted(set(own))}
    found: list[pd.DataFrame] = []
    for name, part in parts.items():
        rows = table(part)
        for place, (column, value) in enumerate({"family": name, **head(part)}.items()):
            rows.insert(place, column, value)
        found.append(rows)
    return pd.concat([rows for rows in found if len(rows)] or found[:1], ignore_index=True)
