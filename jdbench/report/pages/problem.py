"""The page of one problem: made in any process from what concerns the problem alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from jdbench.analysis.problems import Subject
from jdbench.analysis.results import Results
from jdbench.environment import provenance_fact
from jdbench.errors import JDBenchError
from jdbench.problem import TrainingProblem
from jdbench.report.figures.curves import curve_figures, curve_table, curves_of
from jdbench.report.figures.palette import styles
from jdbench.report.figures.scenes import scenes_of
from jdbench.report.figures.trajectories import trajectory_figures
from jdbench.report.pages.template import fill
from jdbench.report.tables.left_out import left_out, motion
from jdbench.report.tables.outcomes import outcomes_table
from jdbench.report.tables.points import end_point_table, front_table, path_table
from jdbench.report.tables.problems import results_table
from jdbench.report.tables.run_tables import along_table
from jdbench.report.tables.stops import set_table, stop_table
from jdbench.report.tables.training import held_out_table


@dataclass(frozen=True)
class Made:
    """A page, and the numbers behind its figures.

    Attributes:
        page: Its name.
        html: Its content.
        tables: ``curves`` as `jdbench.report.figures.curves` gives it, ``end_points``, ``paths`` and
            ``fronts`` as `jdbench.report.tables.points` does.
    """

    page: str
    html: str
    tables: Mapping[str, pd.DataFrame]


def problem_page(
    results: Results, subject: Subject, names: Sequence[str], near: Sequence[Subject | None]
) -> Made:
    """Return the page of a problem.

    Args:
        results: What concerns the problem, as `Results.of` gives it.
        subject: The problem.
        names: All aggregators of the report, which decide the colours.
        near: The problems before and after it.

    Returns:
        The page.
    """
    looks = styles(names)
    curves = curves_of(results, subject)
    scenes = scenes_of(results, subject, looks)
    here = {name: look for name, look in looks.items() if name in results.aggregators}
    html = fill(
        "problem.html",
        results,
        here,
        subject=subject,
        family=next(family for family in results.families if family.name == subject.family),
        before=near[0],
        after=near[1],
        left_out=left_out(results, [subject]).get(subject.spec),
        motion=motion(results, subject),
        trait=results.rows("traits", problem=subject.spec)[0],
        standing=results_table(results, subject, looks),
        selected_stops=stop_table(results, subject, looks, reference=False),
        reference_stops=stop_table(results, subject, looks, reference=True),
        sets=set_table(results, subject, looks),
        along=along_table(results, subject, looks),
        held_out=held_out_table(results, subject, looks),
        provenances=provenances(results, subject),
        outcomes=outcomes_table(results, here, subject),
        errors=results.rows("errors", problem=subject.spec),
        curves=curve_figures(subject, curves, looks),
        trajectories=trajectory_figures(subject, scenes, looks),
    )
    tables = {
        "curves": curve_table(subject, curves),
        "end_points": end_point_table(results, subject),
        "fronts": front_table(subject),
        "paths": path_table(results, subject, scenes),
    }
    return Made(subject.page, html, tables)


def provenances(results: Results, subject: Subject) -> list[str]:
    """Return what the runs on a problem were trained on, a line for each data set that they saw.

    Args:
        results: What was read.
        subject: The problem.

    Returns:
        Lines as stored with the runs, in order. Where none is stored, what is here now, and that it is; nothing
        where the problem says nothing.
    """
    fact = provenance_fact(subject.spec)
    stored = dict.fromkeys(facts[fact] for facts in results.environments if fact in facts)
    if stored or not isinstance(subject.problem, TrainingProblem):
        return list(stored)
    try:
        here = subject.problem.provenance()
    except JDBenchError:
        here = ""  # a damaged file is no matter of a report
    return [f"{here} (found here, not stored with the runs)"] if here else []
