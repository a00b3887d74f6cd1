"""The tables of how runs ended and where they ran."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Results
from jdbench.descent.loop import DIVERGENCE
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import Heading, Table, aggregator, count, link, text

STATES = ("finished", "diverged", "failed")


def outcomes_table(results: Results, looks: Mapping[str, Style], subject: Subject | None = None) -> Table:
    """Return how many runs of each aggregator finished, diverged and failed, at all rates.

    Args:
        results: What was read.
        looks: Styles of all aggregators.
        subject: The problem that is meant; all if None.

    Returns:
        The table, over all rates and seeds, reference runs included.
    """
    totals: Counter[tuple[str, str]] = Counter()
    for row in results.rows("outcomes", **({} if subject is None else {"problem": subject.spec})):
        totals.update({(row["aggregator"], name): row[name] for name in ("runs", *STATES)})
    headings = [
        Heading("aggregator"),
        Heading("runs"),
        Heading("finished"),
        Heading("diverged", DIVERGENCE),
        Heading("failed", "raised an error"),
    ]
    cells = [
        [
            aggregator(look),
            *(text(totals[name, state]) for state in ("runs", "finished", "diverged")),
            text(totals[name, "failed"], "bad" if totals[name, "failed"] else ""),
        ]
        for name, look in looks.items()
        if totals[name, "runs"]
    ]
    where = "all problems" if subject is None else subject.spec
    return Table("outcomes", f"How the runs on {where} ended, at all rates", headings, cells)


def errors(results: Results) -> pd.DataFrame:
    """Return what failed runs raised.

    Args:
        results: What was read.

    Returns:
        Columns ``problem aggregator runs error``, most frequent first.
    """
    rows = results.rows("indicators", state="failed")
    counts = Counter((row["problem"], row["aggregator"], row["error"]) for row in rows)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return pd.DataFrame(
        [(problem, name, runs, error) for (problem, name, error), runs in ordered],
        columns=["problem", "aggregator", "runs", "error"],
    )


def errors_table(results: Results, looks: Mapping[str, Style]) -> Table | None:
    """Return the table of what failed runs raised.

    Args:
        results: What was read, with the table ``errors``.
        looks: Styles of all aggregators.

    Returns:
        The table; None if no run failed.
    """
    pages = {subject.spec: subject.page for subject in results.subjects}
    rows = [
        [
            link(row["problem"], pages[row["problem"]]),
            aggregator(looks[row["aggregator"]]),
            text(row["runs"]),
            text(row["error"], "long"),
        ]
        for row in results.rows("errors")
    ]
    names = ["problem", "aggregator", "runs", "error"]
    return Table("errors", "What failed runs raised", [Heading(name) for name in names], rows) if rows else None


def lost_table(results: Results, looks: Mapping[str, Style]) -> Table | None:
    """Return the problems on which an aggregator had seeds for which no rate finished.

    Args:
        results: What was read, with the table ``problem_results``.
        looks: Styles of all aggregators.

    Returns:
        The table; None if there are none.
    """
    pages = {subject.spec: subject.page for subject in results.subjects}
    lost = [row for row in results.rows("problem_results") if row["seeds_lost"]]
    rows = [
        [
            link(row["problem"], pages[row["problem"]]),
            aggregator(looks[row["aggregator"]]),
            count(row["seeds_lost"], row["seeds"]),
        ]
        for row in lost
    ]
    headings = [Heading("problem"), Heading("aggregator"), Heading("lost", "seeds in which no rate finished")]
    return Table("lost", "Seeds in which no rate finished", headings, rows) if rows else None


def environments_table(results: Results) -> Table:
    """Return where the runs were made.

    Args:
        results: What was read.

    Returns:
        The table: a row a fact, a column an environment.
    """
    facts = list(dict.fromkeys(name for environment in results.environments for name in environment))
    values = [[fact, *(environment.get(fact, "") for environment in results.environments)] for fact in facts]
    numbers = [str(k + 1) for k in range(len(results.environments))]
    names = [f"environment {k}" for k in numbers] if len(numbers) > 1 else ["value"] * len(numbers)
    rows = [[text(value) for value in row] for row in values]
    return Table("environments", "Where the runs were made", [Heading(name) for name in ("fact", *names)], rows)
