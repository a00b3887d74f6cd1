"""The table of what the selected runs of a training came to, on training and held-out data."""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd

from jdbench.analysis.choices import ranks_of
from jdbench.analysis.problems import Subject
from jdbench.analysis.ranking import standard_error
from jdbench.analysis.results import Results, Row, where
from jdbench.analysis.situations import HELD_OUT
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import Heading, Table, aggregator, measure, number
from jdbench.report.tables.verdicts import verdict_cells, verdict_headings
from jdbench.roster import in_order

ENDS = {
    "worst_loss": ("worst loss", "largest loss of a training example or task at the end"),
    "best_loss": ("best loss", "smallest loss of a training example or task at the end"),
    "delta_m": ("Δm %", "mean relative change against models of their own; negative is better"),
}
"""Indicators of the end of a training, after its held-out measures."""

MEAN_RANK = "mean_rank"

RANKED = (
    "MR",
    "mean rank: average over the held-out measures (the tasks) of the aggregator's rank among all aggregators, "
    "taken in each seed, 1 for the best and last if the run did not finish; less is better",
)
"""Heading and note of the mean rank over tasks."""


def held_out(results: Results) -> pd.DataFrame:
    """Return what the selected runs of trainings came to.

    Args:
        results: What was read.

    Returns:
        Columns ``problem aggregator measure larger_is_better runs mean sem``: a row for each held-out measure
        and each of `ENDS`, mean and standard error over the runs that finished; and for each problem of several
        held-out measures one of `MEAN_RANK`, see `mean_ranks`.
    """
    rows: list[Row] = []
    for subject in results.subjects:
        larger = dict(_measures(subject))
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
        rows += mean_ranks(results, subject)
    columns = ["problem", "aggregator", "measure", "larger_is_better", "runs", "mean", "sem"]
    return pd.DataFrame(rows, columns=columns)


def mean_ranks(results: Results, subject: Subject) -> list[Row]:
    """Return the mean rank MR of each aggregator over the tasks of a training, which stands beside Δm%.

    MR = 1/K Σₖ rankₖ over the K held-out measures of the problem, where rankₖ is the rank of the aggregator's
    measure among those of all aggregators: 1 is best, ties share the mean of their ranks, and a run that did
    not finish is tied last (Navon et al. 2022, Section 6; ranks are taken in each seed, which gives an error).

    Args:
        results: What was read.
        subject: The problem.

    Returns:
        Rows as those of `held_out`, mean and standard error over the seeds that all aggregators have run; none
        for fewer than two measures.
    """
    runs = where(results.tables["selected"], problem=subject.spec)
    measures = [one for one in _measures(subject) if one[0] in runs and bool(runs[one[0]].notna().any())]
    if len(measures) < 2:
        return []
    ranks = ranks_of(runs, measures)
    return [
        {
            "problem": subject.spec,
            "aggregator": str(name),
            "measure": MEAN_RANK,
            "larger_is_better": False,
            "runs": len(own),
            "mean": float(own.mean()),
            "sem": standard_error(own),
        }
        for name, own in ((name, ranks[name].to_numpy(dtype=np.float64)) for name in ranks.columns)
        if len(own)
    ]


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
    headings = [Heading("aggregator"), *verdict_headings(results.verdicts)]
    for name in names:
        more = "more is better" if larger[name] else "less is better"
        told = {**ENDS, MEAN_RANK: RANKED}
        headings.append(Heading(*told.get(name, (name, f"on data held out from training; {more}"))))
    missing = number(math.nan)
    cells = [
        [
            aggregator(looks[one]),
            *verdict_cells(results.verdicts, one),
            *(found.get((one, name), missing) for name in names),
        ]
        for one in in_order(row["aggregator"] for row in rows)
    ]
    return Table("held-out", f"What the selected runs on {subject.spec} came to", headings, cells)


def _measures(subject: Subject) -> list[tuple[str, bool]]:
    """Return the columns of the held-out measures of a problem, and whether larger is better."""
    return [(HELD_OUT + one.name, one.larger_is_better) for one in getattr(subject.problem, "measures", ())]
