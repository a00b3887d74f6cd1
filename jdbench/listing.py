"""Tables of what there is to choose from, for `jdbench list`."""

import inspect
import math

from rich.table import Table
from rich.text import Text

from jdbench import aggregators, protocol
from jdbench.dual_cone import available_solvers
from jdbench.problem import AnalyticProblem, available_problems, resolve_problem


def listing(kind: str) -> Table:
    """Return the table of one kind of thing.

    Args:
        kind: ``problems``, ``aggregators``, ``solvers`` or ``presets``.

    Returns:
        A table for rich to print.
    """
    return {
        "problems": _problems,
        "aggregators": _aggregators,
        "solvers": _solvers,
        "presets": _presets,
    }[kind]()


def _problems() -> Table:
    table = _table("problems", "name", "family", "m", "n", "domain", "distance in", "what it is")
    for column in table.columns[:-1]:
        column.no_wrap = True
    for name in available_problems():
        variants = [resolve_problem(name + variant) for variant in type(resolve_problem(name)).variants]
        first = variants[0]
        if isinstance(first, AnalyticProblem):
            analytic = [v for v in variants if isinstance(v, AnalyticProblem)]
            sizes = [_distinct([v.m for v in analytic]), _distinct([v.n for v in analytic])]
            low, high = first.domain
            where = "all" if (low, high) == (-math.inf, math.inf) else f"{low:g}..{high:g}"
            facts = [*sizes, where, first.space]
        else:
            facts = ["", "", "", ""]
        what = Text(_essence(type(first)), no_wrap=True, overflow="ellipsis")
        table.add_row(name, first.family, *facts, what)
    return table


def _aggregators() -> Table:
    table = _table("aggregators", "name", "keywords", "what it is")
    for name in sorted(aggregators.__all__):
        kind = getattr(aggregators, name)
        keywords = ", ".join(
            str(p.replace(annotation=p.empty)) for p in inspect.signature(kind).parameters.values()
        )
        table.add_row(name, keywords, _first_sentence(inspect.getmodule(kind)))
    return table


def _solvers() -> Table:
    table = _table("solvers of the dual cone", "name", "from")
    for name in available_solvers():
        table.add_row(name, "jdbench" if name in {"active-set", "batched"} else "qpsolvers")
    return table


def _presets() -> Table:
    table = _table("presets", "name", "rates (analytic, training)", "refined", "seeds", "steps", "epochs")
    for p in protocol.PRESETS.values():
        table.add_row(
            p.preset,
            f"{len(p.analytic_rates)}, {len(p.training_rates)}",
            str(p.refined),
            f"{p.analytic_seeds}, {p.training_seeds}",
            str(p.analytic_steps),
            str(p.training_epochs),
        )
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _first_sentence(thing: object) -> str:
    text = " ".join((inspect.getdoc(thing) or "").split())
    return text.partition(": ")[2].partition(" ([JD]")[0] if ": " in text[:20] else text.partition(" ([JD]")[0]


def _distinct(sizes: list[int]) -> str:
    return ",".join(str(size) for size in sorted(set(sizes)))


def _essence(kind: type) -> str:
    """Return the first sentence of a docstring up to its first colon or citation."""
    text = " ".join((inspect.getdoc(kind) or "").split())
    return min((text.partition(end)[0] for end in (". ", ": ", " ([")), key=len).removesuffix(".")
