"""nn.Conv1d, 2d and 3d: gᵢ[o, c, k] = Σ_t δ_i[o, t] x̃_i[c, t·stride + k·dilation], with x̃ the padded input.

Three ways. *Grouped*: one weight gradient with the batch laid out as groups, the fastest for one group and for
depthwise convolutions. *Products*: matrix products of δ with x̃ unfolded along its last axis only, the others
being offsets into it; four times as fast where groups are small, and in float64. *Outer products* of δ with the
unfolded x̃, where there are so few positions that their inner products are cheaper than gᵢ.
"""

import math
from itertools import product
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import Parameter, functional
from torch.nn import grad as weight_gradients

from jdbench.gramian.call import Call
from jdbench.gramian.outer_products import OuterProducts
from jdbench.gramian.part import Part
from jdbench.gramian.rows import Rows
from jdbench.gramian.scale import working

LARGEST = 4
"""Per-instance gradients are kept if they take at most so many times the memory of x and δ."""

AT_ONCE = 2**18
"""Entries that one grouped weight gradient returns: it takes as much memory again, reordered."""

CHUNK = 2**21
"""Entries of the unfolded input in memory at once."""


def convolution_part(call: Call, x: Tensor, delta: Tensor) -> Part:
    """Return the gradients of weight and bias.

    Args:
        call: Of an `nn.Conv1d`, `nn.Conv2d` or `nn.Conv3d`.
        x: Input, shape ``[m, c, *]``.
        delta: Gradient of the output, shape ``[m, o, *]``.

    Returns:
        Per-instance gradients, or outer products of x and δ where those are cheaper.
    """
    module = cast("nn.Conv2d", call.module)
    weight, bias = call.trained("weight"), call.trained("bias")
    delta = working(delta)
    rows: dict[Parameter, Tensor] = {}
    if weight is not None:
        # What was convolved in mixed precision was the rounded input.
        x = working(_padded(module, x.to(call.autocast[1]) if call.autocast else x))
        if _prefers_outer_products(module, x, delta):
            return OuterProducts(_unfolded(module, x), delta.flatten(2).mT, weight, bias)
        form = _by_products if _prefers_products(module, x) else _grouped
        rows[weight] = form(module, x, delta)
    if bias is not None:
        rows[bias] = delta.sum(tuple(range(2, delta.ndim)))
    return Rows(rows)


def _padded(module: nn.Conv2d, x: Tensor) -> Tensor:
    both_sides = module._reversed_padding_repeated_twice  # pyright: ignore[reportPrivateUsage]
    if not any(both_sides):
        return x
    mode = "constant" if module.padding_mode == "zeros" else module.padding_mode
    return functional.pad(x, both_sides, mode=mode)


def _prefers_outer_products(module: nn.Conv2d, x: Tensor, delta: Tensor) -> bool:
    if module.groups > 1:
        return False
    m, o, positions = len(x), delta.shape[1], math.prod(delta.shape[2:])
    i = module.weight[0].numel()
    too_large = o * i * m > LARGEST * (x.numel() + delta.numel())
    return too_large or m * positions**2 * (i + o) < (positions + m) * i * o


def _prefers_products(module: nn.Conv2d, x: Tensor) -> bool:
    depthwise = module.in_channels == module.groups == module.out_channels
    return x.dtype == torch.float64 or (module.groups > 1 and not depthwise)


def _grouped(module: nn.Conv2d, x: Tensor, delta: Tensor) -> Tensor:
    o, one_instance = delta.shape[1], module.weight.shape
    gradient = (weight_gradients.conv1d_weight, weight_gradients.conv2d_weight, weight_gradients.conv3d_weight)
    # A stride may leave a border of x̃ unused, in which case its size does not follow from that of δ.
    reached = [
        (size - 1) * stride + (k - 1) * dilation + 1
        for size, stride, k, dilation in zip(
            delta.shape[2:], module.stride, module.kernel_size, module.dilation, strict=True
        )
    ]
    if reached != list(x.shape[2:]):
        x = x[(slice(None), slice(None), *map(slice, reached))]
    rows = x.new_empty(len(x), *one_instance)
    step = max(1, AT_ONCE // module.weight.numel())
    for low in range(0, len(x), step):
        chunk = slice(low, low + step)
        some_x, some_delta = x[chunk], delta[chunk]
        size = len(some_x)
        together = gradient[x.ndim - 3](
            some_x.reshape(1, -1, *x.shape[2:]),
            (size * o, *one_instance[1:]),
            some_delta.reshape(1, -1, *delta.shape[2:]),
            stride=module.stride,  # pyright: ignore[reportArgumentType]
            dilation=module.dilation,  # pyright: ignore[reportArgumentType]
            groups=size * module.groups,
        )
        rows[chunk] = together.view(size, *one_instance)
    return rows


def _by_products(module: nn.Conv2d, x: Tensor, delta: Tensor) -> Tensor:
    groups, taps, last = module.groups, module.kernel_size[:-1], module.kernel_size[-1]
    out, (o, i) = delta.shape[2:], module.weight.shape[:2]
    step = max(1, CHUNK // (x[0].numel() * last))
    rows = x.new_empty(len(x), groups, o // groups, i, *taps, last)
    for low in range(0, len(x), step):
        chunk = slice(low, low + step)
        reach, stride, dilation = (out[-1] - 1) * module.stride[-1] + 1, module.stride[-1], module.dilation[-1]
        taps_of_last = [x[chunk][..., k * dilation : k * dilation + reach : stride] for k in range(last)]
        u = torch.stack(taps_of_last, 2)
        u = u.view(-1, i * last, *u.shape[3:])
        d = delta[chunk].reshape(-1, o // groups, math.prod(out))
        for offsets in product(*map(range, taps)):
            window = tuple(
                slice(k * dilation, k * dilation + (size - 1) * stride + 1, stride)
                for k, dilation, size, stride in zip(offsets, module.dilation, out, module.stride, strict=False)
            )
            at = u[(slice(None), slice(None), *window)].reshape(len(u), i * last, -1)
            found = torch.bmm(d, at.mT).view(-1, groups, o // groups, i, last)
            rows[(chunk, slice(None), slice(None), slice(None), *offsets)] = found
    return rows.view(len(x), *module.weight.shape)


def _unfolded(module: nn.Conv2d, x: Tensor) -> Tensor:
    axes = x.ndim - 2
    for axis, (k, stride, dilation) in enumerate(
        zip(module.kernel_size, module.stride, module.dilation, strict=True)
    ):
        x = x.unfold(axis + 2, (k - 1) * dilation + 1, stride)[..., ::dilation]
    channels_behind = x.movedim(1, axes + 1)
    return channels_behind.reshape(len(x), math.prod(x.shape[2 : axes + 2]), -1)
