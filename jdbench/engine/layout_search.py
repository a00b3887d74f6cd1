"""Where instances lie, read off the gradients themselves.

Backward passes with seeds c and w∘c, for a w that differs from instance to instance: an entry of a gradient
that loss i alone depends on is multiplied by wᵢ. The w are powers of two with signs, so that every operation
that treats instances apart rounds both passes alike. Per axis of every junction's output, gradients are
projected onto a random vector along the other axes; the layout under which one projection is w times the other
is that of the output. If there is none, more passes spell the numbers of the instances in digits, and so show
the instance of every place. If there is none either, the operation follows from parameters alone, or else
instances mix.
"""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.engine.graph import Graph, Junction, walk
from jdbench.engine.known_graphs import KnownGraphs, foreign
from jdbench.engine.layout import Gathered, Layout, Regular, regular_layouts
from jdbench.engine.passes import backward_pass
from jdbench.errors import InputError

ROOM = 32
"""Roundings of the gradient's dtype by which two projections may differ, in their standard deviations."""

CLEAR = 64
"""How many times the error by underflow a gradient has to be, to be used."""

DIGITS = [sign * 2.0**e for e in range(-3, 4) for sign in (1, -1)]
"""The digits that distinguish instances: powers of two with signs, which no operation rounds."""

PRODUCTS = {"AddmmBackward0", "MmBackward0", "BmmBackward0", "BaddbmmBackward0", "ConvolutionBackward0"}
"""Operations that, if they take a tensor whose first axis counts as many as there are instances, take data."""


def find_layouts(losses: Tensor, trained: dict[Parameter, str], known: KnownGraphs) -> Graph:
    """Return the junctions of losses with their layouts, two backward passes at least; the graph is kept.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``.
        trained: The trained parameters of the model, with their names.
        known: What is known of the model's graphs, which is added to.

    Returns:
        The junctions. Layouts are None where all gradients are zero.

    Raises:
        InputError: The instances mix, or do not lie along an axis, where a parameter enters.
    """
    while True:
        graph = walk(losses, known.model, trained, known.is_constant(len(losses)), known.signatures)
        refuted = _without_layout(graph, losses, known)
        if not refuted:
            return graph
        turned = [j for j in refuted if j.candidate and not _takes_data(j, len(losses), known)]
        if not turned:
            raise InputError(_mixed(refuted[0], len(losses), known))
        for junction in turned:
            known.constant[junction.signature] = True


