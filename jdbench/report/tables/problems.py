"""The tables of problems: the results on one, and who leads on each."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from jdbench.analysis.margin_rounding import margin_tolerance
from jdbench.analysis.problems import Subject
from jdbench.analysis.ranked_runs import ranked_runs
from jdbench.analysis.ranking import DIGITS, problem_ranks, problem_table
from jdbench.analysis.results import Results, Row, where
from jdbench.analysis.traits import CONFLICT_RULE, SPREAD
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import (
    MISSING,
    Cell,
    Heading,
    Table,
    aggregator,
    count,
    link,
    measure,
    number,
    text,
)
from jdbench.report.tables.left_out import unranked_problems
from jdbench.report.tables.stops import MARGIN, margin
from jdbench.report.tables.verdicts import verdict_cells, verdict_headings
from jdbench.report.tables.weight_norms import norm_cells, norm_headings

Looks = Mapping[str, Style]


def problem_results(results: Results) -> pd.DataFrame:
    """Return `jdbench.analysis.ranking.problem_table` of all problems, one below the other.

    Args:
        results: What was read.

    Returns:
        Its columns after ``family problem``, then ``conflicting``, whether the worst margin is negative beyond
        rounding, and ``rank``, the mean rank over the seeds that all aggregators of the problem have run,
        NaN where `jdbench.analysis.ranked_runs` leaves all of them out.
    """
    selected = results.tables["selected"]
    ranks = problem_ranks(ranked_runs(selected))
    parts: list[pd.DataFrame] = []
    for subject in results.subjects:
        if not len(where(selected, problem=subject.spec)):
            continue
        part = problem_table(selected, subject.spec)
        part.insert(0, "problem", subject.spec)
        part.insert(0, "family", subject.family)
        part["conflicting"] = part["worst_margin"] < -margin_tolerance(subject.shape)
        ranked = subject.spec in ranks.index
        part["rank"] = ranks.loc[subject.spec, part["aggregator"]].to_numpy() if ranked else math.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"problem": [], "family": []})


def results_table(results: Results, subject: Subject, looks: Looks) -> Table | None:
    """Return the table of a problem.

    Args:
        results: What was read, with the table ``problem_results``.
        subject: The problem.
        looks: Styles of all aggregators.

    Returns:
        The table; None where only reference runs were made.
    """
    rows = results.rows("problem_results", problem=subject.spec)
    if not rows:
        return None
    criterion = "distance to the front" if subject.kind == "analytic" else "average loss over the training set"
    headings = [
        Heading("aggregator"),
        *verdict_headings(results.verdicts),
        Heading("rank", "mean over the seeds, 1 is best"),
        Heading(
            "score",
            f"mean of the {criterion} over the run as a share of its value at the start; less is better",
        ),
        Heading("final", f"{criterion} at the end of the run"),
        Heading("rate", "median of the selected learning rates"),
        Heading("lost", "seeds in which no rate finished"),
        Heading(
            "at edge", "seeds whose best rate is the smallest or largest tried: a better one may lie beyond"
        ),
        *norm_headings("the selected runs that finished"),
        MARGIN,
    ]
    cells = [
        [
            aggregator(looks[row["aggregator"]]),
            *verdict_cells(results.verdicts, row["aggregator"]),
            number(row["rank"]),
            measure(row["score"], row["score_sem"]),
            measure(row["final"], row["final_sem"]),
            number(row["rate"]),
            count(row["seeds_lost"], row["seeds"]),
            count(row["at_edge"], row["seeds"]),
            *norm_cells(row),
            margin(row["worst_margin"], bool(row["conflicting"])),
        ]
        for row in rows
    ]
    return Table("results", f"Results on {subject.spec}", headings, cells)


def problems_table(results: Results, subjects: Sequence[Subject], looks: Looks) -> Table:
    """Return the problems with who leads on each.

    Args:
        results: What was read, with the tables ``problem_results`` and ``traits``.
        subjects: The problems.
        looks: Styles of all aggregators.

    Returns:
        The table, with links to their pages.
    """
    traits = {row["problem"]: row for row in results.rows("traits")}
    unranked = unranked_problems(results)
    headings = [
        Heading("problem"),
        Heading("family"),
        Heading("m", "number of objectives"),
        Heading("n", "number of parameters"),
        Heading("traits", f"conflicting: {CONFLICT_RULE}; norms spread: over more than {SPREAD:g} decades"),
        Heading(
            "decades", "log₁₀ of the largest over the smallest gradient norm: median over the selected runs"
        ),
        Heading(
            "leads",
            "smallest mean score, equal to six digits counting as tied; nobody where all starts are optimal",
        ),
        Heading("score", "its mean over the run as a share of the value at the start"),
        Heading("lost", "seeds and aggregators for which no rate finished"),
    ]
    cells: list[list[Cell]] = []
    for subject in subjects:
        rows = results.rows("problem_results", problem=subject.spec)
        trait = traits[subject.spec]
        lost, seeds = (sum(int(row[name]) for row in rows) for name in ("seeds_lost", "seeds"))
        cells.append([
            link(subject.spec, subject.page),
            text(subject.family),
            number(trait["m"]),
            number(trait["n"], 6),
            text(trait["traits"], "long"),
            number(trait["decades"], 2),
            text("nobody: starts are optimal", "long") if subject.spec in unranked else _leader(rows, looks),
            number(rows[0]["score"]) if rows else text(MISSING),
            count(lost, seeds),
        ])
    return Table("problems", "The problems and who leads on each", headings, cells)


def _leader(rows: Sequence[Row], looks: Looks) -> Cell:
    """Return who has the smallest mean score, or how many have it."""
    scores = [f"{row['score']:.{DIGITS - 1}e}" for row in rows]
    tied = scores.count(scores[0]) if rows else 0
    if tied == 1:
        return aggregator(looks[rows[0]["aggregator"]])
    named = ", ".join(looks[row["aggregator"]].label for row in rows[:tied])
    return text((named if tied <= 3 else f"{tied} of {len(rows)} tied") if rows else MISSING, "long")
