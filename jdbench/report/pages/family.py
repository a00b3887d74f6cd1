"""The page of a family of problems: the ranking within it, the profiles, and its problems with who leads."""

from jdbench.analysis.problems import Family
from jdbench.analysis.results import Results
from jdbench.report.figures.palette import Style
from jdbench.report.figures.profiles import profiles_figure
from jdbench.report.figures.ranking import ranking_figure
from jdbench.report.pages.template import fill
from jdbench.report.tables.left_out import left_out
from jdbench.report.tables.problems import problems_table
from jdbench.report.tables.rank_tests import pairs_table
from jdbench.report.tables.rankings import ranking_table, ranks_table


def family_page(results: Results, family: Family, looks: dict[str, Style]) -> str:
    """Return the page of a family.

    Args:
        results: What was read, with all tables.
        family: The family.
        looks: Styles of all aggregators.

    Returns:
        HTML.
    """
    return fill(
        "family.html",
        results,
        looks,
        family=family,
        left_out=left_out(results, family.subjects),
        standing=ranking_figure(results, family.name, looks),
        ranking=ranking_table(results, family.name, looks),
        profiles=profiles_figure(results, family.name, looks),
        friedman=next(iter(results.rows("rank_tests", family=family.name)), None),
        pairs=pairs_table(results, family.name, looks),
        problems=problems_table(results, family.subjects, looks),
        ranks=ranks_table(results, family, looks),
    )
