"""Any operation: its own derivative, applied to the gradient of one instance at a time, all others set to zero."""

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import vjp
from jdbench.engine.origin import Derived, origin
from jdbench.engine.part import Part, Target
from jdbench.engine.rows import Rows

AT_ONCE = 2**24
"""Entries of gradients, with zeros for the other instances, in memory at once."""


def any_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of all that enters at a junction; the graph has to be there still.

    Args:
        arrival: At any junction.

    Returns:
        Their rows.
    """
    junction = arrival.junction
    m = len(next(iter(arrival.deltas.values())))
    edges = [GradientEdge(junction.node, number) for number in arrival.deltas]
    below = [GradientEdge(i.below, i.output_nr) for i in junction.inputs]
    width = sum(d[0].numel() for d in arrival.deltas.values()) * m // arrival.times
    step = max(1, AT_ONCE // max(1, width))
    chunks = [
        _chunk(arrival, edges, below, torch.arange(low, min(low + step, m))) for low in range(0, m, step)
    ]
    rows: dict[Target, Tensor] = {}
    for number, entering in enumerate(junction.inputs):
        found = [chunk[number] for chunk in chunks]
        if any(g is not None for g in found):
            target = origin(entering)
            if not isinstance(target, Derived) and below[number].node.name() == "ToCopyBackward0":
                target = Derived(entering.below, entering.output_nr)
            whole = torch.cat([
                g if g is not None else torch.zeros(len(c), *target.shape) for g, c in zip(found, found, strict=True)
            ])  # fmt: skip
            rows[target] = rows[target] + whole if target in rows else whole
    return [Rows(rows)] if rows else []


def _chunk(
    arrival: Arrival, edges: list[GradientEdge], below: list[GradientEdge], chosen: Tensor
) -> list[Tensor | None]:
    seeds: list[Tensor] = []
    for number, delta in arrival.deltas.items():
        layout = arrival.junction.layouts[number]
        assert layout is not None
        chosen = chosen.to(delta.device)
        alone = delta.new_zeros(len(chosen), layout.instances, *delta.shape[1:])
        alone[torch.arange(len(chosen), device=delta.device), chosen // arrival.times] = delta[chosen]
        seeds.append(layout.put_back(alone))
    try:
        return list(vjp(edges, below, seeds, retain_graph=True, batched=True))
    except RuntimeError:  # an operation that cannot be batched
        each = [vjp(edges, below, [s[k] for s in seeds], retain_graph=True) for k in range(len(chosen))]
        found: list[Tensor | None] = []
        for column in zip(*each, strict=True):
            some = next((g for g in column if g is not None), None)
            found.append(
                None
                if some is None
                else torch.stack([torch.zeros_like(some) if g is None else g for g in column])
            )
        return found
