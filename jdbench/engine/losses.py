"""The losses that an engine takes: one tensor, or a sequence of them."""

import contextlib
from collections.abc import Sequence

import torch
from torch import Tensor

from jdbench.errors import InputError

Losses = Tensor | Sequence[Tensor]
"""Losses, or a sequence of them."""


def stack_losses(losses: Losses) -> Tensor:
    """Return losses as one tensor: numbers one after the other, tensors ``[B]`` as columns."""
    if isinstance(losses, Tensor):
        return losses
    if not isinstance(losses, list | tuple) or not all(isinstance(loss, Tensor) for loss in losses):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(
            f"losses, required a tensor or a list of tensors, got {type(losses).__name__}"
            f"{' of something else' if isinstance(losses, list | tuple) else ''}, pass [B] or [B, T]"
        )
    shapes = {loss.shape for loss in losses}
    if len(shapes) != 1:
        got = " and ".join(str(tuple(shape)) for shape in sorted(shapes)) or "none"
        raise InputError(f"losses, required tensors of one shape, got {got}, pass [B] or [B, T]")
    return torch.stack(list(losses), -1)


def check_losses(losses: Tensor, separable: bool) -> None:
    """Raise unless losses have a graph and the shape ``[B]`` or ``[B, T]`` or, if not separable, ``[T]``."""
    shapes = "[B] or [B, T]" if separable else "[T]"
    if losses.ndim not in ((1, 2) if separable else (1,)) or losses.numel() == 0:
        raise InputError(
            f"losses, required shape {shapes}, got {tuple(losses.shape)}, do not reduce them to a mean"
        )
    if not losses.is_floating_point():
        raise InputError(
            f"losses, required real numbers, got {losses.dtype}, take their real part or absolute value"
        )
    if losses.grad_fn is None:
        raise InputError("losses, required a graph, got none, compute them with gradients enabled")


def full_precision(losses: Tensor) -> contextlib.AbstractContextManager[object]:
    """Gramians are not for mixed precision, even if the caller is still within it."""
    device = losses.device.type
    if torch.is_autocast_enabled(device):
        return torch.autocast(device, enabled=False)
    return contextlib.nullcontext()