def distinct_weights(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return random powers of two from 1/8 to 8 with signs, each about as often, float64, on the CPU."""
    digits = torch.tensor(DIGITS, dtype=torch.float64)
    count = shape.numel()
    order = torch.randperm(len(DIGITS), generator=generator).repeat(-(-count // len(DIGITS)))[:count]
    return digits[order[torch.randperm(count, generator=generator)]].view(shape)


def underflow(dtype: torch.dtype) -> float:
    """Return below which a gradient counts as zero: some of the least numbers that are computed with reliably.

    Those of float16 are subnormal; those of wider dtypes normal, as products may take subnormal ones for zero.
    """
    of = torch.finfo(dtype)
    least = of.smallest_normal * (of.eps if dtype == torch.float16 else 1.0)
    return ROOM * max(DIGITS) * least


@final
@dataclass
class _Projection:
    """A gradient, projected onto a random vector along all axes but one, and the size of such a projection."""

    along: list[Tensor]
    size: list[Tensor]
    dtype: torch.dtype
    entries: int

    def zero(self) -> bool:
        """Return whether all entries are zero, or next to underflow, where too few digits are left."""
        least = CLEAR * underflow(self.dtype) * self.entries**0.5
        return all(bool((size <= least).all()) for size in self.size)

    def finite(self) -> bool:
        return all(bool(size.isfinite().all()) for size in self.size)

    def fits(self, other: "_Projection", axis: int, factor: Tensor) -> Tensor:
        """Return where along an axis the other projection is this one times a factor, which is broadcast."""
        difference = (other.along[axis].unsqueeze(-1) - factor * self.along[axis].unsqueeze(-1)).abs()
        # Besides relative roundings, those of numbers next to underflow.
        eps, least = torch.finfo(self.dtype).eps, underflow(self.dtype) * self.entries**0.5
        room = ROOM * eps * factor.abs() * self.size[axis].unsqueeze(-1) + least
        # NaN and infinity refute nothing.
        return (difference <= room) | ~difference.isfinite()


_Projections = dict[Junction, dict[int, _Projection]]


def _projection(delta: Tensor) -> _Projection:
    found = _Projection([], [], delta.dtype, delta.numel())
    for axis in range(max(1, delta.ndim)):  # a number stands for an axis of one place
        flat = delta.movedim(axis, 0).flatten(1) if delta.ndim > 1 else delta.reshape(-1, 1)
        flat = flat.to(torch.float64)
        drawn = torch.randn(flat.shape[1], generator=torch.Generator().manual_seed(axis), dtype=torch.float64)
        found.along.append(flat @ drawn.to(flat))
        found.size.append(torch.linalg.vector_norm(flat, dim=1))
    return found


def _projections(graph: Graph, losses: Tensor, c: Tensor, w: Tensor) -> _Projections:
    """Return the projections of all junctions' gradients in a pass with the seed w∘c."""
    found: _Projections = {}

    def receive(junction: Junction, deltas: dict[int, Tensor]) -> None:
        found[junction] = {number: _projection(delta) for number, delta in deltas.items()}

    seed = c * w.to(losses).view(-1, *[1] * (losses.ndim - 1))
    backward_pass(graph, losses, seed.contiguous(), receive, retain_graph=True)
    return found


def _without_layout(graph: Graph, losses: Tensor, known: KnownGraphs) -> list[Junction]:
    """Set the layouts of all junctions and return those that have none."""
    generator = known.generator
    one_task = losses[:1].numel() == 1  # then the first pass is what the rows come from
    c = torch.ones_like(losses[:1]) if one_task else distinct_weights(losses[:1].shape, generator).to(losses)
    w = distinct_weights(losses.shape[:1], generator)
    before = _projections(graph, losses, c, torch.ones_like(w))
    after = _projections(graph, losses, c, w)
    irregular: list[Junction] = []
    undecided: list[tuple[Junction, int]] = []
    ambiguous: set[tuple[Junction, int]] = set()
    found: dict[tuple[Junction, int], Regular | None] = {}
    for junction in graph.junctions:
        for number in junction.used:
            one, other = before.get(junction, {}).get(number), after.get(junction, {}).get(number)
            junction.layouts[number] = found[junction, number] = None
            # Gradients that cancel in one pass show what mixes in the other.
            if one is None or other is None or (one.zero() and other.zero()):
                continue
            fitting = [
                layout
                for layout in regular_layouts(junction.shapes[number], len(losses))
                if _is_laid_out(one, other, layout, w)
            ]
            if len(fitting) == 1:
                found[junction, number] = junction.layouts[number] = fitting[0]
            elif fitting and not one.finite():  # diverged: another pass shows no more
                junction.layouts[number] = fitting[0]
            else:
                undecided.append((junction, number))
                if fitting or not one.finite():  # row by row, if digits do not show it either
                    ambiguous.add((junction, number))
                if not fitting:
                    irregular.append(junction)
    known.learn(graph, len(losses), found, irregular)
    if not undecided:
        return []
    refuted = _gathered(graph, losses, undecided, before, c, generator)
    return [junction for junction, number in refuted if (junction, number) not in ambiguous]


def _is_laid_out(one: _Projection, other: _Projection, layout: Layout, w: Tensor) -> bool:
    along = one.along[layout.axis]
    factor = w.to(along)[layout.labels(along.device)].unsqueeze(-1)
    return bool(one.fits(other, layout.axis, factor).all())


def _gathered(
    graph: Graph, losses: Tensor, undecided: list[tuple[Junction, int]], before: _Projections, c: Tensor,
    generator: torch.Generator,
) -> list[tuple[Junction, int]]:  # fmt: skip
    """Set the layouts that two passes leave open, place by place, and return where there is none."""
    instances, base = len(losses), len(DIGITS)
    shuffled = torch.randperm(instances, generator=generator)
    codes: list[Tensor] = []
    # One digit more than needed: what mixes two instances would pass for a third one otherwise.
    for digit in range(1 + math.ceil(math.log(instances, base))):
        order = torch.randperm(base, generator=generator)
        codes.append(torch.tensor(DIGITS, dtype=torch.float64)[order[shuffled // base**digit % base]])
    passes = [_projections(graph, losses, c, code) for code in codes]
    refuted: list[tuple[Junction, int]] = []
    for junction, number in undecided:
        one, others = before[junction][number], [found[junction][number] for found in passes]
        junction.layouts[number] = _by_place(one, others, codes)
        if junction.layouts[number] is None:
            refuted.append((junction, number))
    return refuted


def _by_place(one: _Projection, others: list[_Projection], codes: list[Tensor]) -> Gathered | None:
    for axis, along in enumerate(one.along):
        possible = torch.stack([
            one.fits(o, axis, code.to(along)) for o, code in zip(others, codes, strict=True)
        ])
        possible = possible.all(0)
        empty = torch.stack([p.size[axis] == 0 for p in (one, *others)]).all(0)
        if bool(((possible.sum(1) == 1) | empty).all()):
            return Gathered(axis, len(codes[0]), possible.to(torch.uint8).argmax(1))
    return None


def _takes_data(junction: Junction, instances: int, known: KnownGraphs) -> bool:
    arguments = foreign(junction.node, instances, known.model)
    return junction.node.name() in PRODUCTS and any(t.ndim > 1 and t.shape[0] == instances for t in arguments)


def _mixed(junction: Junction, instances: int, known: KnownGraphs) -> str:
    name = known.signatures.names(junction.signature)[0]
    got = " and ".join(str(shape) for shape in junction.shapes)
    narrow = torch.float16 in junction.dtypes
    small = " or, if gradients underflow in float16, scale the losses," if narrow else ""
    return (
        f"module={name.rpartition('.')[0]!r}, required losses that depend on one instance each, got a gradient "
        f"of shape {got} that does not come apart into those of {instances} instances where {name!r} is used "
        f"({junction.node.name()}), find what mixes them (a batch normalization that trains? call its eval(); "
        f"if what is multiplied there counts something else, register it as a buffer),{small} or pass "
        "separable=False"
    )
