"""Per-instance gradients of separable losses, layer by layer, out of one backward pass a task."""

from typing import final

import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.gramian.call import Call
from jdbench.gramian.generic import generic, no_instances, repeated
from jdbench.gramian.graph import Found, sweep
from jdbench.gramian.merge import merged
from jdbench.gramian.part import Part
from jdbench.gramian.units import Unit


def instance_parts(
    losses: Tensor, found: Found, units: dict[nn.Module, Unit], *, retain_graph: bool
) -> list[Part]:
    """Return the parts of the Jacobian of separable losses, no two of the same parameter.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``.
        found: The calls they depend on.
        units: The units of the model.
        retain_graph: Whether the graph can be used again.

    Returns:
        Parts with B or B·T rows.
    """
    collected = _Collected(losses, units)
    for task in range(collected.tasks):
        seed = torch.ones_like(losses)
        if collected.tasks > 1:
            seed.zero_()[:, task] = 1.0
        collected.task = task
        keep = retain_graph or task + 1 < collected.tasks
        sweep(found, losses, seed, collected.receive, retain_graph=keep)
    return merged(collected.finished())


@final
class _Collected:
    """Gradients of outputs on their way to parts: at once where possible, so that they need not be kept."""

    def __init__(self, losses: Tensor, units: dict[nn.Module, Unit]) -> None:
        self.instances, self.tasks, self.task = len(losses), losses[:1].numel(), 0
        self._units = units
        self._parts: list[Part] = []
        self._waiting: dict[Call, dict[int, list[Tensor | None]]] = {}

    def receive(self, call: Call, number: int, delta: Tensor) -> None:
        if self.tasks == 1 and self._units[call.module].rule is not None:
            self._parts.append(self._closed(call, delta))
        else:
            outputs = self._waiting.setdefault(call, {})
            outputs.setdefault(number, [None] * self.tasks)[self.task] = delta

    def finished(self) -> list[Part]:
        for call, outputs in self._waiting.items():
            unit = self._units[call.module]
            if unit.rule is not None:
                self._parts.append(self._closed(call, _by_instance(outputs[0], 0)))
            else:
                deltas = {n: _by_instance(d, unit.output_axis(n)) for n, d in outputs.items()}
                self._parts.append(generic(call, deltas, self.instances, self.tasks))
        return self._parts

    def _closed(self, call: Call, delta: Tensor) -> Part:
        x = call.x
        if delta.shape[0] != self.instances * self.tasks or x.shape[:1] != (self.instances,):
            raise InputError(no_instances(call.path, delta, self.instances, self.tasks))
        rule = self._units[call.module].rule
        assert rule is not None
        return rule(call, repeated(x, self.tasks), delta)


def _by_instance(deltas: list[Tensor | None], axis: int) -> Tensor:
    """Interleave the gradients of T tasks along the axis of instances: (0, 0), (0, 1) and so on."""
    if len(deltas) == 1 and deltas[0] is not None:
        return deltas[0]
    like = next(d for d in deltas if d is not None)
    stacked = torch.stack([torch.zeros_like(like) if d is None else d for d in deltas], axis + 1)
    return stacked.flatten(axis, axis + 1)
