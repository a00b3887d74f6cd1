"""Memory of per-instance gradients, kept from step to step.

Torch returns the memory of large tensors on a CPU to the operating system; getting it back, page by page, takes
as long as the gradients themselves. Other devices have caching allocators, and nothing is kept for them.
"""

import math
from typing import final

import torch
from torch import Tensor


@final
class Workspace:
    """Tensors that are lent, and lent again once all have been returned."""

    def __init__(self) -> None:
        self._lent: list[Tensor] = []
        self._free: list[Tensor] = []

    def take(self, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Return a contiguous tensor of that shape with arbitrary entries.

        Args:
            shape: Its shape.
            like: Of its dtype and device.

        Returns:
            Memory that nobody else uses before `give_back`.
        """
        if like.device.type != "cpu":
            return like.new_empty(shape)
        size = math.prod(shape)
        for k, buffer in enumerate(self._free):
            if buffer.numel() == size and buffer.dtype == like.dtype:
                found = self._free.pop(k)
                break
        else:
            found = torch.empty(size, dtype=like.dtype)
        self._lent.append(found)
        return found.view(shape)

    def give_back(self) -> None:
        """Keep what was lent since the last time for the next; let go of what was not wanted."""
        self._free, self._lent = self._lent, []
