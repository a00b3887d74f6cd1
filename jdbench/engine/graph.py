"""Where the parameters of a model enter the graph of its losses.

The autograd graph holds what was computed, whatever modules, hooks, containers and states were at work: so it
is read, and no module is called again. Some of its nodes follow from parameters alone: a transposed weight, a
normalised one, a logit scale's exponential. A *junction* is a node where such a thing meets the data. The
gradient of a junction's output comes apart into instances, that of the parameter below it does not; all per-
instance gradients follow from there.
"""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn import Parameter

from jdbench.engine.layout import Layout
from jdbench.engine.structure import (
    PIECES,
    UNBINDING,
    Grouping,
    Shape,
    axes,
    groupings,
    is_plain,
    metadata,
    pieces,
    routes,
    shapes_of,
)

Signature = int
"""What identifies a node from step to step: operation, parameters below, axes that count instances, dtypes."""


@final
class Signatures:
    """Numbers for what identifies nodes, so that what is built of many nodes is compared at once."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, Signature] = {}
        self._below: list[str | list[Signature]] = []

    def of_parameter(self, name: str) -> Signature:
        """Return the number of a parameter."""
        return self._number(name, name)

    def of_node(self, facts: Hashable, below: list[Signature]) -> Signature:
        """Return the number of a node, by what is known of it and by the numbers of the nodes below it."""
        return self._number((facts, *below), below)

    def _number(self, key: Hashable, below: str | list[Signature]) -> Signature:
        number = self._numbers.setdefault(key, len(self._below))
        if number == len(self._below):
            self._below.append(below)
        return number

    def names(self, signature: Signature) -> list[str]:
        """Return the names of the parameters that a node follows from."""
        found: dict[str, None] = {}
        seen, pending = {signature}, [signature]
        while pending:
            below = self._below[pending.pop()]
            if isinstance(below, str):
                found[below] = None
            else:
                pending += [number for number in reversed(below) if number not in seen]
                seen.update(below)
        return list(found)


FEW = 3
"""Arguments of an operation whose order counts: beyond, as of a stack of steps, what they are does."""

IRRELEVANT, CONSTANT, CROSSED = range(3)
"""A node with no trained parameter below it; one that follows from parameters alone; any other."""


class Input(NamedTuple):
    """An input of a junction that follows from parameters alone: an output of the node below it."""

    number: int
    below: Node
    output_nr: int


@final
@dataclass(eq=False)
class Junction:
    """A node at which parameters enter.

    Attributes:
        node: The node.
        inputs: Its inputs that follow from parameters alone.
        signature: What identifies it from step to step.
        shapes: Of its outputs.
        dtypes: Of its outputs.
        candidate: Whether it takes nothing differentiable but what follows from parameters alone.
        used: The numbers of the outputs that something was computed from.
        layouts: Which instance an entry of an output belongs to, by the number of the output; None where that
            is not known.
        likely: Layouts of others of the same signature, where its own is not known.
    """

    node: Node
    inputs: list[Input]
    signature: Signature
    shapes: list[Shape]
    dtypes: tuple[torch.dtype, ...]
    candidate: bool
    used: set[int] = field(default_factory=set[int])
    layouts: dict[int, Layout | None] = field(default_factory=dict[int, Layout | None])
    likely: dict[int, Layout] = field(default_factory=dict[int, Layout])


@final
@dataclass
class Graph:
    """What the graph of some losses holds.

    Attributes:
        junctions: Where parameters enter, those nearer to the parameters first.
        ends: Junctions with no other one below them, where a backward pass has to arrive.
        routes: Places along axes that count instances that data were picked from or put to, in order.
        groupings: Axes that were put together from instances and others.
        structure: What identifies a kind of graph, whatever the sizes: junctions, and of every node
            the operation, those below it, which axes count instances, and along which it works; training flags.
    """

    junctions: list[Junction]
    ends: list[Junction]
    routes: list[Tensor]
    groupings: set[Grouping]
    structure: Hashable


IsConstant = Callable[[Node, list[Input], Signature, list[Shape]], bool]
"""Says whether a node that takes nothing differentiable but what follows from parameters alone does so too."""


def nodes(losses: Tensor) -> Iterator[tuple[Node, tuple[tuple[Node | None, int], ...]]]:
    """Yield the nodes of the graph of losses with what each is computed from, each after all of that."""
    entered: set[Node] = set()
    pending: list[Node | None] = [_node(losses)]
    path: list[tuple[Node, tuple[tuple[Node | None, int], ...]]] = []
    while pending:
        node = pending.pop()
        if node is None:  # all below it has been yielded
            yield path.pop()
        elif node not in entered:
            entered.add(node)
            below = node.next_functions
            path.append((node, below))
            pending.append(None)
            pending.extend([child for child, _ in below if child is not None and child not in entered])


def walk(
    losses: Tensor, model: nn.Module, trained: dict[Parameter, str], is_constant: IsConstant, known: Signatures
) -> Graph:
    """Return the junctions that losses depend on.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``, with a graph.
        model: Whose training flags are part of the structure.
        trained: Its trained parameters, with their names.
        is_constant: Whether a node follows from parameters alone.
        known: The signatures met so far, which are added to.
    """
    instances, top = losses.shape[0], _node(losses)
    kinds: dict[Node, int] = {}
    signatures: dict[Node, Signature] = {}
    junctions: dict[Node, Junction] = {}
    ends: list[Junction] = []
    facts: set[Hashable] = set()
    operations: dict[Node, str] = {}
    places: list[tuple[set[int], Tensor]] = []
    grouped: set[Grouping] = set()
    unbound: set[Node] = set()
    one_by_one: list[int] = []
    for node, below in nodes(losses):
        if not below:
            name = trained.get(leaf_of(node))  # pyright: ignore[reportArgumentType]
            kinds[node] = IRRELEVANT if name is None else CONSTANT
            if name is not None:
                signatures[node] = known.of_parameter(name)
            continue
        kind = IRRELEVANT
        inputs: list[Input] = []
        for number, (child, output_nr) in enumerate(below):
            if child is None:
                continue
            below_it = kinds[child]
            if below_it == CONSTANT:
                inputs.append(Input(number, child, output_nr))
            elif below_it > kind:
                kind = below_it
            if below_it == CROSSED and child in junctions:
                junctions[child].used.add(output_nr)
            if unbound and child in unbound:
                one_by_one.append(output_nr)
        if kind == IRRELEVANT and not inputs:
            kinds[node] = IRRELEVANT
            continue
        operation, outputs = node.name(), metadata(node)
        shapes = shapes_of(outputs)
        along = tuple([tuple([size == instances or -(size == 1) for size in shape]) for shape in shapes])
        plain = is_plain(node, operation)
        if kind == CROSSED and not plain:
            places += routes(node, shapes)
            grouped.update(groupings(node, operation, below, shapes, instances))
            if len(outputs) == instances and (operation in PIECES or operation in UNBINDING):
                unbound.add(node)
        ways = tuple([operations.get(child) for child, _ in below])  # pyright: ignore[reportArgumentType]
        if plain:
            facts.add((operation, along, ways))
        else:
            cut = pieces(node, operation, instances) if kind == CROSSED and operation in PIECES else ()
            # As sets: the steps that are unbound from a sequence, or stacked, may be many.
            facts.add((
                operation, frozenset(along), frozenset(ways) if len(ways) > FEW else ways, axes(node), cut
            ))  # fmt: skip
        operations[node] = operation
        if not inputs:
            kinds[node] = kind
            continue
        dtypes = tuple([m.dtype for m in outputs])
        entered = tuple([(i.number, i.output_nr) for i in inputs])
        signature = known.of_node((operation, entered, along, dtypes), [signatures[i.below] for i in inputs])
        candidate = kind == IRRELEVANT and node is not top
        if candidate and is_constant(node, inputs, signature, shapes):
            kinds[node], signatures[node] = CONSTANT, signature
            continue
        junctions[node] = junction = Junction(node, inputs, signature, shapes, dtypes, candidate)
        if kind != CROSSED:
            ends.append(junction)
        kinds[node] = CROSSED
    edge = torch.autograd.graph.get_gradient_edge(losses)
    if edge.node in junctions:
        junctions[edge.node].used.add(edge.output_nr)
    training = tuple([module.training for module in model.modules()])
    signed = frozenset([junction.signature for junction in junctions.values()])
    structure = (signed, frozenset(facts), training, losses.ndim)
    counting = {instances, *(size for size, _, _ in grouped)}
    picked = [place for sizes, place in places if not counting.isdisjoint(sizes)]
    if one_by_one:
        picked.append(torch.tensor(one_by_one, dtype=torch.int64))
    return Graph(list(junctions.values()), ends, picked, grouped, structure)


def leaf_of(node: Node) -> Tensor | None:
    """Return the parameter or other leaf that a node at the end of the graph stands for."""
    return None if node.next_functions else getattr(node, "variable", None)


def _node(losses: Tensor) -> Node:
    return torch.autograd.graph.get_gradient_edge(losses).node
