"""Convolutions of any dimension: gᵢ[o, c, k] = Σ_t δ_i[o, t] x̃_i[c, t·stride + k·dilation], x̃ the padded input.

A transposed convolution is the same with x and δ exchanged. Three ways. *Grouped*: one weight gradient with
the batch laid out as groups, the fastest for one group and for depthwise convolutions. *Products*: matrix
products of δ with x̃ unfolded along its last axis only, the others being offsets into it; four times as fast
where groups are small, and in float64. *Outer products* of δ with the unfolded x̃, where there are so few
places that their inner products are cheaper than gᵢ.
"""

import math
from dataclasses import dataclass
from itertools import product
from typing import final

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn import grad as weight_gradients

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.origin import origin
from jdbench.engine.parts import KEPT, OuterProducts, Part, Rows, Target
from jdbench.engine.products import working

AT_ONCE = 2**18
"""Entries that one grouped weight gradient returns: it takes as much memory again, reordered."""

CHUNK = 2**21
"""Entries of the unfolded input in memory at once."""


@final
@dataclass(frozen=True)
class Geometry:
    """What a convolution reads where.

    Attributes:
        weight: Shape of the weight, ``[o, c / groups, *k]``.
        stride: Along each axis.
        dilation: Along each axis.
        groups: Number of groups.
    """

    weight: torch.Size
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    @property
    def kernel(self) -> tuple[int, ...]:
        """Size of the kernel along each axis."""
        return tuple(self.weight[2:])


def counts_images(junction: Junction) -> bool:
    """Return whether the first axis counts instances, or images of instances."""
    layout = junction.layouts[0]
    return layout is not None and layout.axis == 0 and 0 not in {i.number for i in junction.inputs}


