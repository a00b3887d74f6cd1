"""The tables of what the selected runs on a problem were like: along the way, and at the end of a training."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from jdbench.leaderboard import standard_error
from jdbench.report.palette import Style, in_order
from jdbench.report.results import Results
from jdbench.report.situations import HELD_OUT
from jdbench.report.subjects import Subject
from jdbench.report.tables import Heading, Table, aggregator, measure, number

ALONG = {
    "decades_median": (
        "decades",
        "log₁₀ of the longest over the shortest non-zero gradient: median over the steps",
    ),
    "decades_largest": ("largest", "the largest of these in any step of any run"),
    "weights_median": ("‖w‖", "norm of the weights of the aggregation: median over the steps"),
    "weights_largest": ("largest ‖w‖", "the largest of these in any step of any run"),
    "mean_cosine": ("cosine", "to the mean gradient: mean over the steps"),
    "rises": (
        "rises",
        "share of steps that raise an objective; of a training, of intervals in which its loss rose",
    ),
    "largest_rise": ("largest rise", "the largest of these, relative to the value at the start"),
    "smoothness": ("smoothness", "mean cosine of consecutive steps: 1 on a line, -1 to and fro"),
    "path_length": ("path", "length of the path"),
    "seconds": ("seconds", "wall-clock time of a run, of a batch its share"),
}
"""Indicators of the table of what runs were like, with heading and note."""

LARGEST = ("decades_largest", "weights_largest", "largest_rise")
"""Those of which the largest over the runs is told; of the others, the median."""

ENDS = {
    "worst_loss": ("worst loss", "largest loss of a training example or task at the end"),
    "best_loss": ("best loss", "smallest loss of a training example or task at the end"),
    "delta_m": ("Δm %", "mean relative change against models of their own; negative is better"),
}
"""Indicators of the end of a training, after its held-out measures."""


def along(results: Results) -> pd.DataFrame:
    """Return what the selected runs of each aggregator on each problem were like.

    Args:
        results: What was read.

    Returns:
        Columns ``problem aggregator`` and `ALONG`, medians over the runs that finished, of `LARGEST` the
        largest.
    """
    selected = results.tables["selected"]
    ended = selected[selected["state"] == "finished"]
    names = [name for name in ALONG if name in ended]
    groups = ended.groupby(["problem", "aggregator"])
    return groups[names].agg({name: "max" if name in LARGEST else "median" for name in names}).reset_index()


def along_table(results: Results, subject: Subject, looks: Mapping[str, Style]) -> Table | None:
    """Return the table of what the selected runs on a problem were like.

    Args:
        results: What was read, with the table ``along``.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        The table; None where no run finished.
    """
    rows = results.rows("along", problem=subject.spec)
    shown = [name for name in ALONG if any(not math.isnan(row.get(name, math.nan)) for row in rows)]
    if not rows or not shown:
        return None
    headings = [Heading("aggregator"), *(Heading(*ALONG[name]) for name in shown)]
    by_name = {row["aggregator"]: row for row in rows}
    cells = [
        [aggregator(looks[name]), *(number(by_name[name][column]) for column in shown)]
        for name in in_order(by_name)
    ]
    return Table("along", f"What the selected runs on {subject.spec} were like", headings, cells)


def held_out(results: Results) -> pd.DataFrame:
    """Return what the selected runs of trainings came to.

    Args:
        results: What was read.

    Returns:
        Columns ``problem aggregator measure larger_is_better runs mean sem``: a row for each held-out measure
        and each of `ENDS`; mean and standard error over the runs that finished.
    """
    rows: list[dict[str, object]] = []
    for subject in results.subjects:
        larger = {HELD_OUT + m.name: m.larger_is_better for m in getattr(subject.problem, "measures", ())}
        values: dict[tuple[str, str], list[float]] = {}
        for run in results.rows("selected", problem=subject.spec, state="finished"):
            for name, value in run.items():
                if (name.startswith(HELD_OUT) or name in ENDS) and not math.isnan(value):
                    values.setdefault((name, run["aggregator"]), []).append(float(value))
        # Held-out measures first.
        for (name, one), found in sorted(values.items(), key=lambda item: item[0][0] in ENDS):
            rows.append({
                "problem": subject.spec,
                "aggregator": one,
                "measure": name.removeprefix(HELD_OUT),
                "larger_is_better": larger.get(name, False),
                "runs": len(found),
                "mean": float(np.mean(found)),
                "sem": standard_error(found),
            })
    columns = ["problem", "aggregator", "measure", "larger_is_better", "runs", "mean", "sem"]
    return pd.DataFrame(rows, columns=columns)


def held_out_table(results: Results, subject: Subject, looks: Mapping[str, Style]) -> Table | None:
    """Return the table of what the selected runs of a training came to.

    Args:
        results: What was read, with the table ``held_out``.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        The table; None where nothing was measured.
    """
    rows = results.rows("held_out", problem=subject.spec)
    if not rows:
        return None
    names = list(dict.fromkeys(row["measure"] for row in rows))
    larger = {row["measure"]: row["larger_is_better"] for row in rows}
    found = {(row["aggregator"], row["measure"]): measure(row["mean"], row["sem"]) for row in rows}
    headings = [Heading("aggregator"), *results.verdicts.headings()]
    for name in names:
        more = "more is better" if larger[name] else "less is better"
        heading, note = ENDS.get(name, (name, f"on data held out from training; {more}"))
        headings.append(Heading(heading, note))
    missing = number(math.nan)
    cells = [
        [
            aggregator(looks[one]),
            *results.verdicts.cells(one),
            *(found.get((one, name), missing) for name in names),
        ]
        for one in in_order(row["aggregator"] for row in rows)
    ]
    return Table("held-out", f"What the selected runs on {subject.spec} came to", headings, cells)
