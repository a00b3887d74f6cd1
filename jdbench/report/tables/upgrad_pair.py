"""The two UPGrads of a ranking side by side: by definition, and as published."""

from dataclasses import replace

from jdbench.analysis.upgrad_variants import EXACT, REGULARISED
from jdbench.report.tables.cells import Table


def upgrad_pair(table: Table) -> Table | None:
    """Return what a table says of exact and trace-regularised UPGrad, without the rows between them.

    Args:
        table: One that names an aggregator in each row.

    Returns:
        The table of their two rows, in its order and with its columns; None where one of them is missing.
    """
    both = {EXACT, REGULARISED}
    rows = [row for row in table.rows if any(cell.look and cell.look.name in both for cell in row)]
    if len(rows) < len(both):
        return None
    caption = "Exact and trace-regularised UPGrad side by side"
    return replace(table, name=f"{table.name}-upgrad", caption=caption, rows=rows)
