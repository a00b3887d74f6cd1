"""The commands that read a store, and where stores and reports lie unless told otherwise: `results/PRESET`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jdbench.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from jdbench.analysis.findings import Findings

RESULTS = Path("results")

STORE = Annotated[
    Path | None, typer.Option(help="File of records. [default: results/PRESET.sqlite]", show_default=False)
]
PRESET = Annotated[
    str | None,
    typer.Option(
        help="The preset whose store is read, as `jdbench run --preset` names it. [default: quick]",
        show_default=False,
    ),
]


def default_store(preset: str) -> Path:
    """Return where the runs of a preset are kept unless told otherwise."""
    return RESULTS / f"{preset}.sqlite"


def cores() -> int:
    """Return the number of cores that this process may use, where the system says."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def report(
    preset: PRESET = None,
    store: STORE = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for index.html, its pages, and the tables in data/ (CSV, Parquet). Files of the last "
            "report there are replaced or removed, others never touched. "
            "[default: results/PRESET, by the preset that the store was run with]",
            show_default=False,
        ),
    ] = None,
    compact: Annotated[
        bool,
        typer.Option("--compact", help="Only index.html and choose.html, with the CSV of their tables."),
    ] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Take the place of a report of another store too.")
    ] = False,
    imports: Annotated[
        bool,
        typer.Option(
            "--import", help="Import the problems that the store names as module:Name, to draw their fronts."
        ),
    ] = False,
    verdicts: Annotated[
        Path | None,
        typer.Option(
            help="File of `jdbench verify --json`, to show properties beside ranks. "
            "[default: OUT/verification/verdicts.json, if there is one]"
        ),
    ] = None,
    verification: Annotated[
        Path | None,
        typer.Option(
            help="A folder of `jdbench verify --report`: write the page of its verdicts again instead."
        ),
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Processes at a time. [default: the cores]")] = None,
) -> None:
    """Write the leaderboard of a store as pages that need no network, with their figures and tables.

    Without options: of the preset quick, from results/quick.sqlite into results/quick/.
    """
    if verification is None:
        from jdbench.report import write_report

        chosen = chosen_store(preset, store)
        page = write_report(
            chosen,
            out or _folder(chosen),
            verdicts,
            cores() if workers is None else workers,
            compact=compact,
            replace=replace,
            import_problems=imports,
        )
    else:
        from jdbench.report.verdicts.page import write_verdict_page

        page = write_verdict_page(verification)
    typer.echo(f"wrote {page}")


def chosen_store(preset: str | None, store: Path | None) -> Path:
    """Return the store that is meant.

    Args:
        preset: A preset, whose default store is meant; quick if None.
        store: A file, which is meant itself.

    Returns:
        The file.

    Raises:
        InputError: Both were named, the preset is none, or its store is not there.
        UnknownNameError: There is no such preset.
    """
    from jdbench.runs.protocol import preset as known

    if store is not None:
        if preset is not None:
            raise InputError(f"preset={preset}, required --preset or --store, got both, leave one out")
        return store
    found = default_store(known(preset or "quick").preset)
    if not found.is_file():
        others = [str(default_store(one.stem)) for one in sorted(RESULTS.glob("*.sqlite"))]
        there = f"; there is {', '.join(others)}, say --store" if others else ""
        raise InputError(
            f"store={found}, required a file of records, got none, "
            f"`jdbench run{f' --preset {preset}' if preset else ''}` makes one{there}"
        )
    return found


def _folder(store: Path) -> Path:
    """Return where the report of a store goes unless told otherwise."""
    from jdbench.runs.store import Store
    from jdbench.spec import slug

    with Store(store) as opened:
        presets = opened.presets()
    return RESULTS / slug("-".join(presets) or store.stem)


def findings(
    preset: PRESET = None,
    store: STORE = None,
    json: Annotated[Path | None, typer.Option(help="File for the findings.")] = None,
) -> None:
    """Judge what theory predicts by the runs of a store; exit 1 if a prediction fails.

    A prediction about all problems or starts is judged on those that the store has. What cannot be told says
    which runs are missing, and does not count.
    """
    from rich.console import Console

    from jdbench.analysis.findings import FAILS, evidence_of, summary, write_findings
    from jdbench.analysis.findings import findings as judged
    from jdbench.analysis.reading import read

    chosen = chosen_store(preset, store)
    found = judged(evidence_of(read(chosen)))
    if json is not None:
        write_findings(found, json)
    console = Console()
    console.print(_findings_table(found))
    console.print(f"{chosen}: {summary(found)}", markup=False, highlight=False)
    raise typer.Exit(1 if any(answer.told == FAILS for answer in found.values()) else 0)


def _findings_table(found: "Findings") -> "Table":
    """Return the table of findings, with the numbers that each looked at, or what is missing."""
    from rich.text import Text

    from jdbench.analysis.findings import FAILS, HOLDS, UNTOLD
    from jdbench.cli.listing import plain_table

    styles = {HOLDS: "green", FAILS: "bold red", UNTOLD: "yellow"}
    table = plain_table("findings", "", "prediction", "source", "looked at")
    table.columns[0].no_wrap = True
    for prediction, answer in found.items():
        seen = [
            f"{name} {value if isinstance(value, str) else f'{value:.6g}'}"
            for name, value in answer.numbers.items()
        ]
        seen += [f"missing: {answer.missing}"] if answer.missing else []
        table.add_row(
            Text(answer.told, style=styles[answer.told]),
            Text(f"{prediction.name}: {prediction.statement}"),
            Text(prediction.source),
            Text("; ".join(seen)),
        )
    return table
