"""Any operation: its own derivative, of one instance's gradient at a time, those of the others set to zero."""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch._vmap_internals import _vmap  # pyright: ignore[reportPrivateUsage]

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.origin import origin, stack_columns
from jdbench.engine.parts import Part, Rows, Target
from jdbench.engine.structure import metadata

AT_ONCE = 2**24
"""Entries of gradients, with zeros for the other instances, in memory at once."""


def generic_parts(arrival: Arrival) -> list[Part]:
    """Return the rows of all that enters at any junction; the graph has to be there still."""
    junction = arrival.junction
    m = len(next(iter(arrival.deltas.values())))
    width = sum(d[0].numel() for d in arrival.deltas.values()) * m // arrival.times
    step = max(1, AT_ONCE // max(1, width))
    chunks = [_chunk(arrival, torch.arange(low, min(low + step, m))) for low in range(0, m, step)]
    rows: dict[Target, Tensor] = {}
    for number, entering in enumerate(junction.inputs):
        found = [chunk[number] for chunk in chunks]
        if any(g is not None for g in found):
            target = origin(entering)
            whole = torch.cat([g for g in found if g is not None])  # of a node's, all are there or none
            rows[target] = rows[target] + whole if target in rows else whole
    return [Rows(rows)] if rows else []


def _chunk(arrival: Arrival, chosen: Tensor) -> list[Tensor | None]:
    derivative = _derivative(arrival.junction, sorted(arrival.deltas))
    seeds: list[Tensor] = []
    for number, delta in sorted(arrival.deltas.items()):
        layout = arrival.junction.layouts[number]
        assert layout is not None
        chosen = chosen.to(delta.device)
        alone = delta.new_zeros(len(chosen), layout.instances, *delta.shape[1:])
        alone[torch.arange(len(chosen), device=delta.device), chosen // arrival.times] = delta[chosen]
        seeds.append(layout.put_back(alone))
    try:
        # As torch.autograd.grad does it.
        return list(_vmap(derivative, 0, 0, allow_none_pass_through=True)(*seeds))
    except RuntimeError:  # an operation that cannot be batched
        return stack_columns([derivative(*(s[k] for s in seeds)) for k in range(len(chosen))])


def _derivative(junction: Junction, numbers: list[int]) -> Callable[..., tuple[Tensor | None, ...]]:
    """Return the node's own derivative, from gradients of some outputs to those of what enters.

    Not that of the graph below it, which may hold the same parameters again.
    """
    node, outputs = junction.node, metadata(junction.node)
    of_torch = callable(node)  # else a `torch.autograd.Function`, which gets no None
    apply = cast("Callable[..., Any]", node if of_torch else node.apply)  # pyright: ignore
    entering = [(i.number, metadata(i.below)[i.output_nr]) for i in junction.inputs]

    def derivative(*seeds: Tensor) -> tuple[Tensor | None, ...]:
        given = dict(zip(numbers, seeds, strict=True))
        for number, out in enumerate(outputs):
            if number not in given and not of_torch:
                given[number] = torch.zeros(out.shape, dtype=out.dtype, device=out.device)
        found = apply(*(given.get(number) for number in range(len(outputs))))
        grads = found if isinstance(found, tuple) else (found,)
        # A node leaves what was broadcast to autograd.
        return tuple(
            None if grads[n] is None else grads[n].sum_to_size(below.shape).to(below.dtype)
            for n, below in entering
        )

    return derivative
