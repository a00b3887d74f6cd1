"""A store to a folder: one page that needs no network, its figures as SVG and its tables as CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from markupsafe import Markup

from jdbench.errors import InputError
from jdbench.report.commands import commands
from jdbench.report.curves_figure import curve_figures
from jdbench.report.drawing import Drawing
from jdbench.report.dual_cone_figure import dual_cone_figure
from jdbench.report.outcomes import environments_table, errors_table, judgement_table, states_table
from jdbench.report.palette import Style, styles
from jdbench.report.ranking_figure import ranking_figure
from jdbench.report.reaching_figure import reaching_figure
from jdbench.report.results import Results, Subject, read
from jdbench.report.standings import ranked, ranking_table, results_table, unranked
from jdbench.report.tables import Table
from jdbench.report.trajectories_figure import trajectory_figures

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Section:
    """What the page says about one problem.

    Attributes:
        subject: The problem.
        results: The table of the selected runs, if there are any.
        curves: Their convergence.
        references: The table of the reference runs, if there are any.
        reaching: Their distances.
        trajectories: Their paths.
    """

    subject: Subject
    results: Table | None
    curves: Sequence[Drawing]
    references: Table | None
    reaching: Sequence[Drawing]
    trajectories: Sequence[Drawing]


def write_report(store: Path, out: Path) -> Path:
    """Write the report of a store.

    Args:
        store: File of records.
        out: Folder, made if missing; files of the same names are replaced.

    Returns:
        The page, ``out/index.html``.

    Raises:
        StoreError: The store cannot be read, or holds no records.
        InputError: The folder cannot be written to.
    """
    results = read(store)
    looks = styles(results.aggregators)
    ranks = ranked(results)
    ranking = ranking_table(ranks, looks) if len(ranks) else None
    standing = [ranking_figure(ranks, looks)] if len(ranks) else []
    sections = [_section(results, subject, looks) for subject in results.subjects]
    states, errors = states_table(results, looks), errors_table(results, looks)
    cone = dual_cone_figure()
    tables = [ranking, *(t for s in sections for t in (s.results, s.references)), states, errors]
    tables = [table for table in tables if table is not None]
    figures = [*standing, *(d for s in sections for d in (*s.curves, *s.trajectories, *s.reaching)), cone]
    indicators = results.table.drop(columns="key")
    html = _template().render(
        results=results,
        looks=list(looks.values()),
        variants=[look for look in looks.values() if "trace_regularization" in look.name],
        ranking=ranking,
        standing=standing,
        unranked=unranked(results, ranks),
        sections=sections,
        cone=cone,
        states=states,
        errors=errors,
        environments=environments_table(results),
        commands=commands(results),
        downloads=[*(table.file for table in tables), "indicators.csv"],
        figures=figures,
        runs=len(results.table),
        style=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        script=Markup((HERE / "page.js").read_text(encoding="utf-8")),
    )
    files = {drawing.name + ".svg": drawing.file for drawing in figures}
    files |= {table.file: _csv(table.frame) for table in tables}
    files |= {"indicators.csv": _csv(indicators), "index.html": html}
    _write(files, out)
    return out / "index.html"


def _section(results: Results, subject: Subject, looks: dict[str, Style]) -> Section:
    referred = subject.kind == "analytic" and results.on(subject, reference=True)
    return Section(
        subject,
        results_table(results, subject, looks),
        curve_figures(results, subject, looks),
        judgement_table(results, subject, looks) if referred else None,
        reaching_figure(results, subject, looks) if referred else [],
        trajectory_figures(results, subject, looks) if referred else [],
    )


def _template() -> Template:
    loader = FileSystemLoader(HERE)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html")


def _csv(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, lineterminator="\n")


def _write(files: dict[str, str], out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"out={out}, required a folder that can be written to, got {error}, choose another with --out"
        ) from error
