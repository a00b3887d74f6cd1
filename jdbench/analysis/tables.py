"""The one registry: every metric of runs and every table, ours in two lists, outsiders' by entry points.

A package announces a metric by an entry point of the group ``jdbench.metrics`` that leads to a
`jdbench.analysis.Metric`, and a table by one of the group ``jdbench.tables`` that leads to a
`jdbench.analysis.Table`.
"""

from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import entry_points
from typing import TypeVar

import pandas as pd

from jdbench.analysis import (
    along,
    choices,
    curves,
    end_points,
    outcomes,
    performance_profiles,
    points,
    problem_results,
    rank_tests,
    ranking,
    run_table,
    seed_ranks,
    stops,
    trainings,
    traits,
    upgrad_variants,
    verdict_table,
)
from jdbench.analysis.declarations import Metric, Table
from jdbench.analysis.results import Results
from jdbench.errors import InputError, JDBenchError
from jdbench.exits import survived

METRIC_POINTS, TABLE_POINTS = "jdbench.metrics", "jdbench.tables"

METRICS: tuple[Metric, ...] = ()
"""Our metrics, beside the indicators that records have and the score; one a line."""

TABLES: tuple[Table, ...] = (
    run_table.INDICATORS,
    run_table.SELECTED_RUNS,
    run_table.REFERENCE_RUNS,
    run_table.RANKED_RUNS,
    run_table.ALL_RUNS,
    outcomes.OUTCOMES,
    outcomes.TOTALS,
    outcomes.ERRORS,
    outcomes.LEFT_OUT,
    outcomes.MOTION,
    outcomes.SEED_COUNTS,
    seed_ranks.SEED_RANKS,
    seed_ranks.PROBLEM_RANKS,
    rank_tests.RANK_TESTS,
    rank_tests.FRIEDMAN_TESTS,
    rank_tests.PAIRS_TOLD_APART,
    along.ALONG_TABLE,
    ranking.RANKING,
    ranking.FAMILY_RANKS,
    ranking.UNRANKED,
    performance_profiles.PROFILES,
    performance_profiles.PROFILE_AREAS,
    problem_results.PROBLEM_RESULTS,
    problem_results.LEADERS,
    problem_results.LOST_SEEDS,
    problem_results.RANKS_ON_PROBLEMS,
    stops.SELECTED_JUDGEMENT,
    stops.REFERENCE_JUDGEMENT,
    end_points.END_POINT_SETS,
    end_points.SET_SHARES,
    trainings.HELD_OUT_TABLE,
    traits.TRAITS_TABLE,
    choices.CHOICES,
    choices.ANSWERS,
    upgrad_variants.COMPARISON,
    upgrad_variants.SUMMARY,
    upgrad_variants.RATIOS,
    verdict_table.PROPERTY_VERDICTS,
    curves.CURVES,
    points.PANELS,
    points.END_POINTS,
    points.PATHS,
    points.FRONTS,
)
"""Our tables, one a line."""

Kind = TypeVar("Kind", Metric, Table)


def declared_metrics() -> list[Metric]:
    """Return our metrics, then those that installed packages announce, by name.

    Raises:
        InputError: An entry point leads to something else, or two metrics share a column.

    Example:
        >>> from jdbench.analysis import Metric, declared_metrics
        >>> all(isinstance(metric, Metric) for metric in declared_metrics())
        True
    """
    metrics = [*METRICS, *_announced(METRIC_POINTS, Metric)]
    columns = [metric.column for metric in metrics]
    for column in columns:
        if columns.count(column) > 1:
            raise InputError(f"metric={column}, required one of that name, got two, rename one")
    return metrics


def declared_tables() -> dict[str, Table]:
    """Return our tables and those that installed packages announce, each after those that it needs.

    Raises:
        InputError: An entry point leads to something else, two tables share a name, or needs cannot be met.

    Example:
        >>> from jdbench.analysis import declared_tables
        >>> declared_tables()["ranked"].needs
        ('selected',)
    """
    return in_order_of_needs([*TABLES, *(_attributed(table) for table in _announced(TABLE_POINTS, Table))])


def in_order_of_needs(tables: Iterable[Table]) -> dict[str, Table]:
    """Return tables by name, each after those that it needs.

    Raises:
        InputError: Two share a name, one needs a table that is not there, or some need each other in a circle.

    Example:
        >>> from jdbench.analysis import Table
        >>> from jdbench.analysis.tables import in_order_of_needs
        >>> def make(results): ...
        >>> later = Table("later", "", (), make, needs=("sooner",))
        >>> list(in_order_of_needs([later, Table("sooner", "", (), make)]))
        ['sooner', 'later']
    """
    known: dict[str, Table] = {}
    for table in tables:
        if table.name in known:
            raise InputError(f"table={table.name}, required one of that name, got two, rename one")
        known[table.name] = table
    ordered: dict[str, Table] = {}

    def place(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " → ".join([*path[path.index(name) :], name])
            raise InputError(
                f"needs of table={name}, required tables made before, got {circle}, break the circle"
            )
        if name not in ordered:
            for need in known[name].needs:
                if need not in known:
                    raise InputError(
                        f"needs of table={name}, required tables that are declared, got {need}, "
                        "declare or correct it"
                    )
                place(need, (*path, name))
            ordered[name] = known[name]

    for name in known:
        place(name, ())
    return ordered


def _announced(group: str, kind: type[Kind]) -> list[Kind]:
    """Return what the entry points of a group lead to, by name."""
    found: list[Kind] = []
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        try:
            with survived():
                loaded = point.load()
        except Exception as error:
            said = str(error) if isinstance(error, ImportError | AttributeError) else repr(error)
            raise InputError(
                f"entry point {point.name} of {group}, required {point.value}, got {said}, mend or remove "
                "its package"
            ) from error
        if not isinstance(loaded, kind):
            raise InputError(
                f"entry point {point.name} of {group}, required a jdbench.analysis.{kind.__name__}, got "
                f"{type(loaded).__name__}, mend or remove its package"
            )
        found.append(loaded)
    return found


def _attributed(table: Table) -> Table:
    """Return an outsider's table that, if it cannot be made, says which one it is."""

    def make(results: Results) -> pd.DataFrame:
        try:
            return table.make(results)
        except JDBenchError:
            raise
        except Exception as error:
            raise InputError(
                f"table={table.name}, required a frame, got {type(error).__name__}: {error}, mend what makes it"
            ) from error

    return replace(table, make=make)
