"""The first page: what was run, who is best over all problems and in each family, and what went wrong."""

from collections.abc import Mapping

from jdbench.family_tables import OVERALL
from jdbench.report.commands import commands
from jdbench.report.dual_cone_figure import dual_cone_figure
from jdbench.report.left_out import left_out
from jdbench.report.outcomes import environments_table, errors_table, lost_table, outcomes_table
from jdbench.report.palette import Style
from jdbench.report.problem_tables import problems_table
from jdbench.report.profiles_figure import profiles_figure
from jdbench.report.rank_test_tables import friedman_table, pairs_table
from jdbench.report.ranking_figure import ranking_figure
from jdbench.report.regularisation_tables import (
    regularisation_figure,
    regularisation_summary,
    regularisation_table,
)
from jdbench.report.results import Results
from jdbench.report.standings import families_table, ranking_table, unranked
from jdbench.report.templates import fill


def overview_page(results: Results, looks: dict[str, Style], data: Mapping[str, str]) -> str:
    """Return the first page.

    Args:
        results: What was read, with all tables.
        looks: Styles of all aggregators.
        data: CSV file of each table that can be downloaded, by its name.

    Returns:
        HTML.
    """
    return fill(
        "overview.html",
        results,
        looks,
        variants=[name for name in looks if "trace_regularization" in name],
        runs=len(results.tables["indicators"]),
        commands=commands(results),
        environments=environments_table(results),
        standing=ranking_figure(results, OVERALL, looks),
        ranking=ranking_table(results, OVERALL, looks),
        unranked=unranked(results),
        left_out=left_out(results, results.subjects),
        profiles=profiles_figure(results, OVERALL, looks),
        friedman=friedman_table(results),
        pairs=pairs_table(results, OVERALL, looks),
        by_family=families_table(results, looks),
        problems=problems_table(results, results.subjects, looks),
        regularisation=regularisation_table(results),
        regularisation_said=regularisation_summary(results),
        regularisation_figure=regularisation_figure(results),
        outcomes=outcomes_table(results, looks),
        lost=lost_table(results, looks),
        errors=errors_table(results, looks),
        cone=dual_cone_figure(),
        data=data,
    )
