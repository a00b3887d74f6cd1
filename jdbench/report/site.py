"""A store to a folder of pages that need no network, and its tables as CSV and Parquet in ``data/``."""

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from jdbench.analysis.reading import read
from jdbench.analysis.results import Results
from jdbench.analysis.table_files import as_filed, csv_name, write_tables
from jdbench.errors import InputError
from jdbench.report.figures.palette import styles
from jdbench.report.pages.choose import choose_page
from jdbench.report.pages.family import family_page
from jdbench.report.pages.overview import overview_page
from jdbench.report.pages.problem import problem_page
from jdbench.verification.property_outcomes import read_verdicts
from jdbench.workers import local_executor

IN_PROCESS = 8
"""Up to so many problems, starting processes takes longer than they save."""


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
    results = read(store, read_verdicts(verdicts, out))
    looks = styles(results.aggregators)
    data = _downloads(results)
    pages = _problem_pages(results, workers)
    pages |= {family.page: family_page(results, family, looks) for family in results.families}
    files = {name: csv_name(name, table) for name, table in sorted(data.items())}
    pages |= {
        "choose.html": choose_page(results, looks),
        "index.html": overview_page(results, looks, files),
    }
    _write(pages, data, out)
    return out / "index.html"


def _downloads(results: Results) -> dict[str, pd.DataFrame]:
    """Make all tables, and return what files hold of those that can be downloaded and are not empty."""
    frames = {name: results.table(name) for name in results.declared}
    return {
        name: as_filed(results.declared[name], frame)
        for name, frame in frames.items()
        if results.declared[name].download and len(frame)
    }


def _problem_pages(results: Results, workers: int) -> dict[str, str]:
    """Return the page of each problem, by its name; all tables are made."""
    entries = results.problems
    names = results.aggregators
    before, after = [None, *entries[:-1]], [*entries[1:], None]
    tasks = [
        (results.of(entry), entry, names, near) for entry, *near in zip(entries, before, after, strict=True)
    ]
    with ExitStack() as stack:
        parallel = workers > 1 and len(entries) > IN_PROCESS
        pool: Executor | None = stack.enter_context(local_executor(workers)) if parallel else None
        made: Iterable[str] = (
            map(problem_page, *zip(*tasks, strict=True))
            if pool is None
            else pool.map(problem_page, *zip(*tasks, strict=True))
        )
        return {entry.page: html for entry, html in zip(entries, made, strict=True)}


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
