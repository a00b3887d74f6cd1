"""The tables of the rank tests: Friedman's for each family, and the pairs that Nemenyi's tells apart."""

from collections.abc import Mapping

from jdbench.analysis.results import Results
from jdbench.report.figures.palette import Style
from jdbench.report.tables.cells import Cell, Heading, Table, aggregator, count, number, text


def friedman_table(results: Results) -> Table | None:
    """Return Friedman's test of each family and of all problems.

    Args:
        results: What was read.

    Returns:
        The table; None where there was nothing to test.
    """
    families: dict[str, list[Mapping[str, object]]] = {}
    for row in results.rows("rank_tests"):
        families.setdefault(row["family"], []).append(row)
    if not families:
        return None
    headings = [
        Heading("family"),
        Heading("problems", "blocks of the test"),
        Heading("χ²", "Friedman's statistic"),
        Heading("p", "chance of as much or more if all aggregators were alike"),
        Heading(
            "pairs apart", "pairs that Nemenyi's test tells apart at 5 %, Friedman's p being below 5 % too"
        ),
    ]
    rows = [
        [
            text(name),
            text(pairs[0]["blocks"]),
            number(float(str(pairs[0]["friedman"]))),
            number(float(str(pairs[0]["p_friedman"])), 2),
            Cell(
                count(sum(bool(p["apart"]) for p in pairs), len(pairs)).text,
                str(sum(bool(p["apart"]) for p in pairs)),
            ),
        ]
        for name, pairs in families.items()
    ]
    return Table("friedman", "Friedman's test: are the ranks more than chance?", headings, rows)


def pairs_table(results: Results, family: str, looks: Mapping[str, Style]) -> Table | None:
    """Return the pairs of aggregators that are told apart.

    Args:
        results: What was read.
        family: Name of a family, or `jdbench.analysis.family_tables.OVERALL`.
        looks: Styles of all aggregators.

    Returns:
        The table, largest difference first, the better of a pair first; None where none is.
    """
    rows = [row for row in results.rows("rank_tests", family=family) if row["apart"]]
    if not rows:
        return None
    headings = [
        Heading("better"),
        Heading("worse"),
        Heading("difference", "of their mean ranks"),
        Heading("p Nemenyi"),
        Heading("p Conover", "with Holm's correction"),
    ]
    rows.sort(key=lambda row: -abs(row["difference"]))
    cells: list[list[Cell]] = []
    for row in rows:
        pair = (row["aggregator"], row["other"]) if row["difference"] < 0 else (row["other"], row["aggregator"])
        cells.append([
            *(aggregator(looks[name]) for name in pair),
            number(abs(row["difference"])),
            number(row["p_nemenyi"], 2),
            number(row["p_conover"], 2),
        ])
    return Table("pairs", f"Pairs told apart over {family}", headings, cells)
