"""The page of `reports/kernels/`: tables and figures from what was measured, for reading without a network."""

import json
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

import jdbench.report.pages
from benchmarks.kernels_figures import LOOKS, memory_figure, projection_figure, training_figure
from benchmarks.table7 import PAPER
from jdbench.analysis.frames import rows
from jdbench.problems.networks import NETWORKS
from jdbench.report.tables.cells import Cell, Heading, PageTable, number, text

HERE, REPORT = Path(__file__).parent, Path(jdbench.report.pages.__file__).parent

TABLES = ("table7.csv", "projection.csv", "training.csv")
"""Files that the page is written from, and `environment.json`."""


class Timed(NamedTuple):
    """A method on a network, timed; the fields are columns of ``table7.csv``."""

    network: str
    aggregator: str
    library: str
    method: str
    seconds: float
    steps: int
    paper_ratio: float
    ratio: float


def write_page(folder: Path) -> Path:
    """Write the page and its figures into the folder of `TABLES` and `environment.json`; return its path."""
    seconds, projection, training = (pd.read_csv(folder / name) for name in TABLES)
    facts: dict[str, str] = json.loads((folder / "environment.json").read_text(encoding="utf-8"))
    loader = FileSystemLoader([HERE, REPORT])
    pages = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    figures = {
        "projection": projection_figure(projection),
        "step": training_figure(training, "step"),
        "gramian": training_figure(training, "gramian"),
        "memory": memory_figure(training),
    }
    html = pages.get_template("kernels.html").render(
        ratios=ratios_table(seconds),
        seconds=seconds_table(seconds),
        facts=facts,
        figures=figures,
        looks=LOOKS,
        files=[*TABLES, *(f"{drawing.name}.svg" for drawing in figures.values())],
        style=Markup((REPORT / "page.css").read_text(encoding="utf-8")),
        script=Markup((REPORT / "page.js").read_text(encoding="utf-8")),
    )
    for drawing in figures.values():
        (folder / f"{drawing.name}.svg").write_text(drawing.file, encoding="utf-8", newline="\n")
    page = folder / "index.html"
    page.write_text(html, encoding="utf-8", newline="\n")
    return page


def ratios_table(frame: pd.DataFrame) -> PageTable:
    """Return each method's time as a multiple of SGD's on the same network: the paper's, TorchJD's and ours."""
    found = {(row.network, row.aggregator, row.library): row for row in rows(frame, Timed)}
    headings = [Heading("SSJD with")]
    for network in NETWORKS:
        headings += [
            Heading(f"{network}: paper", "[JD] Table 7, on an NVIDIA L4, divided by its SGD"),
            Heading("TorchJD", "0.18.0, measured here, divided by SGD measured here"),
            Heading("ours", "measured here, divided by SGD measured here"),
        ]
    cells: list[list[Cell]] = []
    for aggregator in PAPER:
        if aggregator == "SGD":
            continue
        row = [text(aggregator)]
        for network in NETWORKS:
            theirs, ours = found[network, aggregator, "TorchJD"], found[network, aggregator, "ours"]
            row += [
                number(ours.paper_ratio),
                number(theirs.ratio),
                number(ours.ratio, mark="good" if ours.ratio <= theirs.ratio else "bad"),
            ]
        cells.append(row)
    return PageTable("ratios", "An epoch as a multiple of an epoch of SGD", headings, cells)


def seconds_table(frame: pd.DataFrame) -> PageTable:
    """Return the seconds of an epoch, a row for each method of each library."""
    found = {(row.network, row.aggregator, row.library): row for row in rows(frame, Timed)}
    listed = dict.fromkeys((aggregator, library) for _, aggregator, library in found)
    headings = [
        Heading("method"),
        Heading("library"),
        Heading("by", "what computes the Gramian or the Jacobian"),
    ]
    headings += [Heading(network, "seconds an epoch, 32 times the median step") for network in NETWORKS]
    headings += [Heading("steps", "how many were timed, on each network")]
    cells: list[list[Cell]] = []
    for aggregator, library in listed:
        entries = [found[network, aggregator, library] for network in NETWORKS]
        cells.append([
            text(aggregator if aggregator == "SGD" else f"SSJD {aggregator}"),
            text(library),
            text(entries[0].method),
            *(number(entry.seconds) for entry in entries),
            text(", ".join(str(entry.steps) for entry in entries)),
        ])
    return PageTable("seconds", "Seconds an epoch", headings, cells)
