"""The first page: what was run, who is best over all problems and in each family, and what went wrong."""

from collections.abc import Mapping

from jdbench.analysis.family_tables import OVERALL
from jdbench.analysis.results import Results
from jdbench.report.figures.dual_cone import dual_cone_figure
from jdbench.report.figures.palette import Style
from jdbench.report.figures.profiles import profiles_figure
from jdbench.report.figures.ranking import ranking_figure
from jdbench.report.pages.commands import commands
from jdbench.report.pages.template import fill
from jdbench.report.tables.left_out import left_out
from jdbench.report.tables.outcomes import environments_table, errors_table, lost_table, outcomes_table
from jdbench.report.tables.problems import problems_table
from jdbench.report.tables.rank_tests import friedman_table, pairs_table
from jdbench.report.tables.rankings import families_table, ranking_table, unranked
from jdbench.report.tables.upgrad_variants import (
    regularisation_figure,
    regularisation_summary,
    regularisation_table,
)


def overview_page(
    results: Results, looks: dict[str, Style], data: Mapping[str, str], *, compact: bool = False
) -> str:
    """Return the first page.

    Args:
        results: What was read, with all tables.
        looks: Styles of all aggregators.
        data: CSV file of each table that can be downloaded, by its name.
        compact: Whether the report has no other pages than this and that of the choices.

    Returns:
        HTML.
    """
    return fill(
        "overview.html",
        results,
        looks,
        compact=compact,
        variants=[name for name in looks if "trace_regularization" in name],
        runs=len(results.tables["indicators"]),
        commands=commands(results, compact=compact),
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
