"""A store to a folder of pages that need no network, and its tables as CSV and Parquet in ``data/``."""

from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from jdbench.analysis.choices import choices
from jdbench.analysis.reading import read
from jdbench.analysis.results import Results
from jdbench.analysis.tables import csv_name, write_tables
from jdbench.analysis.traits import traits
from jdbench.report.figures.palette import styles
from jdbench.report.manifest import check_folder, replacing
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

COMPACT = frozenset({
    "choices", "errors", "outcomes", "problem_ranks", "problem_results", "profile_areas", "profiles",
    "rank_tests", "ranking", "traits", "upgrad_against_regularised", "verdicts",
})  # fmt: skip
"""Tables behind the first page and that of the choices."""

BRIEF = ["problem", "aggregator", "rate", "seed", "trace", "state", "steps_taken", "seconds", "score", "final"]
"""Columns of the table of all runs; `selected` and `references` have all indicators, and the store has."""


def write_report(
    store: Path,
    out: Path,
    verdicts: Path | None = None,
    workers: int = 1,
    *,
    compact: bool = False,
    replace: bool = False,
) -> Path:
    """Write the report of a store.

    Args:
        store: File of records.
        out: Folder, made if missing; the files of the last report there are replaced or removed, no others.
        verdicts: File of `jdbench verify --json`; that of ``out/verification``, if there is one, where None.
        workers: Processes at a time that draw the pages of problems.
        compact: Whether to write the first page and that of the choices alone, with the CSV of `COMPACT`.
        replace: Whether the report may take the place of one of another store.

    Returns:
        The first page, ``out/index.html``.

    Raises:
        StoreError: The store cannot be read, or holds no records.
        InputError: The verdicts cannot be read, or the folder cannot be written to, or it holds the report of
            another store or files of others with the report's names.
    """
    check_folder(out, store, replace=replace)
    results = _with_tables(read(store, read_verdicts(verdicts, out)))
    looks = styles(results.aggregators)
    made = [] if compact else _problem_pages(results, workers)
    data = _data(results, made)
    if compact:
        data = {name: table for name, table in data.items() if name in COMPACT}
    pages = {one.page: one.html for one in made}
    pages |= {family.page: family_page(results, family, looks) for family in results.families if not compact}
    files = {name: csv_name(name, table) for name, table in sorted(data.items())}
    pages |= {
        "choose.html": choose_page(results, looks, compact=compact),
        "index.html": overview_page(results, looks, files, compact=compact),
    }
    with replacing(out, store, replace=replace) as folder:
        for name, html in pages.items():
            (folder / name).write_text(html, encoding="utf-8", newline="\n")
        write_tables(data, folder / "data", parquet=not compact)
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
