"""Sums and products with a parameter, and copies of one: class tokens, positions, scales, temperatures.

The gradient of what is broadcast is summed over the axes along which it was.
"""

import math

from torch import Tensor

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.layout import Regular
from jdbench.engine.origin import origin
from jdbench.engine.parts import Part, Rows, Target
from jdbench.engine.products import working


def broadcasts(junction: Junction) -> bool:
    """Return whether what enters is the same for all instances: broadcast along their axis."""
    layout = junction.layouts[0]
    if layout is None or set(junction.used) != {0}:
        return False
    if not junction.shapes[0]:
        return True
    behind = len(junction.shapes[0]) - layout.axis
    return all(len(s) < behind or s[-behind] == 1 for s in (tuple(origin(i).shape) for i in junction.inputs))


def sum_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of a + αb, or of a - αb."""
    sign = -1 if arrival.junction.node.name().startswith("Sub") else 1
    alpha = arrival.saved("alpha")
    delta = working(arrival.delta)
    return [
        summed(arrival, number, delta if number == 0 else delta * (sign * alpha)) for number in arrival.inputs
    ]


def product_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of a∘b."""
    delta = working(arrival.delta)
    return [
        summed(arrival, number, delta * _other(arrival, ("other", "self")[number])) for number in arrival.inputs
    ]


def quotient_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of a/b, -δa/b² for b."""
    delta, found = working(arrival.delta), []
    b = _other(arrival, "other")
    for number in arrival.inputs:
        g = delta / b
        found.append(summed(arrival, number, g if number == 0 else -g * _other(arrival, "self") / b))
    return found


def copy_parts(arrival: Arrival) -> list[Part]:
    """Return the gradient of what was expanded."""
    return [summed(arrival, 0, working(arrival.delta))]


def summed(arrival: Arrival, number: int, delta: Tensor) -> Part:
    """Return the gradient of the input of a number, summed over the axes along which it was broadcast.

    The gradient δ with respect to the broadcast input has shape ``[m, …]``.
    """
    target: Target = origin(arrival.inputs[number])
    shape = (1,) * (delta.ndim - 1 - len(target.shape)) + tuple(target.shape)
    axes = [axis + 1 for axis, size in enumerate(shape) if size == 1 and delta.shape[axis + 1] != 1]
    rows = delta.sum(axes) if axes else delta
    return Rows({target: rows.reshape(len(delta), *target.shape)})


def repeats_whole(junction: Junction) -> bool:
    """Return whether what is repeated lies as a whole, once or more, among the places of every instance."""
    layout = junction.layouts[0]
    if not isinstance(layout, Regular):
        return False
    shape = tuple(origin(junction.inputs[0]).shape)
    behind = len(junction.shapes[0]) - layout.axis
    size = shape[-behind] if len(shape) >= behind else 1
    return layout.inner % size == 0


def repeat_parts(arrival: Arrival) -> list[Part]:
    """Return the gradient of what was repeated, ``[p]`` times along each axis."""
    delta = working(arrival.delta)
    target = origin(arrival.inputs[0])
    shape = (1,) * (delta.ndim - 1 - len(target.shape)) + tuple(target.shape)
    split: list[int] = []
    for size, whole in zip(shape, delta.shape[1:], strict=True):
        split += [whole // size, size]
    rows = delta.reshape(len(delta), *split).sum([1 + 2 * k for k in range(len(shape))])
    return [Rows({target: rows.reshape(len(delta), *target.shape)})]


def prelu_parts(arrival: Arrival) -> list[Part]:
    """Return the gradient of the slopes a of max(x, 0) + a∘min(x, 0)."""
    x = arrival.arranged(working(arrival.saved("self")))
    return [summed(arrival, 1, working(arrival.delta) * x.clamp(max=0))]


def _other(arrival: Arrival, name: str) -> Tensor:
    t = working(arrival.saved(name))
    shape = arrival.junction.shapes[0]
    return t if math.prod(t.shape) == 1 else arrival.arranged(t.expand(shape))
