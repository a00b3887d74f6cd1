"""The calls that losses depend on, found in the graph of the losses, and the gradients of their outputs.

A forward hook tags the autograd node of a module's output with the `Call`. From the losses, the walk visits the
nodes between the calls and steps over the calls themselves. The tags live as long as the graph, so that forward
passes that are never differentiated leave nothing behind.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, cast, final

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node
from torch.utils import _pytree as pytree  # pyright: ignore[reportPrivateUsage]

from jdbench.gramian.call import Call
from jdbench.gramian.vjp import vjp

Receiver = Callable[[Call, int, Tensor], None]
"""Takes a call, the number of one of its outputs, and the gradient of the losses with respect to it."""


def tag(call: Call, output: Any, key: str) -> Any:
    """Note the call on the nodes of its differentiable outputs.

    An output that is a view gets an alias in its place: an operation in place on a view replaces its node.

    Args:
        call: The call.
        output: What the module returned.
        key: Under which `walk` looks for it.

    Returns:
        What to return instead.
    """
    if isinstance(output, Tensor):
        return _tagged(output, call, 0, key)
    leaves, spec = pytree.tree_flatten(output)
    tagged = [_tagged(y, call, number, key) if isinstance(y, Tensor) else y for number, y in enumerate(leaves)]
    changed = any(new is not old for new, old in zip(tagged, leaves, strict=True))
    return pytree.tree_unflatten(tagged, spec) if changed else output


def _tagged(y: Tensor, call: Call, number: int, key: str) -> Tensor:
    if y.grad_fn is None:
        return y
    if y._is_view():
        y = torch.ops.aten._unsafe_view(y, y.shape) if y.is_contiguous() else y.clone()
    edge = torch.autograd.graph.get_gradient_edge(y)
    _metadata(edge.node).setdefault(key, {})[edge.output_nr] = (call, number)
    return y


@final
@dataclass
class Found:
    """What the graph of some losses holds.

    Attributes:
        outputs: The tagged outputs, with their calls and their numbers among the outputs of the call.
        ends: Where a backward pass that reaches every tagged output has to arrive.
        outside: Leaves that are used other than by a tagged call.
    """

    outputs: list[tuple[GradientEdge, Call, int]] = field(default_factory=list)
    ends: list[GradientEdge] = field(default_factory=list)
    outside: list[Tensor] = field(default_factory=list)


def walk(losses: Tensor, key: str) -> Found:
    """Return the calls that the losses depend on.

    Args:
        losses: Any tensor with a graph.
        key: Of the tags.

    Returns:
        The calls and how to reach them.
    """
    found = Found()
    start = torch.autograd.graph.get_gradient_edge(losses).node
    pending, seen = [start], {start}

    def visit(nodes: Iterable[Node | None]) -> None:
        for node in nodes:
            if node is not None and node not in seen:
                seen.add(node)
                pending.append(node)

    while pending:
        node = pending.pop()
        tags = _metadata(node).get(key)
        if tags:
            for output_nr, (call, number) in tags.items():
                edge = GradientEdge(node, output_nr)
                found.outputs.append((edge, call, number))
                if not call.above:
                    found.ends.append(edge)
                visit(call.above)
        elif isinstance(leaf := getattr(node, "variable", None), Tensor):
            found.outside.append(leaf)
        else:
            visit(next_node for next_node, _ in node.next_functions)
    found.ends += [torch.autograd.graph.get_gradient_edge(leaf) for leaf in found.outside]
    return found


def sweep(found: Found, losses: Tensor, seed: Tensor, receive: Receiver, *, retain_graph: bool) -> None:
    """Run one backward pass, handing on the gradient of every tagged output as soon as it is known.

    No gradient of a parameter is computed: the pass ends at the outputs of the first modules.

    Args:
        found: What `walk` found.
        losses: The losses.
        seed: Gradient of what is differentiated with respect to the losses, of their shape.
        receive: Called once an output that the losses depend on.
        retain_graph: Whether the graph can be used again.
    """
    ends = {edge[:2] for edge in found.ends}
    handles = [
        edge.node.register_prehook(_hand_on(edge, call, number, receive))
        for edge, call, number in found.outputs
        if edge[:2] not in ends
    ]
    try:
        grads = vjp(losses, found.ends, seed, retain_graph=retain_graph)
    finally:
        for handle in handles:
            handle.remove()
    arrived = {edge[:2]: grad for edge, grad in zip(found.ends, grads, strict=True) if grad is not None}
    for edge, call, number in found.outputs:
        if edge[:2] in arrived:
            receive(call, number, arrived[edge[:2]])


def _hand_on(edge: GradientEdge, call: Call, number: int, receive: Receiver) -> Callable[..., None]:
    def hook(grads: tuple[Tensor | None, ...]) -> None:
        grad = grads[edge.output_nr]
        if grad is not None:
            receive(call, number, grad)

    return hook


def _metadata(node: Node) -> dict[str, Any]:
    return cast("dict[str, Any]", node.metadata)  # a property, declared as a method
