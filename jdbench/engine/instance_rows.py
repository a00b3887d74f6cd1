"""Per-instance gradients of separable losses, junction by junction, out of one backward pass a task."""

from collections import Counter, defaultdict
from typing import final

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Graph, Junction
from jdbench.engine.layout import Layout
from jdbench.engine.layout_search import CLEAR, underflow
from jdbench.engine.origin import Derived, pulled_back
from jdbench.engine.parts import OuterProducts, Part, Rows, Target
from jdbench.engine.passes import backward_pass
from jdbench.engine.rules import Rule, rule_of
from jdbench.engine.rules.generic import generic_parts


class UnknownLayoutError(Exception):
    """A gradient has arrived whose instances no earlier gradient has shown."""


def instance_parts(
    losses: Tensor, graph: Graph, trained: dict[Parameter, str], *, retain_graph: bool
) -> list[Part]:
    """Return the parts of the Jacobian of separable losses, B or B·T rows, no two parts of the same parameter.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``.
        graph: The junctions that they depend on, with their layouts.
        trained: The trained parameters of the model.
        retain_graph: Whether the graph can be used again; it is kept all the same where that is needed.

    Raises:
        UnknownLayoutError: A layout is missing; the graph can be used again.
    """
    collected = _Collected(losses, graph)
    for task in range(collected.tasks):
        seed = torch.ones_like(losses)
        if collected.tasks > 1:
            seed.zero_()[:, task] = 1.0
        collected.task = task
        backward_pass(
            graph, losses, seed, collected.receive, retain_graph=retain_graph or collected.needs_graph
        )
    parts = merged(collected.finished())
    derived = any(isinstance(p, Derived) for part in parts for p in part.parameters)
    return merged(pulled_back(parts, trained)) if derived else parts


@final
class _Collected:
    """Gradients of outputs on their way to parts: at once where possible, so that they need not be kept."""

    def __init__(self, losses: Tensor, graph: Graph) -> None:
        self.tasks, self.task = losses[:1].numel(), 0
        self._parts: list[Part] = []
        self._waiting: dict[Junction, dict[int, list[Tensor | None]]] = {}
        self._rules: dict[Junction, Rule | None] = {}
        for junction in graph.junctions:
            unknown = None in junction.layouts.values()
            self._rules[junction] = None if unknown else rule_of(junction)
        self.needs_graph = self.tasks > 1 or None in self._rules.values()

    def receive(self, junction: Junction, deltas: dict[int, Tensor]) -> None:
        arranged: dict[int, Tensor] = {}
        for number, delta in deltas.items():
            layout = junction.layouts.get(number)
            if layout is None and bool(delta.any()):
                layout = junction.layouts[number] = self._likely(junction, number, delta)
            if layout is not None:
                arranged[number] = layout.arranged(delta)
        if not arranged:
            return
        rule = self._rules[junction]
        if self.tasks == 1 and rule is not None:
            self._parts += rule.parts(Arrival(junction, arranged, 1))
        else:
            outputs = self._waiting.setdefault(junction, {})
            for number, delta in arranged.items():
                outputs.setdefault(number, [None] * self.tasks)[self.task] = delta

    def _likely(self, junction: Junction, number: int, delta: Tensor) -> Layout:
        """Return the layout of others of the same signature for what vanishes all but entirely."""
        layout = junction.likely.get(number)
        least = 0.0 if delta.dtype == torch.float16 else CLEAR * underflow(delta.dtype)
        if layout is None or bool((delta.abs() > least).any()):
            raise UnknownLayoutError
        return layout

    def finished(self) -> list[Part]:
        for junction, outputs in self._waiting.items():
            rule = self._rules[junction]
            arrival = Arrival(junction, {n: _by_instance(d) for n, d in outputs.items()}, self.tasks)
            self._parts += generic_parts(arrival) if rule is None else rule.parts(arrival)
        return self._parts


def _by_instance(deltas: list[Tensor | None]) -> Tensor:
    """Interleave the gradients of T tasks along the axis of instances: (0, 0), (0, 1) and so on."""
    if len(deltas) == 1 and deltas[0] is not None:
        return deltas[0]
    like = next(d for d in deltas if d is not None)
    return torch.stack([torch.zeros_like(like) if d is None else d for d in deltas], 1).flatten(0, 1)


def merged(parts: list[Part]) -> list[Part]:
    """Return parts of which no two share a parameter: the Gramian of a sum needs its cross terms.

    Parameters may come in any number of parts, such as those of a layer that is used twice.
    """
    parts = _factors_joined(parts)
    owned = [p for part in parts for p in part.parameters]
    shared: set[Target] = set()
    if len(set(owned)) < len(owned):
        shared = {p for p, count in Counter(owned).items() if count > 1}
    apart: list[Part] = []
    rows: dict[Target, Tensor] = {}
    for part in parts:
        if type(part) is Rows or not shared.isdisjoint(part.parameters):
            for p, r in zip(part.parameters, part.rows(), strict=True):
                rows[p] = rows[p] + r if p in rows else r
        else:
            apart.append(part)
    return [*apart, Rows(rows)] if rows else apart


def _factors_joined(parts: list[Part]) -> list[Part]:
    alike: defaultdict[tuple[Target | None, Target | None], list[OuterProducts]] = defaultdict(list)
    others: list[Part] = []
    for part in parts:
        if type(part) is OuterProducts:  # final, and tests of abstract classes are slow
            alike[part.weight, part.bias].append(part)
        else:
            others.append(part)
    return [*(OuterProducts.joined(same) if len(same) > 1 else same[0] for same in alike.values()), *others]
