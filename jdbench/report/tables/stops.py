"""The tables of where runs stopped, and of the sets of points where they did."""

from collections.abc import Mapping

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Results, Row
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import Cell, Heading, Table, aggregator, count, number
from jdbench.report.tables.verdicts import verdict_cells, verdict_headings

MARGIN = Heading(
    "worst margin", "smallest gᵢᵀA(J) / (‖gᵢ‖ max ‖gⱼ‖) of all updates; negative beyond rounding is a conflict"
)


def stop_table(
    results: Results, subject: Subject, looks: Mapping[str, Style], *, reference: bool
) -> Table | None:
    """Return the table of where the runs on a problem stopped.

    Args:
        results: What was read.
        subject: An analytic problem.
        looks: Styles of all aggregators.
        reference: Whether the runs at Theorem 1's rate are meant, or the selected ones.

    Returns:
        The table, those first that stopped at optimal points from most starts; None where there are no runs.
    """
    rows = results.rows("reference_judgement" if reference else "selected_judgement", problem=subject.spec)
    if not rows:
        return None
    rows.sort(key=lambda row: (-row["optimal"], -row["reached"], row["steps"], row["final"]))
    headings = [
        Heading("aggregator"),
        *verdict_headings(results.verdicts),
        Heading("optimal", "runs that ended within 1e-3 of their distance at the start"),
        Heading("only stationary", "others whose gradients there combine to less than 1e-5 of the longest one"),
        Heading("neither", "others that finished"),
        Heading("lost", "diverged or failed"),
        Heading(
            "reached 1e-5", "runs whose distance fell to 1e-5 of that at the start, and median of the steps"
        ),
        Heading("final / start", "distance at the end as a share of that at the start, median and largest"),
        Heading(
            "stationarity", "shortest convex combination of the gradients over the longest, at the end, median"
        ),
        Heading("drift", "share of the path made in the last tenth of the steps, median: near 0 at rest"),
        MARGIN,
        Heading("largest weights", "largest Σ |wᵢ| ‖gᵢ‖ / max ‖gⱼ‖, where there are weights"),
    ]
    cells = [
        [
            aggregator(looks[row["aggregator"]]),
            *verdict_cells(results.verdicts, row["aggregator"]),
            count(row["optimal"], row["runs"], wanted=True),
            count(row["only_stationary"], row["runs"]),
            Cell(f"{row['neither']} of {row['runs']}", str(row["neither"])),
            count(row["lost"], row["runs"]),
            _reached(row),
            _final(row["final"], row["final_worst"]),
            number(row["stationarity"], 2),
            number(row["drift"], 2),
            margin(row["worst_margin"], row["conflicts"] > 0),
            number(row["weights"]),
        ]
        for row in rows
    ]
    which = "at Theorem 1's rate" if reference else "at the selected rates"
    name = f"{'reference' if reference else 'selected'}-stops"
    return Table(name, f"Where the runs {which} stopped on {subject.spec}", headings, cells)


def set_table(results: Results, subject: Subject, looks: Mapping[str, Style]) -> Table | None:
    """Return the table of the sets of end points on a problem.

    Args:
        results: What was read.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        The table, largest hypervolume first; None where there are no end points to compare.
    """
    rows = results.rows("end_point_sets", problem=subject.spec)
    if not rows:
        return None
    rows.sort(key=lambda row: (-row["hypervolume"] if row["hypervolume"] >= 0 else 0, row["igd_plus"]))
    headings = [
        Heading("aggregator"),
        Heading("end points", "selected runs that finished"),
        Heading("hypervolume", "share of the front's own; more is better"),
        Heading("IGD+", "mean distance of the front from what the set dominates; less is better"),
        Heading("ε", "the least shift with which the set dominates the front; less is better"),
        Heading("spread", "width of the set over that of the front, mean over objectives"),
    ]
    cells = [
        [
            aggregator(looks[row["aggregator"]]),
            Cell(
                f"{row['ends']} of {row['runs']}", str(row["ends"]), "bad" if row["ends"] < row["runs"] else ""
            ),
            number(
                row["hypervolume"] / row["hypervolume_front"]
                if row["hypervolume_front"]
                else row["hypervolume"]
            ),
            number(row["igd_plus"]),
            number(row["epsilon"]),
            number(row["spread"]),
        ]
        for row in rows
    ]
    return Table(
        "end-point-sets", f"The sets of end points on {subject.spec} against the front", headings, cells
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


def _reached(row: Row) -> Cell:
    steps = number(row["steps"], 4, otherwise="never")
    after = "" if steps.text == "never" else f" after {steps.text}"
    return Cell(f"{row['reached']}{after}", str(row["steps"]).replace("inf", "Infinity"))


def _final(median: float, worst: float) -> Cell:
    middle = number(median, 2)
    return Cell(f"{middle.text}, worst {number(worst, 2).text}", middle.key)
