"""Tables of analysis as tables of a page: columns of cells under what the schema declares of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from jdbench.analysis.declarations import Column, Table
from jdbench.analysis.frames import names, numbers, values_of
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, OTHER, PROBLEM
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import Cell, Heading, PageTable, aggregator, count, link, measure, number, text

Looks = Mapping[str, Style]

MOST_ROWS = 200
"""Rows of a table without a place of its own that a page shows; its files have all."""


class Shown(NamedTuple):
    """A column of a page's table."""

    heading: Heading
    cells: list[Cell]


def heading(column: Column, text: str = "") -> Heading:
    """Return the head of a column as it is declared, with another text where one is given."""
    return Heading(text or column.heading, column.note, column.better)


def shown(column: Column, cells: Iterable[Cell]) -> Shown:
    """Return a column of cells."""
    return Shown(heading(column), list(cells))


def aggregator_column(frame: pd.DataFrame, looks: Looks, column: Column = AGGREGATOR) -> Shown:
    """Return a column of aggregators."""
    return Shown(Heading(column.heading), [aggregator(looks[name]) for name in names(frame, column)])


def problem_column(frame: pd.DataFrame, pages: Mapping[str, str]) -> Shown:
    """Return the column of the problems, with links to their pages."""
    return Shown(Heading(PROBLEM.heading), [link(spec, pages[spec]) for spec in names(frame, PROBLEM)])


def text_column(frame: pd.DataFrame, column: Column, mark: str = "") -> Shown:
    """Return a column of what stands there."""
    return shown(column, [text(value, mark) for value in values_of(frame, column)])


def number_column(frame: pd.DataFrame, column: Column, digits: int = 3) -> Shown:
    """Return a column of numbers."""
    return shown(column, [number(float(value), digits) for value in numbers(frame, column)])


def count_column(frame: pd.DataFrame, column: Column, whole: Column, *, wanted: bool = False) -> Shown:
    """Return a column of how many there are of how many, see `jdbench.report.tables.cells.count`."""
    pairs = zip(values_of(frame, column), values_of(frame, whole), strict=True)
    return shown(column, [count(part, all_of_them, wanted=wanted) for part, all_of_them in pairs])


def measure_column(frame: pd.DataFrame, column: Column, error: Column) -> Shown:
    """Return a column of means with their standard errors."""
    pairs = zip(numbers(frame, column), numbers(frame, error), strict=True)
    return shown(column, [measure(float(mean), float(sem)) for mean, sem in pairs])


def page_table(name: str, caption: str, columns: Sequence[Shown]) -> PageTable:
    """Return a table of columns.

    Args:
        name: Unique in its page, for its id.
        caption: What it shows, in one line.
        columns: As many cells each.

    Returns:
        The table.
    """
    cells = [list(row) for row in zip(*(column.cells for column in columns), strict=True)]
    return PageTable(name, caption, [column.heading for column in columns], cells)


def generic_table(table: Table, frame: pd.DataFrame, results: Results, looks: Looks) -> PageTable:
    """Return a table as its columns are declared, whatever it is about.

    Args:
        table: Its declaration.
        frame: Its rows, of which `MOST_ROWS` are shown.
        results: Whose problems have pages.
        looks: Styles of all aggregators.

    Returns:
        Aggregators and problems as everywhere, numbers to three digits, everything else as it stands.
    """
    pages = {entry.spec: entry.page for entry in results.problems}
    first = frame.head(MOST_ROWS)
    columns: list[Shown] = []
    for name in frame.columns:
        column, values = table.column(str(name)), values_of(first, str(name))
        if column == PROBLEM and pages.keys() >= set(values):
            columns.append(shown(column, [link(spec, pages[spec]) for spec in values]))
        elif column in {AGGREGATOR, OTHER} and looks.keys() >= set(values):
            columns.append(shown(column, [aggregator(looks[spec]) for spec in values]))
        else:
            columns.append(shown(column, [_cell(value) for value in values]))
    more = f", the first {MOST_ROWS} of {len(frame)} rows" if len(frame) > MOST_ROWS else ""
    return page_table(table.name, table.caption + more, columns)


def _cell(value: object) -> Cell:
    if isinstance(value, bool):
        return text("yes" if value else "no")
    return (
        number(float(value), 6 if isinstance(value, int) else 3)
        if isinstance(value, int | float)
        else text(value)
    )
