"""The page of one problem: made in any process from what concerns the problem alone."""

from collections.abc import Sequence

from jdbench.analysis.frames import only, rows
from jdbench.analysis.problems import ProblemEntry, provenances
from jdbench.analysis.results import Results
from jdbench.analysis.schema import PROBLEM
from jdbench.analysis.traits import Traits
from jdbench.report.figures.curves import bands_of, curve_figures
from jdbench.report.figures.palette import styles
from jdbench.report.figures.scenes import scenes_of
from jdbench.report.figures.trajectories import trajectory_figures
from jdbench.report.pages.template import fill
from jdbench.report.tables.outcomes import failures, outcomes_table, starts_left_out, stayed_and_moved
from jdbench.report.tables.problems import along_table, held_out_table, results_table
from jdbench.report.tables.stops import set_table, stop_table


def problem_page(
    results: Results, entry: ProblemEntry, names: Sequence[str], near: Sequence[ProblemEntry | None]
) -> str:
    """Return the page of a problem.

    Args:
        results: What concerns the problem, as `Results.of` gives it.
        entry: The problem.
        names: All aggregators of the report, which decide the colours.
        near: The problems before and after it.

    Returns:
        HTML.
    """
    looks = styles(names)
    here = {name: look for name, look in looks.items() if name in results.aggregators}
    return fill(
        "problem.html",
        results,
        here,
        entry=entry,
        family=next(family for family in results.families if family.name == entry.family),
        before=near[0],
        after=near[1],
        left_out=starts_left_out(results, [entry]).get(entry.spec),
        motion=stayed_and_moved(results, entry),
        trait=rows(only(results.table("traits"), PROBLEM, entry.spec), Traits)[0],
        standing=results_table(results, entry, looks),
        selected_stops=stop_table(results, entry, looks, reference=False),
        reference_stops=stop_table(results, entry, looks, reference=True),
        sets=set_table(results, entry, looks),
        along=along_table(results, entry, looks),
        held_out=held_out_table(results, entry, looks),
        provenances=provenances(entry, results.environments),
        outcomes=outcomes_table(results, here, entry),
        errors=failures(results, entry),
        curves=curve_figures(entry, bands_of(only(results.table("curves"), PROBLEM, entry.spec)), looks),
        trajectories=trajectory_figures(entry, scenes_of(results, entry, looks), looks),
    )
