"""A store to a folder of pages that need no network, and its tables as CSV and Parquet in ``data/``."""

from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path

import pandas as pd

from jdbench.analysis.problems import resolve_announced
from jdbench.analysis.reading import read
from jdbench.analysis.results import Results
from jdbench.analysis.table_files import as_filed, csv_name, write_tables
from jdbench.problem import resolve_problem
from jdbench.report.figures.palette import styles
from jdbench.report.manifest import check_folder, replacing
from jdbench.report.pages.choose import choose_page
from jdbench.report.pages.family import family_page
from jdbench.report.pages.overview import overview_page
from jdbench.report.pages.problem import problem_page
from jdbench.verification.summary import read_verdicts
from jdbench.workers import local_executor

IN_PROCESS = 8
"""Up to so many problems, starting processes takes longer than they save."""

COMPACT = frozenset({
    "choices", "errors", "outcomes", "problem_ranks", "problem_results", "profile_areas", "profiles",
    "rank_tests", "ranking", "traits", "upgrad_against_regularised", "verdicts",
})  # fmt: skip
"""Tables behind the first page and that of the choices."""


def write_report(
    store: Path,
    out: Path,
    verdicts: Path | None = None,
    workers: int = 1,
    *,
    compact: bool = False,
    replace: bool = False,
    import_problems: bool = False,
) -> Path:
    """Write the report of a store.

    Args:
        store: File of records.
        out: Folder, made if missing; the files of the last report there are replaced or removed, no others.
        verdicts: File of `jdbench verify --json`; that of ``out/verification``, if there is one, where None.
        workers: Processes at a time that draw the pages of problems.
        compact: Whether to write the first page and that of the choices alone, with the CSV of `COMPACT`.
        replace: Whether the report may take the place of one of another store.
        import_problems: Whether to import problems that the store names as ``module:Name``, which runs their
            code, to draw their fronts.

    Returns:
        The first page, ``out/index.html``.

    Raises:
        StoreError: The store cannot be read, or holds no records.
        InputError: The verdicts cannot be read, or the folder cannot be written to, or it holds the report of
            another store or files of others with the report's names.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jdbench.report import write_report
        >>> from jdbench.runs.protocol import RunSpec
        >>> from jdbench.runs.runner import run_batch
        >>> from jdbench.runs.store import Store
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     store = Path(folder) / "runs.sqlite"
        ...     with Store(store, create=True) as opened:
        ...         opened.append(run_batch([RunSpec("EWQ", "Mean", 0.1, 1, 20)]), {})
        ...     write_report(store, Path(folder) / "report", compact=True).name
        'index.html'
    """
    check_folder(out, store, replace=replace)
    resolve = resolve_problem if import_problems else resolve_announced
    results = read(store, read_verdicts(verdicts, out), resolve=resolve)
    looks = styles(results.aggregators)
    data = _downloads(results, COMPACT.intersection(results.declared) if compact else results.declared)
    pages = {} if compact else _problem_pages(results, workers)
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


def _downloads(results: Results, names: Iterable[str]) -> dict[str, pd.DataFrame]:
    """Make tables, and return what files hold of those that can be downloaded and are not empty."""
    frames = {name: results.table(name) for name in names}
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
