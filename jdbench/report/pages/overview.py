"""The first page: what was run, who is best over all problems and in each family, and what went wrong."""

import shlex
from collections.abc import Mapping

from jdbench.analysis.frames import names, values_of
from jdbench.analysis.problems import OVERALL
from jdbench.analysis.results import Results
from jdbench.analysis.schema import AGGREGATOR, PROBLEM, SEEDS, UNRUN
from jdbench.problem import benchmark_problems
from jdbench.report.figures.dual_cone import dual_cone_figure
from jdbench.report.figures.palette import Style
from jdbench.report.figures.ranking import profiles_figure, ranking_figure
from jdbench.report.pages.template import fill
from jdbench.report.tables.columns import generic_table
from jdbench.report.tables.outcomes import (
    environments_table,
    errors_table,
    lost_table,
    outcomes_table,
    starts_left_out,
)
from jdbench.report.tables.problems import problems_table
from jdbench.report.tables.rankings import families_table, friedman_table, pairs_table, ranking_table
from jdbench.report.tables.upgrad_variants import (
    regularisation_figure,
    regularisation_summary,
    regularisation_table,
)
from jdbench.roster import LEADERBOARD
from jdbench.runs.protocol import PRESETS


def overview_page(
    results: Results, looks: dict[str, Style], data: Mapping[str, str], *, compact: bool = False
) -> str:
    """Return the first page.

    Args:
        results: What was read.
        looks: Styles of all aggregators.
        data: CSV file of each table that can be downloaded, by its name.
        compact: Whether the report has no other pages than this and that of the choices.

    Returns:
        HTML.
    """
    listing = [table for table in results.declared.values() if table.listed]
    unranked = results.table("unranked")
    return fill(
        "overview.html",
        results,
        looks,
        compact=compact,
        variants=[name for name in looks if "trace_regularization" in name],
        runs=len(results.table("indicators")),
        commands=commands(results, compact=compact),
        environments=environments_table(results),
        standing=ranking_figure(results, OVERALL, looks),
        ranking=ranking_table(results, OVERALL, looks),
        unranked=dict(zip(names(unranked, AGGREGATOR), names(unranked, UNRUN), strict=True)),
        left_out=starts_left_out(results, results.problems),
        profiles=profiles_figure(results, OVERALL, looks),
        friedman=friedman_table(results),
        pairs=pairs_table(results, OVERALL, looks),
        by_family=families_table(results, looks),
        problems=problems_table(results, results.problems, looks),
        regularisation=regularisation_table(results),
        regularisation_said=regularisation_summary(results),
        regularisation_figure=regularisation_figure(results),
        outcomes=outcomes_table(results, looks),
        lost=lost_table(results, looks),
        errors=errors_table(results, looks),
        cone=dual_cone_figure(),
        further=[
            generic_table(table, results.table(table.name), results, looks)
            for table in listing
            if len(results.table(table.name))
        ],
        data=data,
    )


def commands(results: Results, *, compact: bool = False) -> list[str]:
    """Return the commands that make the report, with the options that the store shows.

    Args:
        results: What was read.
        compact: Whether the report is.

    Returns:
        A line for each preset that was run, and one for the report.
    """
    problems = [entry.spec for entry in results.problems]
    aggregators = results.aggregators
    lines: list[str] = []
    for stamp in results.presets:
        name, _, optimizer = stamp.partition(" with ")
        words = ["jdbench", "run", "--preset", name]
        if optimizer:
            words += ["--optimizer", optimizer]
        words += _seeds(results, name)
        if set(problems) != set(benchmark_problems(quick=name == "quick")):
            words += [word for problem in problems for word in ("-p", problem)]
        if set(aggregators) != set(LEADERBOARD):
            words += [word for aggregator in aggregators for word in ("-a", aggregator)]
        report = ["jdbench", "report", *(["--compact"] if compact else []), "--store", f"results/{name}.sqlite"]
        lines += [shlex.join(words), shlex.join(report)]
    return lines


def _seeds(results: Results, preset: str) -> list[str]:
    """Return the option of the number of seeds if every problem has the same, and not the preset's."""
    counted = results.table("seed_counts")
    counts = dict(zip(names(counted, PROBLEM), values_of(counted, SEEDS), strict=True))
    if preset not in PRESETS or len(set(counts.values())) != 1:
        return []
    protocol = PRESETS[preset]
    if all(
        entry.problem is not None and protocol.budget(entry.problem).seeds == counts[entry.spec]
        for entry in results.problems
    ):
        return []
    return ["--seeds", str(counts[results.problems[0].spec])]
