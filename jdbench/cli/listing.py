"""Tables for the terminal: what there is to choose from, for `jdbench list`."""

import inspect
import math
from collections.abc import Callable

from rich.table import Table
from rich.text import Text

from jdbench import aggregators
from jdbench.aggregator import announced_aggregators
from jdbench.data import DATASETS, DIGITS, image_count, locate
from jdbench.dual_cone import available_solvers
from jdbench.problem import AnalyticProblem, available_problems, resolve_problem
from jdbench.runs import protocol


def listing(kind: str) -> Table:
    """Return the table of one kind of thing.

    Args:
        kind: ``problems``, ``aggregators``, ``solvers``, ``presets`` or ``datasets``.

    Returns:
        A table for rich to print.
    """
    return {
        "problems": _problems,
        "aggregators": _aggregators,
        "solvers": _solvers,
        "presets": _presets,
        "datasets": _datasets,
    }[kind]()


def _problems() -> Table:
    table = plain_table("problems", "name", "family", "m", "n", "domain", "distance in", "what it is")
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
        families = ", ".join(dict.fromkeys(v.family for v in variants))
        table.add_row(name, families, *facts, what)
    return table


def _aggregators() -> Table:
    table = plain_table("aggregators", "name", "keywords", "what it is")
    for name in sorted(aggregators.__all__):
        kind = getattr(aggregators, name)
        table.add_row(name, _keywords(kind), _first_sentence(inspect.getmodule(kind)))
    for name, load in announced_aggregators().items():
        kind = load()
        table.add_row(name, _keywords(kind) if inspect.isclass(kind) else "", _first_sentence(kind))
    return table


def _keywords(kind: Callable[..., object]) -> str:
    parameters = inspect.signature(kind).parameters.values()
    return ", ".join(str(p.replace(annotation=p.empty)) for p in parameters)


def _solvers() -> Table:
    table = plain_table("solvers of the dual cone", "name", "from")
    for name in available_solvers():
        table.add_row(name, "jdbench" if name in {"active-set", "batched"} else "qpsolvers")
    return table


def _presets() -> Table:
    table = plain_table(
        "presets: analytic, training, large training", "name", "rates", "seeds", "steps, epochs", "refined"
    )
    for p in protocol.PRESETS.values():
        budgets = (p.analytic, p.training, p.large)
        table.add_row(
            p.preset,
            ", ".join(str(len(budget.rates)) for budget in budgets),
            ", ".join(str(budget.seeds) for budget in budgets),
            ", ".join(str(budget.length) for budget in budgets),
            str(p.refined),
        )
    return table


def _datasets() -> Table:
    table = plain_table("data sets", "name", "what it is", "images here", "shape", "where", "use", "source")
    for d in DATASETS.values():
        where = locate(d.name) or f"nowhere yet: jdbench data prepare {d.name}"
        here = f"{image_count(d.name) or 0} of {d.count}"
        table.add_row(d.name, d.title, here, str(d.shape), str(where), d.licence, d.source)
    table.add_row(
        DIGITS, "handwritten digits", "1797 of 1797", "(8, 8, 1)", "scikit-learn", "CC BY 4.0", "UCI 1998"
    )
    return table


def plain_table(title: str, *columns: str) -> Table:
    """Return an empty table without lines, whose columns fold."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _first_sentence(thing: object) -> str:
    text = " ".join((inspect.getdoc(thing) or "").partition("\n\n")[0].split())
    return text.partition(": ")[2].partition(" ([JD]")[0] if ": " in text[:20] else text.partition(" ([JD]")[0]


def _distinct(sizes: list[int]) -> str:
    return ",".join(str(size) for size in sorted(set(sizes)))


def _essence(kind: type) -> str:
    """Return the first sentence of a docstring up to its first colon or citation."""
    text = " ".join((inspect.getdoc(kind) or "").split())
    return min((text.partition(end)[0] for end in (". ", ": ", " ([")), key=len).removesuffix(".")
