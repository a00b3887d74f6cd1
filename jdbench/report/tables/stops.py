"""The tables of where runs stopped, and of the sets of points where they did."""

import pandas as pd

from jdbench.analysis import schema
from jdbench.analysis.declarations import Column
from jdbench.analysis.frames import numbers, only, values_of
from jdbench.analysis.problems import ProblemEntry
from jdbench.analysis.results import Results
from jdbench.analysis.schema import ENDS, PROBLEM, RUNS, WORST_MARGIN
from jdbench.analysis.stops import most_optimal_first
from jdbench.report.tables.cells import Cell, PageTable, number
from jdbench.report.tables.columns import (
    Looks,
    Shown,
    aggregator_column,
    count_column,
    number_column,
    page_table,
    shown,
)
from jdbench.report.tables.verdicts import verdict_columns


def stop_table(results: Results, entry: ProblemEntry, looks: Looks, *, reference: bool) -> PageTable | None:
    """Return the table of where the runs on a problem stopped.

    Args:
        results: What was read.
        entry: An analytic problem.
        looks: Styles of all aggregators.
        reference: Whether the runs at Theorem 1's rate are meant, or the selected ones.

    Returns:
        The table, those first that stopped at optimal points from most starts; None where there are no runs.
    """
    whole = results.table("reference_judgement" if reference else "selected_judgement")
    own = most_optimal_first(only(whole, PROBLEM, entry.spec))
    if not len(own):
        return None
    which = "at Theorem 1's rate" if reference else "at the selected rates"
    margins = zip(numbers(own, WORST_MARGIN), numbers(own, schema.CONFLICTS), strict=True)
    return page_table(
        f"{'reference' if reference else 'selected'}-stops",
        f"Where the runs {which} stopped on {entry.spec}",
        [
            aggregator_column(own, looks),
            *verdict_columns(own, results.verdicts),
            count_column(own, schema.OPTIMAL, RUNS, wanted=True),
            count_column(own, schema.ONLY_STATIONARY, RUNS),
            _unmarked(own, schema.NEITHER),
            count_column(own, schema.STOPS_LOST, RUNS),
            _reached(own),
            _final(own),
            number_column(own, schema.STATIONARITY, 2),
            number_column(own, schema.MEDIAN_DRIFT, 2),
            shown(WORST_MARGIN, [margin(float(value), conflicts > 0) for value, conflicts in margins]),
            number_column(own, schema.WEIGHTS),
        ],
    )


def set_table(results: Results, entry: ProblemEntry, looks: Looks) -> PageTable | None:
    """Return the table of the sets of end points on a problem.

    Returns:
        The table, largest hypervolume first; None where there are no end points to compare.
    """
    own = only(results.table("end_point_shares"), PROBLEM, entry.spec)
    if not len(own):
        return None
    ends = zip(values_of(own, ENDS), values_of(own, RUNS), strict=True)
    return page_table(
        "end-point-sets",
        f"The sets of end points on {entry.spec} against the front",
        [
            aggregator_column(own, looks),
            shown(ENDS, [Cell(f"{k} of {n}", str(k), "bad" if k < n else "") for k, n in ends]),
            number_column(own, schema.HYPERVOLUME_SHARE),
            number_column(own, schema.IGD_PLUS),
            number_column(own, schema.EPSILON),
            number_column(own, schema.SPREAD),
        ],
    )


def margin(value: float, conflicting: bool) -> Cell:
    """Return the cell of a worst margin of non-conflict.

    Args:
        value: The margin.
        conflicting: Whether it is negative beyond rounding.

    Returns:
        The cell, marked if conflicting; a negative margin that is rounding says so.
    """
    cell = number(value, 2, "bad" if conflicting else "")
    if conflicting:
        return Cell(f"{cell.text} conflicts", cell.key, "bad")
    return Cell(f"{cell.text} rounding", cell.key) if -float("inf") < value < 0 else cell


def _unmarked(own: pd.DataFrame, column: Column) -> Shown:
    pairs = zip(values_of(own, column), values_of(own, RUNS), strict=True)
    return shown(column, [Cell(f"{part} of {whole}", str(part)) for part, whole in pairs])


def _reached(own: pd.DataFrame) -> Shown:
    cells: list[Cell] = []
    for reached, steps in zip(values_of(own, schema.REACHED), numbers(own, schema.STEPS_THERE), strict=True):
        cell = number(float(steps), 4, otherwise="never")
        after = "" if cell.text == "never" else f" after {cell.text}"
        cells.append(Cell(f"{reached}{after}", cell.key))
    return shown(schema.REACHED, cells)


def _final(own: pd.DataFrame) -> Shown:
    cells: list[Cell] = []
    for median, worst in zip(numbers(own, schema.FINAL_SHARE), numbers(own, schema.FINAL_WORST), strict=True):
        middle = number(float(median), 2)
        cells.append(Cell(f"{middle.text}, worst {number(float(worst), 2).text}", middle.key))
    return shown(schema.FINAL_SHARE, cells)
