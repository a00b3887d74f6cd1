"""The tables of how runs ended and where they ran."""

from collections import Counter
from collections.abc import Mapping

import pandas as pd

from jdbench.report.judgement import judge
from jdbench.report.palette import Style
from jdbench.report.results import Results, Subject, rows_of
from jdbench.report.standings import margin
from jdbench.report.tables import Cell, Heading, Table, aggregator, number, text

STATES = ("finished", "diverged", "failed")


def judgement_table(results: Results, subject: Subject, looks: Mapping[str, Style]) -> Table:
    """Return the table of a problem's reference runs.

    Args:
        results: What was read.
        subject: An analytic problem with reference runs.
        looks: Styles of all aggregators.

    Returns:
        The table, those first that came to the front from most starts, then the fastest.
    """
    frame = judge(results, subject).sort_values(
        ["reached", "steps", "aggregator"], ascending=[False, True, True], ignore_index=True
    )
    headings = [
        Heading("aggregator"),
        Heading("reached", "starts from which the distance fell to 1e-5 of the initial one"),
        Heading("after steps", "median over the starts; never, if it is infinite"),
        Heading("final / start", "distance at the end as a share of the initial one, median and largest"),
        Heading("how many ended where"),
        Heading("worst margin", "smallest gᵢᵀA(J) / (‖gᵢ‖ max ‖gⱼ‖) of all updates; negative is a conflict"),
        Heading("largest weights", "largest Σ |wᵢ| ‖gᵢ‖ / max ‖gⱼ‖, of deterministic aggregators only"),
    ]
    rows = [
        [
            aggregator(looks[row["aggregator"]]),
            Cell(
                f"{row['reached']} of {row['starts']}",
                str(row["reached"]),
                "good" if row["reached"] == row["starts"] else "bad",
            ),
            number(row["steps"], 4, otherwise="never"),
            _final(row["final"], row["final_worst"]),
            text(row["ended"], "long"),
            margin(row["worst_margin"], row["conflicts"] > 0),
            number(row["weights"]),
        ]
        for row in rows_of(frame)
    ]
    return Table(f"references-{subject.slug}", headings, rows, frame)


def states_table(results: Results, looks: Mapping[str, Style]) -> Table:
    """Return how many runs of each aggregator on each problem finished, diverged and failed.

    Args:
        results: What was read.
        looks: Styles of all aggregators.

    Returns:
        The table, over all rates and seeds, reference runs included.
    """
    runs = rows_of(results.table)
    pairs = Counter((row["problem"], row["aggregator"]) for row in runs)
    ended = Counter((row["problem"], row["aggregator"], row["state"]) for row in runs)
    counts = [
        (*pair, pairs[pair], *(ended[*pair, state] for state in STATES))
        for pair in ((subject.spec, name) for subject in results.subjects for name in looks)
        if pairs[pair]
    ]
    columns = ["problem", "aggregator", "runs", *STATES]
    rows = [
        [text(problem), aggregator(looks[name]), *map(text, others), text(failed, "bad" if failed else "")]
        for problem, name, *others, failed in counts
    ]
    return Table("states", [Heading(name) for name in columns], rows, pd.DataFrame(counts, columns=columns))


def errors_table(results: Results, looks: Mapping[str, Style]) -> Table | None:
    """Return what failed runs raised.

    Args:
        results: What was read.
        looks: Styles of all aggregators.

    Returns:
        The table, most frequent first; None if no run failed.
    """
    counts = Counter(
        (row["problem"], row["aggregator"], row["error"])
        for row in rows_of(results.table)
        if row["state"] == "failed"
    )
    if not counts:
        return None
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    columns = ["problem", "aggregator", "runs", "error"]
    frame = pd.DataFrame(
        [(problem, name, runs, error) for (problem, name, error), runs in ordered], columns=columns
    )
    rows = [
        [text(problem), aggregator(looks[name]), text(runs), text(error, "long")]
        for (problem, name, error), runs in ordered
    ]
    return Table("errors", [Heading(name) for name in columns], rows, frame)


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
    frame = pd.DataFrame(values, columns=["fact", *names])
    rows = [[text(value) for value in row] for row in values]
    return Table("environments", [Heading(name) for name in frame.columns], rows, frame)


def _final(median: float, worst: float) -> Cell:
    middle = number(median, 2)
    return Cell(f"{middle.text}, worst {number(worst, 2).text}", middle.key)
