"""The tables of who is best: the ranking over all problems, and the results on each."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from jdbench.leaderboard import RANKING_COLUMNS, problem_table, ranking, seed_ranks
from jdbench.report.judgement import shape_of
from jdbench.report.palette import Style, in_order
from jdbench.report.results import Results, Subject, rows_of
from jdbench.report.rounding import margin_tolerance
from jdbench.report.tables import Cell, Heading, Table, aggregator, measure, number, text

Looks = Mapping[str, Style]


def ranked(results: Results) -> pd.DataFrame:
    """Return the ranking over those problems of which all aggregators share a seed.

    Args:
        results: What was read.

    Returns:
        A `jdbench.leaderboard.ranking`; without rows if no aggregator ran on all of these problems.
    """
    ran = _ran(results)
    shared = [spec for spec in ran if len(seed_ranks(results.selected, spec))]
    if not shared or not set.intersection(*(ran[spec] for spec in shared)):
        return pd.DataFrame({"aggregator": []})
    return ranking(pd.DataFrame(results.selected[results.selected["problem"].isin(shared)]))


def unranked(results: Results, ranks: pd.DataFrame) -> dict[str, list[str]]:
    """Return who is not ranked, and why.

    Args:
        results: What was read.
        ranks: The ranking.

    Returns:
        By aggregator that the ranking lacks, the problems on which it has no selected run.
    """
    ran = _ran(results)
    return {
        name: [s.spec for s in results.subjects if name not in ran.get(s.spec, ())]
        for name in in_order(results.aggregators - set(ranks["aggregator"]))
    }


def ranking_table(ranks: pd.DataFrame, looks: Looks) -> Table:
    """Return the table of the ranking.

    Args:
        ranks: A `jdbench.leaderboard.ranking` with rows.
        looks: Styles of its aggregators.

    Returns:
        The table.
    """
    problems = list(ranks.columns[len(RANKING_COLUMNS) :])
    headings = [
        Heading("position"),
        Heading("aggregator"),
        Heading("mean rank", "mean over problems of the mean rank over seeds"),
        Heading(
            "95 % interval", "central 95 % of the mean ranks of 4,000 resamples of problems and their seeds"
        ),
        Heading("group", "aggregators that share a letter cannot be told apart (Friedman, Nemenyi, 5 %)"),
        Heading("lost", "seeds in which no rate finished"),
        *(Heading(problem, f"mean rank over the seeds of {problem}") for problem in problems),
    ]
    rows = [
        [
            Cell(row["position"], repr(float(row["mean_rank"]))),
            aggregator(looks[row["aggregator"]]),
            Cell(f"{row['mean_rank']:.2f}", repr(float(row["mean_rank"]))),
            Cell(f"{row['low']:.2f} to {row['high']:.2f}", repr(float(row["low"]))),
            text(row["group"]),
            text(f"{row['lost']} of {row['runs']}", "bad" if row["lost"] else ""),
            *(Cell(f"{row[problem]:.2f}", repr(float(row[problem]))) for problem in problems),
        ]
        for row in rows_of(ranks)
    ]
    return Table("ranking", headings, rows, ranks)


def results_table(results: Results, subject: Subject, looks: Looks) -> Table | None:
    """Return the table of a problem.

    Args:
        results: What was read.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        The table; None where only reference runs were made.
    """
    if not results.on(subject, reference=False):
        return None
    frame = problem_table(results.selected, subject.spec)
    tolerance = margin_tolerance(shape_of(results, subject))
    frame["conflicting"] = frame["worst_margin"] < -tolerance
    criterion = "distance to the front" if subject.kind == "analytic" else "average loss over the training set"
    headings = [
        Heading("aggregator"),
        Heading(
            "score",
            f"mean of the {criterion} over the run as a share of its value at the start; less is better",
        ),
        Heading("final", f"{criterion} at the end of the run"),
        Heading("rate", "median of the selected learning rates"),
        Heading("seeds", "number of runs, each with a rate of its own"),
        Heading("lost", "seeds in which no rate finished"),
        Heading(
            "at edge", "seeds whose best rate is the smallest or largest tried: a better one may lie beyond"
        ),
        Heading("worst margin", "smallest gᵢᵀA(J) / (‖gᵢ‖ max ‖gⱼ‖) of all updates; negative is a conflict"),
    ]
    rows = [
        [
            aggregator(looks[row["aggregator"]]),
            measure(row["score"], row["score_sem"]),
            measure(row["final"], row["final_sem"]),
            number(row["rate"]),
            text(row["seeds"]),
            text(row["seeds_lost"], "bad" if row["seeds_lost"] else ""),
            text(row["at_edge"], "bad" if row["at_edge"] else ""),
            margin(row["worst_margin"], bool(row["conflicting"])),
        ]
        for row in rows_of(frame)
    ]
    return Table(f"problem-{subject.slug}", headings, rows, frame)


def _ran(results: Results) -> dict[str, set[str]]:
    """Return the aggregators with selected runs on each problem that has any."""
    ran: dict[str, set[str]] = {}
    for row in rows_of(results.selected):
        ran.setdefault(row["problem"], set()).add(row["aggregator"])
    return ran


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
    return Cell(f"{cell.text} rounding", cell.key) if np.isfinite(value) and value < 0 else cell
