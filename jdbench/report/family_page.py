"""The page of a family of problems: the ranking within it, the profiles, and its problems with who leads."""

from jdbench.report.left_out import left_out
from jdbench.report.palette import Style
from jdbench.report.problem_tables import problems_table
from jdbench.report.profiles_figure import profiles_figure
from jdbench.report.rank_test_tables import pairs_table
from jdbench.report.ranking_figure import ranking_figure
from jdbench.report.results import Results
from jdbench.report.standings import ranking_table, ranks_table
from jdbench.report.subjects import Family
from jdbench.report.templates import fill


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
