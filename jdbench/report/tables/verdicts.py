"""Verdicts of properties beside wherever an aggregator is ranked, in one file because five tables show them."""

import pandas as pd

from jdbench.analysis.frames import names
from jdbench.analysis.schema import AGGREGATOR
from jdbench.report.tables.cells import MISSING, Cell, Heading
from jdbench.report.tables.columns import Shown
from jdbench.verification.properties import TABLE_1
from jdbench.verification.summary import BROKEN, REFUTED, SURVIVED, Verdicts

CELLS = {
    SURVIVED: Cell("✓", "1", "good"),
    REFUTED: Cell("✗", "3", "bad"),
    BROKEN: Cell("!", "2", "bad"),
}
"""What stands in a table for an outcome; they are told apart without their colours."""

NOT_EXAMINED = Cell(MISSING, "4")


def verdict_columns(frame: pd.DataFrame, verdicts: Verdicts) -> list[Shown]:
    """Return a column for each property of [JD] Table 1, of the aggregators of a table.

    Returns:
        The columns; none where nothing is known.
    """
    if not verdicts.outcomes:
        return []
    return [
        Shown(
            Heading(name[0].upper(), f"{name}: ✓ survived the search, ✗ refuted, – not examined"),
            [
                CELLS.get(verdicts.outcomes.get((one, name), ""), NOT_EXAMINED)
                for one in names(frame, AGGREGATOR)
            ],
        )
        for name in TABLE_1
    ]
