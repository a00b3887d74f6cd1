"""The tables of who is best: rankings, and families side by side."""

from collections.abc import Mapping

from jdbench.analysis.family_tables import OVERALL
from jdbench.analysis.problems import Family
from jdbench.analysis.results import Results
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import MISSING, Cell, Heading, Table, aggregator, count, number, text
from jdbench.report.tables.verdicts import verdict_cells, verdict_headings
from jdbench.report.tables.weight_norms import norm_cells, norm_headings

Looks = Mapping[str, Style]


def unranked(results: Results) -> dict[str, list[str]]:
    """Return who is not ranked over all problems, and why.

    Args:
        results: What was read.

    Returns:
        By aggregator that the ranking lacks, the problems on which it has no selected run.
    """
    ranked = {row["aggregator"] for row in results.rows("ranking", family=OVERALL)}
    ran = {(row["problem"], row["aggregator"]) for row in results.rows("selected")}
    return {
        name: [subject.spec for subject in results.subjects if (subject.spec, name) not in ran]
        for name in results.aggregators
        if name not in ranked
    }


def ranking_table(results: Results, family: str, looks: Looks) -> Table | None:
    """Return the table of a ranking, with the verdicts, the areas of the profiles and the norms of the weights.

    Args:
        results: What was read.
        family: Name of a family, or `OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        The table; None where nobody is ranked.
    """
    rows = results.rows("ranking", family=family)
    if not rows:
        return None
    areas = {row["aggregator"]: row for row in results.rows("profile_areas", family=family)}
    profiled = [Heading("profile", "area under the performance profile: 1 for the fastest everywhere")]
    headings = [
        Heading("position"),
        Heading("aggregator"),
        *verdict_headings(results.verdicts),
        Heading("mean rank", "mean over problems of the mean rank over seeds"),
        Heading(
            "95 % interval", "central 95 % of the mean ranks of 4,000 resamples of problems and their seeds"
        ),
        Heading("group", "aggregators that share a letter cannot be told apart (Friedman, Nemenyi, 5 %)"),
        *(profiled if areas else []),
        *norm_headings("the selected runs of a problem that finished and over the problems"),
        Heading("lost", "seeds in which no rate finished"),
    ]
    cells = [
        [
            Cell(row["position"], repr(float(row["mean_rank"]))),
            aggregator(looks[row["aggregator"]]),
            *verdict_cells(results.verdicts, row["aggregator"]),
            Cell(f"{row['mean_rank']:.2f}", repr(float(row["mean_rank"]))),
            Cell(f"{row['low']:.2f} to {row['high']:.2f}", repr(float(row["low"]))),
            text(row["group"]),
            *(
                [number(areas[row["aggregator"]]["area"]) if row["aggregator"] in areas else text(MISSING)]
                if areas
                else []
            ),
            *norm_cells(row),
            count(row["lost"], row["runs"]),
        ]
        for row in rows
    ]
    return Table("ranking", f"Ranking over {family}", headings, cells)


def families_table(results: Results, looks: Looks) -> Table | None:
    """Return the mean ranks in each family side by side.

    Args:
        results: What was read.
        looks: Styles of all aggregators.

    Returns:
        The table, in the order of the overall ranking; None where no family has one.
    """
    families = [family.name for family in results.families]
    ranks = {(row["family"], row["aggregator"]): row for row in results.rows("ranking")}
    order = [row["aggregator"] for row in results.rows("ranking", family=OVERALL)]
    order += [
        name for name in results.aggregators if name not in order and any((f, name) in ranks for f in families)
    ]
    if not order:
        return None
    best = {
        f: min((row["mean_rank"] for (g, _), row in ranks.items() if g == f), default=0.0) for f in families
    }

    def cell(family: str, name: str) -> Cell:
        row = ranks.get((family, name))
        if row is None:
            return Cell(MISSING, "NaN")
        value = float(row["mean_rank"])
        leads = family in best and value <= best[family] + 1e-9
        return Cell(f"{value:.2f}", repr(value), "good" if leads else "")

    headings = [
        Heading("aggregator"),
        *verdict_headings(results.verdicts),
        Heading("all"),
        *(Heading(family, f"mean rank over the problems of {family}") for family in families),
    ]
    cells = [
        [
            aggregator(looks[name]),
            *verdict_cells(results.verdicts, name),
            *(cell(f, name) for f in (OVERALL, *families)),
        ]
        for name in order
    ]
    return Table("families", "Mean rank in each family, the best in green", headings, cells)


def ranks_table(results: Results, family: Family, looks: Looks) -> Table | None:
    """Return the mean ranks on each problem of a family side by side.

    Args:
        results: What was read, with the table ``problem_results``.
        family: The family.
        looks: Styles of all aggregators.

    Returns:
        The table, without problems that are not ranked; None where none is.
    """
    ranks = {
        (row["problem"], row["aggregator"]): row["rank"]
        for row in results.rows("problem_results", family=family.name)
        if row["rank"] >= 1
    }
    problems = [s.spec for s in family.subjects if any(problem == s.spec for problem, _ in ranks)]
    if not problems:
        return None
    best = {one: min(rank for (problem, _), rank in ranks.items() if problem == one) for one in problems}
    headings = [
        Heading("aggregator"),
        *(Heading(one, f"mean rank over the seeds of {one}") for one in problems),
    ]
    cells = [
        [
            aggregator(looks[name]),
            *(
                number(rank, mark="good" if rank <= best[one] + 1e-9 else "")
                for one in problems
                for rank in [float(ranks.get((one, name), float("nan")))]
            ),
        ]
        for name in looks
        if any((one, name) in ranks for one in problems)
    ]
    return Table("ranks", f"Mean rank on each problem of {family.name}, the best in green", headings, cells)
