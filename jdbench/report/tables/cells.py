"""Cells of a page: what is read, what is sorted by and what is marked."""

import math
from dataclasses import dataclass

from jdbench.analysis.declarations import Better
from jdbench.report.figures.palette import Style

MISSING = "–"


@dataclass(frozen=True)
class Cell:
    """One cell.

    Attributes:
        text: What is read.
        key: What is sorted by: a number, or the text itself.
        mark: ``good``, ``bad``, ``long`` (text that is to be wrapped) or nothing.
        look: Of a cell that names an aggregator, its style.
        href: Page of the report that the text leads to, if any.
    """

    text: str
    key: str
    mark: str = ""
    look: Style | None = None
    href: str = ""


@dataclass(frozen=True)
class Heading:
    """The head of a column.

    Attributes:
        text: What is read.
        note: What it means, for the pointer that rests on it.
        better: Which values of the column are better: ``less``, ``more`` or ``neither``.
    """

    text: str
    note: str = ""
    better: Better = "neither"


@dataclass(frozen=True)
class PageTable:
    """A table of a page.

    Attributes:
        name: Unique in its page, for its id.
        caption: What it shows, in one line.
        headings: One a column.
        rows: Cells, as many a row as there are headings.
    """

    name: str
    caption: str
    headings: list[Heading]
    rows: list[list[Cell]]


def text(value: object, mark: str = "") -> Cell:
    """Return a cell of text."""
    return Cell(str(value), str(value), mark)


def link(value: str, href: str) -> Cell:
    """Return a cell of text that leads to a page."""
    return Cell(value, value, "long", href=href)


def count(part: int, whole: int, *, wanted: bool = False) -> Cell:
    """Return a cell of how many there are of how many.

    Args:
        part: How many.
        whole: Of how many.
        wanted: Whether all is good and less is bad; otherwise none is as it should be and more is bad.

    Returns:
        The cell, sorted by the first number.
    """
    mark = ("good" if part == whole else "bad") if wanted else ("bad" if part else "")
    return Cell(f"{part} of {whole}", str(part), mark)


def aggregator(look: Style) -> Cell:
    """Return the cell that names an aggregator."""
    return Cell(look.name, look.name, look=look)


def number(value: float, digits: int = 3, mark: str = "", otherwise: str = "∞") -> Cell:
    """Return a cell of a number to so many significant digits: a dash for NaN, ``otherwise`` for infinity."""
    if math.isnan(value):
        return Cell(MISSING, "NaN", mark)
    if math.isinf(value):
        return Cell(otherwise if value > 0 else f"-{otherwise}", f"{'-' if value < 0 else ''}Infinity", mark)
    return Cell(f"{value:.{digits}g}", repr(float(value)), mark)


def measure(value: float, error: float) -> Cell:
    """Return a cell of a mean with its standard error, both with the digits that the error leaves.

    Args:
        value: The mean.
        error: Its standard error; NaN if there is none.

    Returns:
        The cell, sorted by the mean.
    """
    cell = number(value)
    if not (math.isfinite(value) and math.isfinite(error)):
        return cell
    # Errors of identical runs are rounding.
    if error <= 1e-12 * abs(value):
        return Cell(f"{cell.text} ± 0", cell.key)
    exponent = math.floor(math.log10(max(abs(value), error)))
    decimals = max(1, exponent - math.floor(math.log10(error)) + 1)
    if -4 <= exponent < 5:
        places = max(0, decimals - exponent)
        return Cell(f"{value:.{places}f} ± {error:.{places}f}", cell.key)
    scale = 10.0**exponent
    return Cell(f"({value / scale:.{decimals}f} ± {error / scale:.{decimals}f})e{exponent:+03d}", cell.key)
