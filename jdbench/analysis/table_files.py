"""Tables to files, CSV and Parquet, and the names of these."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from jdbench.analysis.declarations import Table
from jdbench.errors import InputError, MissingExtraError
from jdbench.runs.record import Array

FILED_DIGITS = 6
"""Of the numbers behind figures: records keep no more."""

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


def as_filed(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what files hold of a table: numbers behind figures to `FILED_DIGITS` digits, others whole."""
    names = [name for name in table.six_digits if name in frame]
    return frame.assign(**{name: to_filed_digits(frame[name].to_numpy(dtype=np.float64)) for name in names})


def to_filed_digits(values: Array) -> Array:
    """Return numbers to `FILED_DIGITS` digits.

    Example:
        >>> import numpy as np
        >>> from jdbench.analysis.table_files import to_filed_digits
        >>> to_filed_digits(np.array([1.23456789, np.inf]))
        array([1.23457,     inf])
    """
    return np.array([float(f"{value:.{FILED_DIGITS - 1}e}") for value in values.flat]).reshape(values.shape)
