"""A store to a folder of pages that need no network, and its tables as CSV and Parquet in ``data/``."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from jdbench.analysis.choices import choices
from jdbench.analysis.reading import read
from jdbench.analysis.results import Results
from jdbench.analysis.tables import csv_name, write_tables
from jdbench.analysis.traits import traits
from jdbench.errors import InputError
from jdbench.report.figures.palette import styles
from jdbench.report.pages.choose import choose_page
from jdbench.report.pages.family import family_page
from jdbench.report.pages.overview import overview_page
from jdbench.report.pages.problem import Made, problem_page
from jdbench.report.tables.outcomes import errors
from jdbench.report.tables.problems import problem_results
from jdbench.report.tables.run_tables import along
from jdbench.report.tables.training import held_out
from jdbench.report.tables.weight_norms import with_weight_norms
from jdbench.verification.summary import read_verdicts
from jdbench.workers import local_executor

IN_PROCESS = 8
"""Up to so many problems, starting processes takes longer than they save."""

BEHIND_FIGURES = ("curves", "end_points", "fronts", "paths")
"""Tables that the pages of problems make, see `jdbench.report.pages.problem.Made`."""

BRIEF = ["problem", "aggregator", "rate", "seed", "trace", "state", "steps_taken", "seconds", "score", "final"]
"""Columns of the table of all runs; `selected` and `references` have all indicators, and the store has."""


def write_report(store: Path, out: Path, verdicts: Path | None = None, workers: int = 1) -> Path:
    """Write the report of a store.

    Args:
        store: File of records.
        out: Folder, made if missing; files of the same names are replaced.
        verdicts: File of `jdbench verify --json`; that of ``out/verification``, if there is one, where None.
        workers: Processes at a time that draw the pages of problems.

    Returns:
        The first page, ``out/index.html``.

    Raises:
        StoreError: The store cannot be read, or holds no records.
        InputError: The verdicts cannot be read, or the folder cannot be written to.
    """
    results = _with_tables(read(store, read_verdicts(verdicts, out)))
    looks = styles(results.aggregators)
    made = _problem_pages(results, workers)
    data = _data(results, made)
    pages = {one.page: one.html for one in made}
    pages |= {family.page: family_page(results, family, looks) for family in results.families}
    files = {name: csv_name(name, table) for name, table in sorted(data.items())}
    pages |= {
        "choose.html": choose_page(results, looks),
        "index.html": overview_page(results, looks, files),
    }
    _write(pages, data, out)
    return out / "index.html"


def _with_tables(results: Results) -> Results:
    """Return the results with the tables that the pages add, in an order in which each finds what it needs."""
    results = results.adding(
        problem_results=problem_results(results),
        along=along(results),
        held_out=held_out(results),
        errors=errors(results),
        traits=traits(results),
        verdicts=results.verdicts.frame(),
    )
    results = with_weight_norms(results)
    return results.adding(choices=choices(results))


def _problem_pages(results: Results, workers: int) -> list[Made]:
    """Return the page of each problem."""
    subjects = results.subjects
    names = results.aggregators
    before, after = [None, *subjects[:-1]], [*subjects[1:], None]
    tasks = [
        (results.of(subject), subject, names, near)
        for subject, *near in zip(subjects, before, after, strict=True)
    ]
    with ExitStack() as stack:
        parallel = workers > 1 and len(subjects) > IN_PROCESS
        pool: Executor | None = stack.enter_context(local_executor(workers)) if parallel else None
        made: Iterable[Made] = (
            map(problem_page, *zip(*tasks, strict=True))
            if pool is None
            else pool.map(problem_page, *zip(*tasks, strict=True))
        )
        return list(made)


def _data(results: Results, made: Iterable[Made]) -> dict[str, pd.DataFrame]:
    """Return the tables that can be downloaded, those without columns left out."""
    tables = dict(results.tables)
    indicators = tables.pop("indicators")
    tables["runs"] = indicators.filter(items=BRIEF)
    for name in BEHIND_FIGURES:
        parts = [one.tables[name] for one in made if len(one.tables[name])]
        if parts:
            tables[name] = pd.concat(parts, ignore_index=True)
    return {name: table for name, table in tables.items() if len(table.columns) and len(table)}


def _write(pages: Mapping[str, str], data: Mapping[str, pd.DataFrame], out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, html in pages.items():
            (out / name).write_text(html, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"out={out}, required a folder that can be written to, got {error}, choose another with --out"
        ) from error
    write_tables(data, out / "data")
