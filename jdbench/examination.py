"""The verdicts on aggregators as a table, as JSON and as replay scripts, for `jdbench verify`."""

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from jdbench.aggregator import resolve
from jdbench.errors import InputError, unknown_name
from jdbench.verification.properties import HYGIENE, PROPERTIES
from jdbench.verification.replay import as_json, replay_script
from jdbench.verification.verify import Outcome, Verdict, verify

DTYPES = (torch.float64, torch.float32)


def chosen_properties(claims: str) -> list[str]:
    """Return the names of the properties in a list, hygiene last.

    Args:
        claims: Names separated by commas.

    Returns:
        Names of properties, each once.

    Raises:
        UnknownNameError: A claim names no property.
    """
    names = [name.strip() for name in claims.split(",") if name.strip()]
    for name in names:
        if name not in PROPERTIES:
            raise unknown_name("claim", name, PROPERTIES)
    return [*dict.fromkeys(name for name in names if name != HYGIENE), HYGIENE]


def examine(
    specs: Sequence[str],
    *,
    claims: str,
    examples: int,
    seed: int,
    limit: float,
    json_path: Path | None,
    replays: Path | None,
    console: Console,
) -> int:
    """Verify aggregators, print the verdicts, and write what was asked for.

    Args:
        specs: Aggregators.
        claims: Properties separated by commas; hygiene is added.
        examples: Matrices tried for each property and dtype.
        seed: Seed of the search.
        limit: Seconds that one call may take.
        json_path: Where the verdicts go, if anywhere.
        replays: Folder for replay scripts, if any are wanted.
        console: Where the table goes; progress goes to standard error.

    Returns:
        Number of verdicts that are not "survived".

    Raises:
        InputError: A name or number is not usable, or a file cannot be written.
    """
    if examples < 1 or not 0 < limit < math.inf:
        raise InputError(
            f"examples={examples}, limit={limit}, required both positive, got others, try 100 and 10"
        )
    aggregators = [resolve(spec) for spec in dict.fromkeys(specs)]
    names = chosen_properties(claims)
    verdicts: list[tuple[str, Verdict]] = []
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("verifying", total=len(aggregators) * len(names) * len(DTYPES))
        for spec, aggregator in aggregators:
            for name in names:
                for dtype in DTYPES:
                    progress.update(task, description=f"{spec}: {name}")
                    verdict = verify(
                        aggregator, PROPERTIES[name], dtype=dtype, examples=examples, seed=seed, limit=limit
                    )
                    verdicts.append((spec, verdict))
                    progress.advance(task)
    console.print(_table(verdicts))
    try:
        if json_path is not None:
            json_path.write_text(json.dumps([as_json(*pair) for pair in verdicts], indent=1), encoding="utf-8")
        if replays is not None:
            _write_replays(verdicts, replays)
    except OSError as error:
        raise InputError(f"json, replays, required places to write, got {error}, choose others") from error
    return sum(verdict.outcome is not Outcome.SURVIVED for _, verdict in verdicts)


def _table(verdicts: Sequence[tuple[str, Verdict]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("aggregator", "property", "dtype", "verdict", "margin", "rounding", "where"):
        table.add_column(column, overflow="fold", no_wrap=column in ("dtype", "verdict", "margin", "rounding"))
    for spec, verdict in verdicts:
        outcome = str(verdict.outcome)
        if verdict.outcome is Outcome.SURVIVED:
            outcome += f" {verdict.examples}"
        broken = verdict.outcome is Outcome.BROKEN
        where = f"{verdict.witness.matrix.kind}: {verdict.witness.matrix.J.tolist()}"
        table.add_row(
            spec,
            verdict.property,
            str(verdict.dtype).removeprefix("torch."),
            outcome,
            "" if broken else f"{verdict.margin:.2g}",
            "" if broken else f"{verdict.tolerance:.0e}",
            verdict.message or (where if verdict.outcome is Outcome.REFUTED else verdict.witness.matrix.kind),
        )
    return table


def _write_replays(verdicts: Sequence[tuple[str, Verdict]], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for spec, verdict in verdicts:
        if verdict.outcome is Outcome.REFUTED:
            name = re.sub(r"\W+", "_", f"{spec}_{verdict.property}_{verdict.dtype}").strip("_")
            script = replay_script(spec, verdict, PROPERTIES[verdict.property].statement)
            (folder / f"{name}.py").write_text(script, encoding="utf-8")
