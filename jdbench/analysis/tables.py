"""All tables of a store of records by name, and their files in CSV and Parquet."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from jdbench.analysis.end_points import end_point_sets
from jdbench.analysis.family_tables import (
    family_profile_areas,
    family_profiles,
    family_rank_tests,
    family_rankings,
)
from jdbench.analysis.ranked_runs import ranked_runs
from jdbench.analysis.ranking import problem_ranks
from jdbench.analysis.run_table import (
    analytic,
    families,
    indicator_table,
    outcomes,
    problems_of,
    reference_runs,
    selected_runs,
    shapes,
)
from jdbench.analysis.stops import judge
from jdbench.analysis.upgrad_variants import upgrad_against_regularised
from jdbench.errors import InputError, MissingExtraError
from jdbench.runs.record import Record


def score_tables(records: Iterable[Record]) -> dict[str, pd.DataFrame]:
    """Return all tables that records give.

    Args:
        records: With their curves, for the end points.

    Returns:
        By name: ``indicators`` and ``selected`` (one row a run), ``outcomes``, ``ranking`` (per family and
        overall), ``problem_ranks`` (mean rank over seeds, a row a problem), ``profiles``, ``profile_areas``,
        ``rank_tests``, ``end_point_sets``, ``selected_judgement`` (where the selected runs stopped),
        ``reference_judgement`` (the same of the runs at Theorem 1's rate), ``upgrad_against_regularised``.
        Rankings, profiles and comparisons are of the runs of `jdbench.analysis.ranked_runs` alone.

    Raises:
        MissingExtraError: A package of the extra ``report`` is not installed.
        InputError: There is no record.
    """
    kept = list(records)
    if not kept:
        raise InputError("records, required at least one, got none, run a benchmark first")
    table = indicator_table(kept)
    selected = selected_runs(table)
    ranked = ranked_runs(selected)
    problems = problems_of(table)
    of, sizes = families(problems), shapes(problems, kept)
    return {
        "indicators": table,
        "selected": selected,
        "outcomes": outcomes(table),
        "ranking": family_rankings(ranked, of),
        "problem_ranks": problem_ranks(ranked).rename_axis(index="problem", columns=None).reset_index(),
        "profiles": family_profiles(ranked, of),
        "profile_areas": family_profile_areas(ranked, of),
        "rank_tests": family_rank_tests(ranked, of),
        "end_point_sets": end_point_sets(kept, selected, analytic(problems)),
        "selected_judgement": judge(selected, sizes),
        "reference_judgement": judge(reference_runs(table), sizes),
        "upgrad_against_regularised": upgrad_against_regularised(ranked),
    }


LONG = 20_000
"""Rows from which on a table's CSV is compressed."""


def csv_name(name: str, table: pd.DataFrame) -> str:
    """Return the name of a table's CSV file.

    Args:
        name: Name of the table.
        table: The table.

    Returns:
        ``NAME.csv``, or ``NAME.csv.gz``, which pandas reads alike, from `LONG` rows on.
    """
    return f"{name}.csv" if len(table) < LONG else f"{name}.csv.gz"


def write_tables(tables: Mapping[str, pd.DataFrame], folder: Path, *, parquet: bool = True) -> list[Path]:
    """Write each table as CSV, and as Parquet.

    Args:
        tables: By name.
        folder: Where, made if missing; files of the same names are replaced.
        parquet: Whether Parquet is wanted too.

    Returns:
        The files, `csv_name` and ``NAME.parquet`` of each, in the order of the tables.

    Raises:
        InputError: The folder cannot be written to.
        MissingExtraError: pyarrow is not installed.
    """
    files: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, table in tables.items():
            csv = folder / csv_name(name, table)
            # The same table is the same file: no time in its header.
            packing = {"method": "gzip", "mtime": 0} if csv.suffix == ".gz" else None
            table.to_csv(csv, index=False, lineterminator="\n", compression=packing)
            files.append(csv)
            if parquet:
                files.append(folder / f"{name}.parquet")
                table.to_parquet(files[-1], index=False)
    except ImportError as error:
        raise MissingExtraError(
            'Parquet, required pyarrow, got no such package, run `pip install "jdbench[report]"`'
        ) from error
    except OSError as error:
        raise InputError(
            f"folder={folder}, required a folder that can be written to, got {error}, choose another"
        ) from error
    return files
