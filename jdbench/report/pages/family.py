"""The page of a family of problems: the ranking within it, the profiles, and its problems with who leads."""

from typing import NamedTuple

from jdbench.analysis.frames import only, rows
from jdbench.analysis.problems import Family
from jdbench.analysis.results import Results
from jdbench.analysis.schema import FAMILY
from jdbench.report.figures.palette import Style
from jdbench.report.figures.ranking import profiles_figure, ranking_figure
from jdbench.report.pages.template import fill
from jdbench.report.tables.outcomes import starts_left_out
from jdbench.report.tables.problems import problems_table
from jdbench.report.tables.rankings import pairs_table, ranking_table, ranks_table


class FriedmanTest(NamedTuple):
    """Friedman's test of a family; the fields are columns."""

    blocks: int
    friedman: float
    p_friedman: float


def family_page(results: Results, family: Family, looks: dict[str, Style]) -> str:
    """Return the page of a family.

    Args:
        results: What was read.
        family: The family.
        looks: Styles of all aggregators.

    Returns:
        HTML.
    """
    tests = rows(only(results.table("friedman_tests"), FAMILY, family.name), FriedmanTest)
    return fill(
        "family.html",
        results,
        looks,
        family=family,
        left_out=starts_left_out(results, family.problems),
        standing=ranking_figure(results, family.name, looks),
        ranking=ranking_table(results, family.name, looks),
        profiles=profiles_figure(results, family.name, looks),
        friedman=next(iter(tests), None),
        pairs=pairs_table(results, family.name, looks),
        problems=problems_table(results, family.problems, looks),
        ranks=ranks_table(results, family, looks),
    )
