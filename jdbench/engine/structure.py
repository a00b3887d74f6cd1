"""What tells one kind of graph from another beside operations and shapes: axes, pieces, places that are picked.

Instances that lie along an axis in one graph may lie elsewhere in another of the same operations and shapes.
"""

from collections.abc import Hashable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import Node

Shape = tuple[int, ...]

AXES = ("_saved_dim", "_saved_dims", "_saved_dim0", "_saved_dim1", "_saved_sumdim")
"""Where operations keep the axes that they work along."""

_kept: dict[type[Node], list[str]] = {}


def axes(node: Node) -> tuple[Hashable, ...]:
    """Return the axes that an operation works along, as it keeps them."""
    kind = type(node)
    names = _kept.get(kind)
    if names is None:
        names = _kept[kind] = [name for name in AXES if hasattr(kind, name)]
    return tuple([getattr(node, name) for name in names]) if names else ()


ROUTES = ("_saved_index", "_saved_indices", "_saved_mask", "_saved_shifts")
"""Where operations keep the places that they pick from, or put to."""

straight: set[type[Node]] = set()
"""Kinds of nodes that pick no places."""


PIECES = {
    "SliceBackward0": ("start", "end", "step"),
    "SplitBackward0": ("split_size",),
    "UnsafeSplitBackward0": ("split_size",),
    "SplitWithSizesBackward0": ("split_sizes",),
    "UnsafeSplitWithSizesBackward0": ("split_sizes",),
}
"""Operations that cut an axis to pieces, and where they keep which."""


def pieces(node: Node, operation: str, instances: int) -> tuple[Hashable, ...]:
    """Return how an axis that may count instances is cut, in whole batches where it is."""
    dim, sizes = _signed(saved(node, "dim")), saved(node, "self_sym_sizes")
    if sizes[dim] % instances:
        return ()
    found: list[Hashable] = []
    for name in PIECES[operation]:
        value = saved(node, name)
        for cut in value if isinstance(value, tuple | list) else (value,):
            at = min(_signed(cut), sizes[dim])
            found.append(("batches", at // instances) if at % instances == 0 else at)
    return tuple(found)


def _signed(number: int) -> int:
    """Return an integer that torch shows without its sign."""
    return number - 2**64 if number >= 2**63 else number


def routes(node: Node, shapes: list[Shape], instances: int) -> list[Tensor]:
    """Return the places, along axes that may count instances, that an operation picks from or puts to.

    Args:
        node: Any node.
        shapes: Of its outputs.
        instances: B.
    """
    names = [name for name in ROUTES if hasattr(node, name)]
    if not names:
        straight.add(type(node))
        return []
    sizes = getattr(node, "_saved_self_sym_sizes", shapes[0])
    dim = getattr(node, "_saved_dim", None)
    found: list[Tensor] = []
    for name in names:
        value = getattr(node, name)
        if name == "_saved_shifts":
            found.append(torch.tensor([_signed(shift) for shift in value]))
        elif isinstance(value, Tensor):
            along = [sizes[_signed(dim)]] if isinstance(dim, int) and sizes else sizes
            if not isinstance(dim, int) or not sizes or any(size % instances == 0 for size in along):
                found.append(value)
        elif isinstance(value, tuple | list):
            found += [
                t for t, size in zip(value, sizes, strict=False)
                if isinstance(t, Tensor) and (size % instances == 0 or t.dtype == torch.bool)
            ]  # fmt: skip
    return found


def metadata(node: Node) -> list[Any]:
    """Return shape, dtype and device of every output, as attributes."""
    return node._input_metadata  # pyright: ignore[reportPrivateUsage]


def shapes_of(outputs: list[Any]) -> list[Shape]:
    """Return the shapes of a node's outputs, () for nested tensors, which have none."""
    try:
        return [tuple(m.shape) for m in outputs]
    except RuntimeError:
        return [() if m.is_nested_tensor else tuple(m.shape) for m in outputs]


def saved(node: Node, name: str) -> Any:
    """Return what an operation kept for its derivative, such as ``"input"``."""
    return getattr(node, f"_saved_{name}")
