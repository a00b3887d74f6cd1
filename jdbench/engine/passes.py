"""Backward passes: through a part of a graph, and through all of it with the gradients of every junction."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from jdbench.engine.graph import Graph, Junction
from jdbench.errors import InputError

LOST = ("through the graph a second time", "modified by an inplace operation")
"""What torch says where a graph does not hold any more what its derivatives need."""


def vjp(
    outputs: Tensor | Sequence[GradientEdge],
    inputs: Sequence[Tensor] | Sequence[GradientEdge],
    seeds: Tensor | Sequence[Tensor],
    *,
    retain_graph: bool,
    batched: bool = False,
) -> tuple[Tensor | None, ...]:
    """Return Σ seedᵀ ∂output/∂input for every input, None where no output depends on it.

    Args:
        outputs: What is differentiated.
        inputs: With respect to what.
        seeds: Of the shapes of the outputs, with one more axis in front if batched.
        retain_graph: Whether the graph can be used again.
        batched: Whether to go through the graph once with many seeds, where all its operations allow that.

    Raises:
        InputError: The graph was freed or changed in place, or parts of it are computed again
            (`torch.utils.checkpoint`) and cannot be here.
    """
    try:
        found = torch.autograd.grad(  # pyright: ignore[reportCallIssue]
            outputs,  # pyright: ignore[reportArgumentType]
            inputs,  # pyright: ignore[reportArgumentType]
            seeds,
            retain_graph=retain_graph,
            allow_unused=True,
            is_grads_batched=batched,
        )
    except RuntimeError as error:
        if any(lost in str(error) for lost in LOST):
            raise _impassable(error) from error
        if "torch.utils.checkpoint" not in str(error):
            raise
        raise InputError(
            "losses, required a graph that keeps what its derivatives need, got parts that are computed again: "
            f"{str(error).splitlines()[0]} Leave torch.utils.checkpoint out, or pass separable=False with "
            "use_reentrant=False"
        ) from error
    return cast("tuple[Tensor | None, ...]", found)


def _impassable(error: RuntimeError) -> InputError:
    return InputError(
        "losses, required a graph that torch.autograd.grad can go through, got one where it fails: "
        f"{str(error).splitlines()[0]}"
    )


Receiver = Callable[[Junction, "dict[int, Tensor]"], None]
"""Takes a junction and the gradients of its outputs, by their numbers."""


def backward_pass(graph: Graph, losses: Tensor, seed: Tensor, receive: Receiver, *, retain_graph: bool) -> None:
    """Run one backward pass, handing on the gradients of every junction's outputs as soon as they are known.

    No gradient of a parameter is computed: the pass ends at the lowest junctions.

    Args:
        graph: Of the losses, as `walk` found it.
        losses: What the pass begins at.
        seed: Gradient of what is differentiated with respect to the losses, of their shape.
        receive: Called once a junction that the losses depend on.
        retain_graph: Whether the graph can be used again.
    """
    ends = set(graph.ends)
    handles = [
        junction.node.register_prehook(_hand_on(junction, receive))
        for junction in graph.junctions
        if junction not in ends
    ]
    edges = [GradientEdge(end.node, number) for end in graph.ends for number in sorted(end.used)]
    try:
        arrived = iter(vjp(losses, edges, seed, retain_graph=retain_graph) if edges else ())
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise _impassable(error) from error
    finally:
        for handle in handles:
            handle.remove()
    for end in graph.ends:
        grads = {number: next(arrived) for number in sorted(end.used)}
        if found := {number: grad for number, grad in grads.items() if grad is not None}:
            receive(end, found)


def _hand_on(junction: Junction, receive: Receiver) -> Callable[[tuple[Tensor | None, ...]], None]:
    def hook(grads: tuple[Tensor | None, ...]) -> None:
        if found := {number: grad for number, grad in enumerate(grads) if grad is not None}:
            receive(junction, found)

    return hook
