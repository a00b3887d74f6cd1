"""Where instances lie, read off the gradients themselves.

Two backward passes, with seeds c and w∘c for a w that differs from instance to instance: an entry of a gradient
that loss i alone depends on is multiplied by wᵢ. The w are powers of two with signs, so that every operation that
treats instances apart rounds both passes alike. Per axis of every junction's output, both gradients are projected
onto random vectors along the other axes; the layout under which one projection is w times the other is that of
the output. If there is none, the operation follows from parameters alone, or else instances mix.
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.engine.graph import Graph, Junction, names_below, sweep, walk
from jdbench.engine.layout import Layout, layouts
from jdbench.engine.memory import Memory, foreign
from jdbench.engine.scale import working
from jdbench.errors import InputError

ROOM = 32
"""Roundings of the gradient's dtype by which the two projections may differ, in their standard deviations."""

PRODUCTS = {"AddmmBackward0", "MmBackward0", "BmmBackward0", "BaddbmmBackward0", "ConvolutionBackward0"}
"""Operations that, once they take data, are no function of parameters alone, whatever their gradients say."""


def separate(losses: Tensor, trained: dict[Parameter, str], memory: Memory) -> Graph:
    """Return the junctions of losses with their layouts, two backward passes at least.

    The graph is kept.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``.
        trained: The trained parameters of the model, with their names.
        memory: What is known, which is added to.

    Returns:
        The junctions. Layouts are None where all gradients are zero.

    Raises:
        InputError: The instances mix, or do not lie along an axis, where a parameter enters.
    """
    generator = torch.Generator().manual_seed(sum(memory.uses.values()))
    while True:
        graph = walk(losses, trained, memory.judge(len(losses)))
        refuted = _without_layout(graph, losses, memory, generator)
        if not refuted:
            return graph
        turned = [j for j in refuted if j.candidate and not _takes_data(j, len(losses), memory)]
        if not turned:
            raise InputError(_mixed(refuted[0], len(losses)))
        for junction in turned:
            memory.constant[junction.signature] = True


def weights_apart(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return random powers of two from 1/8 to 8 with random signs, float64, on the CPU."""
    exponents = torch.randint(-3, 4, shape, generator=generator)
    signs = 2 * torch.randint(0, 2, shape, generator=generator) - 1
    return torch.ldexp(signs.double(), exponents)


@final
@dataclass
class _Projection:
    """A gradient, projected onto a random vector along all axes but one, and the size of such a projection."""

    along: dict[int, Tensor]
    size: dict[int, Tensor]
    eps: float


def _projection(delta: Tensor, instances: int) -> _Projection:
    eps = torch.finfo(delta.dtype).eps
    delta = working(delta)
    found = _Projection({}, {}, eps)
    for axis, size in enumerate(delta.shape):
        if size % instances == 0 and size:
            flat = delta.movedim(axis, 0).reshape(size, -1)
            drawn = torch.randn(flat.shape[1], generator=torch.Generator().manual_seed(axis), dtype=torch.float64)
            found.along[axis] = flat @ drawn.to(flat)
            found.size[axis] = torch.linalg.vector_norm(flat, dim=1)
    return found


def _projections(graph: Graph, losses: Tensor, seed: Tensor) -> dict[Junction, dict[int, _Projection]]:
    found: dict[Junction, dict[int, _Projection]] = {}

    def receive(junction: Junction, deltas: dict[int, Tensor]) -> None:
        found[junction] = {number: _projection(delta, len(losses)) for number, delta in deltas.items()}

    sweep(graph, losses, seed, receive, retain_graph=True)
    return found


def _without_layout(graph: Graph, losses: Tensor, memory: Memory, generator: torch.Generator) -> list[Junction]:
    """Set the layouts of all junctions and return those that have none."""
    instances = len(losses)
    one_task = losses[:1].numel() == 1  # then the first pass is what the rows come from
    c = torch.ones_like(losses[:1]) if one_task else weights_apart(losses[:1].shape, generator).to(losses)
    w = weights_apart(losses.shape[:1], generator)
    seed = c.expand_as(losses).contiguous()
    before = _projections(graph, losses, seed)
    after = _projections(graph, losses, seed * w.to(losses).view(-1, *[1] * (losses.ndim - 1)))
    refuted: list[Junction] = []
    for junction in graph.junctions:
        for number in junction.used:
            one = before.get(junction, {}).get(number)
            other = after.get(junction, {}).get(number)
            if one is None or other is None:
                told, chosen = None, None
            else:
                fitting = [
                    layout for layout in layouts(junction.shapes[number], instances) if _fits(one, other, layout, w)
                ]
                if not fitting:
                    refuted.append(junction)
                    break
                chosen = fitting[0] if any(bool(s.any()) for s in one.size.values()) else None
                told = chosen if len(fitting) == 1 else None
            junction.layouts[number] = chosen
            memory.learn(junction, number, told)
    return refuted


def _fits(one: _Projection, other: _Projection, layout: Layout, w: Tensor) -> bool:
    before, after, size = one.along[layout.axis], other.along[layout.axis], one.size[layout.axis]
    factor = w.to(before)[layout.labels(before.device)]
    room = ROOM * one.eps * factor.abs() * size
    difference = (after - factor * before).abs()
    # What is no number tells nothing.
    return bool(((difference <= room) | ~difference.isfinite()).all())


def _takes_data(junction: Junction, instances: int, memory: Memory) -> bool:
    arguments = foreign(junction.node, instances, memory.model)
    return junction.node.name() in PRODUCTS and any(t.ndim > 1 for t in arguments)


def _mixed(junction: Junction, instances: int) -> str:
    name = names_below(junction.signature)[0]
    got = " and ".join(str(shape) for shape in junction.shapes)
    return (
        f"module={name.rpartition('.')[0]!r}, required instances that stay apart, each in places of its own along "
        f"one axis, got a gradient of shape {got} that does not come apart into those of {instances} instances "
        f"where {name!r} is used ({junction.node.name()}), find what mixes them (a batch normalization that trains? "
        "call its eval()), or pass separable=False"
    )
