"""Verdicts of properties beside wherever an aggregator is ranked."""

from jdbench.report.tables.cells import MISSING, Cell, Heading
from jdbench.verification.properties import TABLE_1
from jdbench.verification.summary import BROKEN, REFUTED, SURVIVED, Verdicts

SIGNS = {SURVIVED: Cell("✓", "1", "good"), REFUTED: Cell("✗", "3", "bad"), BROKEN: Cell("!", "2", "bad")}
"""What stands in a table for an outcome; they are told apart without their colours."""

UNKNOWN = Cell(MISSING, "4")


def verdict_headings(verdicts: Verdicts) -> list[Heading]:
    """Return the headings of the properties of [JD] Table 1; none where nothing is known."""
    if not verdicts.outcomes:
        return []
    return [
        Heading(name[0].upper(), f"{name}: ✓ survived the search, ✗ refuted, – not examined")
        for name in TABLE_1
    ]


def verdict_cells(verdicts: Verdicts, aggregator: str) -> list[Cell]:
    """Return the cells under them.

    Args:
        verdicts: What is known.
        aggregator: Spec.

    Returns:
        One a heading.
    """
    if not verdicts.outcomes:
        return []
    return [SIGNS.get(verdicts.outcomes.get((aggregator, name), ""), UNKNOWN) for name in TABLE_1]