def convolution_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of weight and bias, from δ of shape ``[m, images, o, *]``.

    They are rows, or outer products of x and δ where those are cheaper.
    """
    delta = working(arrival.delta)
    m, images = delta.shape[:2]
    delta = delta.flatten(0, 1)
    weight, bias = arrival.inputs.get(1), arrival.inputs.get(2)
    target = origin(bias) if bias else None
    rows: dict[Target, Tensor] = {}
    if weight is not None:
        # What was convolved in mixed precision was the rounded input.
        x = working(arrival.arranged(arrival.saved("input"))).flatten(0, 1)
        transposed = arrival.saved("transposed")
        filters, into = (x, delta) if transposed else (delta, x)
        geometry = Geometry(
            torch.Size(origin(weight).shape),
            tuple(arrival.saved("stride")), tuple(arrival.saved("dilation")), arrival.saved("groups"),
        )  # fmt: skip
        into = _reached(geometry, _padded(into, arrival.saved("padding")), filters)
        if _prefers_outer_products(geometry, into, filters):
            u, d = _unfolded(geometry, into), filters.flatten(2).mT
            u, d = (t.reshape(m, -1, t.shape[-1]) for t in (u, d))
            if not transposed:
                return [OuterProducts(u, d, origin(weight), target)]
            parts: list[Part] = [OuterProducts(u, d, origin(weight), None)]
            return parts + ([Rows({target: _over_places(delta, m)})] if target else [])
        form = _by_products if _prefers_products(geometry, into) else _grouped
        found = form(geometry, into, filters)
        rows[origin(weight)] = found if images == 1 else found.view(m, images, *geometry.weight).sum(1)
    if target is not None:
        rows[target] = _over_places(delta, m)
    return [Rows(rows)]


def _over_places(delta: Tensor, m: int) -> Tensor:
    summed = delta.sum(tuple(range(2, delta.ndim)))
    return summed.view(m, -1, summed.shape[1]).sum(1)


def _padded(x: Tensor, padding: list[int]) -> Tensor:
    if not any(padding):
        return x
    return functional.pad(x, [size for size in reversed(padding) for _ in range(2)])


def _reached(geometry: Geometry, x: Tensor, delta: Tensor) -> Tensor:
    """Return x̃ without the border that a stride leaves unused: its size follows from that of δ."""
    reached = [
        (size - 1) * stride + (k - 1) * dilation + 1
        for size, stride, k, dilation in zip(
            delta.shape[2:], geometry.stride, geometry.kernel, geometry.dilation, strict=True
        )
    ]
    return x if reached == list(x.shape[2:]) else x[(slice(None), slice(None), *map(slice, reached))]


def _prefers_outer_products(geometry: Geometry, x: Tensor, delta: Tensor) -> bool:
    if geometry.groups > 1:
        return False
    m, o, positions = len(x), delta.shape[1], math.prod(delta.shape[2:])
    i = geometry.weight[1:].numel()
    too_large = o * i * m > KEPT * (x.numel() + delta.numel())
    return too_large or m * positions**2 * (i + o) < (positions + m) * i * o


def _prefers_products(geometry: Geometry, x: Tensor) -> bool:
    depthwise = x.shape[1] == geometry.groups == geometry.weight[0]
    return x.dtype == torch.float64 or (geometry.groups > 1 and not depthwise)


def _grouped(geometry: Geometry, x: Tensor, delta: Tensor) -> Tensor:
    o, one_instance = delta.shape[1], geometry.weight
    gradient = (weight_gradients.conv1d_weight, weight_gradients.conv2d_weight, weight_gradients.conv3d_weight)
    rows = x.new_empty(len(x), *one_instance)
    step = max(1, AT_ONCE // geometry.weight.numel())
    for low in range(0, len(x), step):
        chunk = slice(low, low + step)
        some_x, some_delta = x[chunk], delta[chunk]
        size = len(some_x)
        together = gradient[x.ndim - 3](
            some_x.reshape(1, -1, *x.shape[2:]),
            (size * o, *one_instance[1:]),
            some_delta.reshape(1, -1, *delta.shape[2:]),
            stride=geometry.stride,  # pyright: ignore[reportArgumentType]
            dilation=geometry.dilation,  # pyright: ignore[reportArgumentType]
            groups=size * geometry.groups,
        )
        rows[chunk] = together.view(size, *one_instance)
    return rows


def _by_products(geometry: Geometry, x: Tensor, delta: Tensor) -> Tensor:
    groups, taps, last = geometry.groups, geometry.kernel[:-1], geometry.kernel[-1]
    out, (o, i) = delta.shape[2:], geometry.weight[:2]
    step = max(1, CHUNK // (x[0].numel() * last))
    rows = x.new_empty(len(x), groups, o // groups, i, *taps, last)
    for low in range(0, len(x), step):
        chunk = slice(low, low + step)
        reach, stride, dilation = (
            (out[-1] - 1) * geometry.stride[-1] + 1,
            geometry.stride[-1],
            geometry.dilation[-1],
        )
        taps_of_last = [x[chunk][..., k * dilation : k * dilation + reach : stride] for k in range(last)]
        u = torch.stack(taps_of_last, 2)
        u = u.view(-1, i * last, *u.shape[3:])
        d = delta[chunk].reshape(-1, o // groups, math.prod(out))
        for offsets in product(*map(range, taps)):
            window = tuple(
                slice(k * dilation, k * dilation + (size - 1) * stride + 1, stride)
                for k, dilation, size, stride in zip(
                    offsets, geometry.dilation, out, geometry.stride, strict=False
                )
            )
            at = u[(slice(None), slice(None), *window)].reshape(len(u), i * last, -1)
            found = torch.bmm(d, at.mT).view(-1, groups, o // groups, i, last)
            rows[(chunk, slice(None), slice(None), slice(None), *offsets)] = found
    return rows.view(len(x), *geometry.weight)


def _unfolded(geometry: Geometry, x: Tensor) -> Tensor:
    axes = x.ndim - 2
    for axis, (k, stride, dilation) in enumerate(
        zip(geometry.kernel, geometry.stride, geometry.dilation, strict=True)
    ):
        x = x.unfold(axis + 2, (k - 1) * dilation + 1, stride)[..., ::dilation]
    channels_behind = x.movedim(1, axes + 1)
    return channels_behind.reshape(len(x), math.prod(x.shape[2 : axes + 2]), -1)
