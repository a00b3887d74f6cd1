"""Which instance an entry of a tensor belongs to, where that follows from its place along one axis."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import torch
from torch import Tensor


class Layout(ABC):
    """The instance of every place along one axis of a tensor.

    Attributes:
        axis: The axis.
        instances: B.
    """

    axis: int
    instances: int

    @abstractmethod
    def labels(self, device: torch.device) -> Tensor:
        """Return the instance of every place along the axis, shape ``[size]``."""

    @abstractmethod
    def arranged(self, t: Tensor) -> Tensor:
        """Return a tensor whose axis has this layout with instances in front, ``[B, …]``.

        The axis, one further, has the places of each.
        """

    @abstractmethod
    def put_back(self, t: Tensor) -> Tensor:
        """Return what `arranged` made ``[B, …]`` from, for a stack ``[k, B, …]`` of such tensors."""


@final
@dataclass(frozen=True)
class Regular(Layout):
    """An axis of size p·B·q, where place (o, b, i) of (p, B, q) is of instance b.

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

    def labels(self, device: torch.device) -> Tensor:
        """Return the instance of every place along the axis, shape ``[p·B·q]``."""
        return torch.arange(self.instances, device=device).repeat_interleave(self.inner).repeat(self.outer)

    def arranged(self, t: Tensor) -> Tensor:
        """Return a tensor with instances in front and pq places of each along the axis."""
        if self.axis == 0 and self.outer == 1:
            return t.unflatten(0, (self.instances, self.inner))
        apart = t.unflatten(self.axis, (self.outer, self.instances, self.inner))
        return apart.movedim(self.axis + 1, 0).flatten(self.axis + 1, self.axis + 2)

    def put_back(self, t: Tensor) -> Tensor:
        """Return what `arranged` made ``[B, …]`` from, for a stack ``[k, B, …]`` of such tensors."""
        apart = t.unflatten(self.axis + 2, (self.outer, self.inner))
        return apart.movedim(1, self.axis + 2).flatten(self.axis + 1, self.axis + 3)

    def is_like(self, other: "Regular") -> bool:
        """Return whether another layout differs in sizes alone."""
        return (self.axis, self.outer > 1, self.inner > 1) == (other.axis, other.outer > 1, other.inner > 1)

    def resized(self, size: int, instances: int, groupings: Iterable[tuple[int, int, int]]) -> "Regular | None":
        """Return the layout of this kind of an axis of another size, or None where it does not follow.

        Args:
            size: Of the axis.
            instances: B, which may be another one as well.
            groupings: Sizes p·B·q of axes that are known to count instances and others, with p and q.
        """
        if size == instances:
            return Regular(self.axis, instances, 1, 1) if self.outer == self.inner == 1 else None
        known = {Regular(self.axis, instances, p, q) for whole, p, q in groupings if whole == size}
        alike = [layout for layout in known if self.is_like(layout)]
        return alike[0] if len(alike) == 1 else None


@final
class Gathered(Layout):
    """An axis whose places belong to instances in any order and number, as where tokens go to experts.

    Arranged, instances with fewer places than others are filled up with zeros. A number without axes counts as
    an axis of one place.
    """

    def __init__(self, axis: int, instances: int, of: Tensor) -> None:
        """Keep the instance of every place, shape ``[size]``, integer."""
        self.axis, self.instances, self._of = axis, instances, of

    def labels(self, device: torch.device) -> Tensor:
        """Return the instance of every place along the axis, shape ``[size]``."""
        return self._of.to(device)

    @cached_property
    def _rank(self) -> tuple[Tensor, int]:
        """The number of every place among those of its instance, and the largest number of places."""
        counts = torch.bincount(self._of, minlength=self.instances)
        order = torch.argsort(self._of, stable=True)
        starts = (counts.cumsum(0) - counts)[self._of[order]]
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order), device=order.device) - starts
        return rank, int(counts.max())

    def arranged(self, t: Tensor) -> Tensor:
        """Return a tensor with instances in front and the places of each along the axis, zeros behind them."""
        if t.ndim == 0:
            return t.new_zeros(self.instances).index_put((self._of,), t)
        rank, places = self._rank
        first = t.movedim(self.axis, 0)
        found = first.new_zeros(self.instances, places, *first.shape[1:])
        found[self._of, rank] = first
        return found.movedim(1, self.axis + 1)

    def put_back(self, t: Tensor) -> Tensor:
        """Return what `arranged` made ``[B, …]`` from, for a stack ``[k, B, …]`` of such tensors."""
        if t.ndim == 2:
            return t[:, self._of[0]]
        rank, _ = self._rank
        return t.movedim(self.axis + 2, 2)[:, self._of, rank].movedim(1, self.axis + 1)


def regular_layouts(shape: tuple[int, ...], instances: int) -> Iterator[Regular]:
    """Yield every regular layout of B instances that a tensor of a shape may have, axis by axis.

    Consecutive places come before turns.
    """
    for axis, size in enumerate(shape):
        places, rest = divmod(size, instances)
        if rest or not places:
            continue
        yield Regular(axis, instances, 1, places)
        if places > 1:
            yield Regular(axis, instances, places, 1)
            for outer in range(2, places):
                if places % outer == 0:
                    yield Regular(axis, instances, outer, places // outer)
