"""Which instance an entry of a tensor belongs to, where the place along one axis tells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor


@final
@dataclass(frozen=True)
class Layout:
    """Instances along one axis of a tensor: its size is p·B·q, and place (o, b, i) of (p, B, q) is of instance b.

    p = q = 1 where the axis counts instances and nothing else; p = 1 where each has q consecutive places, as in
    ``[B·T, n]``; q = 1 where they take turns, as in ``[T·B, n]``.

    Attributes:
        axis: The axis.
        instances: B.
        outer: p.
        inner: q.
    """

    axis: int
    instances: int
    outer: int
    inner: int

    @property
    def places(self) -> int:
        """How many places along the axis each instance has, pq."""
        return self.outer * self.inner

    def labels(self, device: torch.device) -> Tensor:
        """Return the instance of every place along the axis, shape ``[p·B·q]``."""
        instances = torch.arange(self.instances, device=device)
        return instances.repeat_interleave(self.inner).repeat(self.outer)

    def arranged(self, t: Tensor) -> Tensor:
        """Return a tensor with instances in front: ``[B, …]``, the axis behind them holding the pq places of each.

        Args:
            t: Any tensor whose axis has size p·B·q.
        """
        if self.axis == 0 and self.outer == 1:
            return t.unflatten(0, (self.instances, self.inner))
        apart = t.unflatten(self.axis, (self.outer, self.instances, self.inner))
        return apart.movedim(self.axis + 1, 0).flatten(self.axis + 1, self.axis + 2)

    def put_back(self, t: Tensor) -> Tensor:
        """Return what `arranged` was made from, for a stack of such tensors.

        Args:
            t: Shape ``[k, B, …]``.

        Returns:
            Shape ``[k, …]``.
        """
        apart = t.unflatten(self.axis + 2, (self.outer, self.inner))
        return apart.movedim(1, self.axis + 2).flatten(self.axis + 1, self.axis + 3)

    def resized(self, size: int, instances: int) -> "Layout | None":
        """Return the same layout of an axis of another size, or None where it does not follow.

        Args:
            size: Of the axis.
            instances: B, which may be another one as well.
        """
        places, rest = divmod(size, instances)
        if rest == 0 and places == self.places:
            return Layout(self.axis, instances, self.outer, self.inner)
        if rest or not places or min(self.outer, self.inner) > 1:
            return None
        outer, inner = (places, 1) if self.outer > 1 else (1, places)
        return Layout(self.axis, instances, outer, inner)


def layouts(shape: tuple[int, ...], instances: int) -> Iterator[Layout]:
    """Yield every layout that a tensor of a shape may have: consecutive places before turns before the rest.

    Args:
        shape: Of the tensor.
        instances: B.

    Yields:
        Layouts, axis by axis.
    """
    for axis, size in enumerate(shape):
        places, rest = divmod(size, instances)
        if rest or not places:
            continue
        yield Layout(axis, instances, 1, places)
        if places > 1:
            yield Layout(axis, instances, places, 1)
            for outer in range(2, places):
                if places % outer == 0:
                    yield Layout(axis, instances, outer, places // outer)
