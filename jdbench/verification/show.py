"""Verdicts and replays as tables on a terminal, for `jdbench verify` and `jdbench replay`."""

import contextlib
import math
from collections.abc import Callable, Generator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from jdbench.verification.replay import Replay
from jdbench.verification.session import Session
from jdbench.verification.verdicts import Outcome, Verdict

NARROW = ("dtype", "verdict", "margin", "rounding", "again")
"""Columns whose cells stay on one line."""


@contextlib.contextmanager
def progress_bar(console: Console) -> Generator[Callable[[str, int], object]]:
    """Show how much is done while a block runs, which tells what it did and the total to what this yields."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task("verifying", total=None)
        yield lambda spec, total: progress.update(bar, total=total, advance=1, description=escape(spec))


def show_session(session: Session, console: Console, errors: Console) -> None:
    """Print the verdicts, and as errors what else there is to say of them."""
    table = _table("aggregator", "property", "dtype", "verdict", "margin", "rounding", "where")
    for one in session.verification.verdicts:
        table.add_row(
            one.aggregator, one.prop, one.dtype_name, _outcome(one), *_measured(one), escape(_where(one))
        )
    console.print(table)
    for line in (*session.ended, *session.stale):
        errors.print(line, soft_wrap=True, markup=False)


def show_replays(replays: Sequence[Replay], console: Console) -> None:
    """Print what came of replays, one a line."""
    table = _table("verdict of", "margin", "again", "rounding", "reproduced", "what is seen")
    for one in replays:
        margins = (_brief(margin) for margin in (one.verdict.margin, one.finding.margin))
        reproduced = "yes" if one.reproduced else "no"
        table.add_row(
            escape(one.verdict.name), *margins, _brief(one.finding.tolerance), reproduced, escape(one.told)
        )
    console.print(table)
    came = sum(one.reproduced for one in replays)
    console.print(f"{came} of {len(replays)} reproduced", highlight=False)


def show_replay(replay: Replay, console: Console) -> None:
    """Print all of one replay: J, A(J), margin, tolerance and the exact recheck."""
    verdict, finding = replay.verdict, replay.finding
    lines = [
        f"{verdict.name}: {verdict.outcome}{f', {verdict.message}' if verdict.message else ''}",
        f"J = {verdict.witness.J.tolist()}",
    ]
    if replay.direction is not None:
        lines.append(f"A(J) = {replay.direction.tolist()}")
    lines.append(f"margin {finding.margin} tolerance {finding.tolerance}, recorded margin {verdict.margin}")
    lines += [said for said in (replay.told, str(replay.recheck or "")) if said]
    lines.append("reproduced" if replay.reproduced else "not reproduced")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False, highlight=False)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in NARROW)
    return table


def _outcome(verdict: Verdict) -> str:
    tried = f" {verdict.examples}" if verdict.survived else ""
    return f"{verdict.outcome}{tried}{', expected' if verdict.failed and verdict.expected is not None else ''}"


def _measured(verdict: Verdict) -> tuple[str, str]:
    if verdict.outcome is Outcome.BROKEN:
        return "", ""
    return f"{verdict.margin:.2g}", f"{verdict.tolerance:.0e}"


def _brief(number: float) -> str:
    return "" if math.isnan(number) else f"{number:.3g}"


def _where(verdict: Verdict) -> str:
    matrix = verdict.witness.matrix
    if verdict.survived:
        return matrix.kind
    lines = [f"{matrix.kind}: {matrix.J.tolist()}"]
    if verdict.message:
        lines.insert(0, verdict.message)
    if verdict.recheck is not None:
        lines.append(str(verdict.recheck))
    if verdict.expected is not None:
        lines.append(f"expected: {verdict.expected}")
    return "\n".join(lines)
