"""What can be declared once and is then used everywhere: a column, a metric of runs, a table of a report."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

import pandas as pd

from jdbench.errors import InputError
from jdbench.runs.record import Record

if TYPE_CHECKING:
    from jdbench.analysis.results import Results

Better = Literal["less", "more", "neither"]
"""Which values of a column are the better ones."""


class Column(str):
    """The name of a column, with what is to be known of it.

    It is the string by which frames are indexed; pages take heading, tooltip and mark from it.

    Attributes:
        meaning: What stands in it, in a few words.
        unit: Of its values; empty for pure numbers, names and counts.
        better: Which values are better.
        heading: What stands above it in a page.

    Example:
        >>> from jdbench.analysis import Column
        >>> AREA = Column("area", "mean distance over the run", unit="distance", better="less")
        >>> AREA, AREA.heading
        ('area', 'area')
        >>> AREA.note
        'mean distance over the run, in distance; less is better'
    """

    meaning: str
    unit: str
    better: Better
    heading: str

    def __new__(
        cls, name: str, meaning: str = "", *, unit: str = "", better: Better = "neither", heading: str = ""
    ) -> Self:
        """Return a column; its heading is its name in words where none is given."""
        column = super().__new__(cls, name)
        column.meaning, column.unit, column.better = meaning, unit, better
        column.heading = heading or name.replace("_", " ")
        return column

    def __reduce__(self) -> tuple[Callable[..., "Column"], tuple[str, ...]]:
        return _column, (str(self), self.meaning, self.unit, self.better, self.heading)

    @property
    def note(self) -> str:
        """What it means, with its unit and which values are better, for the pointer that rests on it."""
        unit = f", in {self.unit}" if self.unit else ""
        better = "" if self.better == "neither" else f"; {self.better} is better"
        return f"{self.meaning}{unit}{better}"


@dataclass(frozen=True)
class Metric:
    """A number of a run, and the column of the table of runs that holds it.

    Attributes:
        column: Its declaration.
        of: The number of a record, NaN where the run has none.

    Example:
        >>> from jdbench.analysis import Column, Metric
        >>> from jdbench.runs.record import Record
        >>> from jdbench.runs.protocol import RunSpec
        >>> pace = Metric(Column("pace", "steps a second", better="more"), lambda r: r.steps_taken / r.seconds)
        >>> pace.of(Record(RunSpec("EWQ", "Mean", 0.1, 1, 10), "finished", 10, 0.5, {}, {}))
        20.0
    """

    column: Column
    of: Callable[[Record], float]


@dataclass(frozen=True)
class Table:
    """A table that follows from the runs.

    Attributes:
        name: Of the table and of its files; letters, digits and underscores.
        caption: What it shows, in one line.
        columns: All of its columns, in order; of one with ``rest`` those that it has in any case.
        make: Makes it from what was read, where it finds the tables that are needed and no others.
        needs: Names of these tables.
        rest: What further columns mean that depend on what was run, such as one an aggregator; None where
            there are no further ones.
        download: Whether it is among the files of a report.
        listed: Whether the first page of a report lists it by its columns: unset for a table with a place of
            its own.
        six_digits: Columns of which files hold six digits, as many as records keep of curves.

    Raises:
        InputError: The name is none for a file, or a column is declared twice.

    Example:
        >>> import pandas as pd
        >>> from jdbench.analysis import Column, Table
        >>> def count(results: "Results") -> pd.DataFrame:
        ...     return results.table("runs").groupby("problem").size().rename("runs").reset_index()
        >>> COUNTS = Table("counts", "Runs", (Column("problem"), Column("runs")), count, needs=("runs",))
        >>> COUNTS.column("runs").heading
        'runs'
    """

    name: str
    caption: str
    columns: Sequence[Column]
    make: Callable[["Results"], pd.DataFrame]
    needs: Sequence[str] = ()
    rest: Column | None = None
    download: bool = True
    listed: bool = True
    six_digits: Sequence[Column] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z]\w*", self.name, re.ASCII):
            raise InputError(
                f"table={self.name!r}, required a name of letters, digits and underscores, got others, rename"
            )
        twice = sorted({name for name in self.columns if list(self.columns).count(name) > 1})
        if twice:
            raise InputError(
                f"table={self.name}, required different columns, got {', '.join(twice)} twice, rename one"
            )

    def column(self, name: str) -> Column:
        """Return the declaration of one of its columns."""
        for column in self.columns:
            if column == name:
                return column
        rest = self.rest or Column(name)
        return Column(name, rest.meaning, unit=rest.unit, better=rest.better, heading=str(name))

    def checked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Return what `make` made with plain names of columns.

        Raises:
            InputError: Its columns are not those declared.
        """
        names = [str(name) for name in frame.columns]
        lacking = [name for name in self.columns if name not in names]
        more = [name for name in names if self.rest is None and name not in self.columns]
        if lacking or more:
            raise InputError(
                f"table={self.name}, required the columns {', '.join(self.columns)}, got {', '.join(names)}, "
                "declare what it makes"
            )
        return frame.set_axis(names, axis=1)


def _column(name: str, meaning: str, unit: str, better: Better, heading: str) -> Column:
    return Column(name, meaning, unit=unit, better=better, heading=heading)
