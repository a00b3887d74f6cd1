"""What tells one kind of graph from another beside operations and shapes: axes, pieces, places that are picked.

Instances that lie along an axis in one graph may lie elsewhere in another of the same operations and shapes.
"""

import math
from collections.abc import Hashable
from functools import lru_cache
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


ROUTES = ("_saved_index", "_saved_indices", "_saved_shifts")
"""Where operations keep the places that they pick from, or put to."""

_routing: dict[type[Node], list[str]] = {}


def routes(node: Node, shapes: list[Shape], instances: int) -> list[Tensor]:
    """Return the places along axes that count instances alone that an operation picks from, or puts to.

    Args:
        node: Any node.
        shapes: Of its outputs.
        instances: B.
    """
    kind = type(node)
    names = _routing.get(kind)
    if names is None:
        names = _routing[kind] = [name for name in ROUTES if hasattr(kind, name)]
    if not names:
        return []
    sizes = getattr(node, "_saved_self_sym_sizes", shapes[0])
    dim = getattr(node, "_saved_dim", None)
    along = (sizes[_signed(dim)],) if isinstance(dim, int) and sizes else sizes
    found: list[Tensor] = []
    for name in names:
        value = getattr(node, name)
        if name == "_saved_shifts":
            found.append(torch.tensor([_signed(shift) for shift in value]))
        elif isinstance(value, tuple | list):
            picked = zip(value, sizes, strict=False)
            found += [t for t, size in picked if isinstance(t, Tensor) and size == instances]
        elif instances in along:
            found.append(value if isinstance(value, Tensor) else torch.tensor(_signed(value)))
    return found


RESHAPES = {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"}
"""Operations that give places other axes, in their order."""

JOINS = {"CatBackward0", "RepeatBackward0"}
"""Operations that lay whole batches one after the other."""

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


Places = tuple[int, int, int]
"""Size p·B·q of an axis, with p and q."""


def explanations(node: Node, operation: str, shapes: list[Shape], instances: int) -> frozenset[Places]:
    """Return what an operation tells of axes with several places of each instance, from one with exactly B.

    A size by itself tells nothing: rows of instances in uneven numbers may add up to a multiple of B.

    Args:
        node: One of those in `RESHAPES`, `PIECES` or `JOINS`.
        operation: Its name.
        shapes: Of its outputs.
        instances: B.
    """
    if operation in RESHAPES:
        return _reshaped(tuple(saved(node, "self_sym_sizes")), shapes[0], instances)
    if operation == "RepeatBackward0":
        repeats, before = saved(node, "repeats"), tuple(saved(node, "self_sym_sizes"))
        before = (1,) * (len(repeats) - len(before)) + before
        joined = zip(before, repeats, shapes[0], strict=True)
        return frozenset((size, times, 1) for one, times, size in joined if one == instances < size)
    dim = _signed(saved(node, "dim"))
    if operation == "CatBackward0":
        size = shapes[0][dim]
        parts = [metadata(child)[number].shape for child, number in node.next_functions if child is not None]
        whole = len(parts) * instances == size and all(part[dim] == instances for part in parts)
        return frozenset([(size, len(parts), 1)] if whole else [])
    size = saved(node, "self_sym_sizes")[dim]
    if size <= instances or size % instances or any(shape[dim] != instances for shape in shapes):
        return frozenset()
    places = size // instances
    if operation == "SliceBackward0":
        start, step = _signed(saved(node, "start")), saved(node, "step")
        if step == places and start < step:
            return frozenset([(size, 1, places)])
        if step != 1 or start % instances:
            return frozenset()
    return frozenset([(size, places, 1)])


@lru_cache(4096)
def _reshaped(one: Shape, other: Shape, instances: int) -> frozenset[Places]:
    """Return the axes of either shape whose places lie along an axis of B, and others, of the other shape."""
    if instances not in one and instances not in other:
        return frozenset()
    found: set[Places] = set()
    for few, many in ((one, other), (other, one)):
        for axis in (axis for axis, size in enumerate(few) if size == instances):
            before, behind = math.prod(few[:axis]), math.prod(few[axis + 1 :])
            for place, size in enumerate(many):
                ahead, step = math.prod(many[:place]), math.prod(many[place + 1 :])
                if size > instances and step and ahead and not behind % step and not before % ahead:
                    outer, inner = before // ahead, behind // step
                    if outer * instances * inner == size:
                        found.add((size, outer, inner))
    return frozenset(found)


def _signed(number: int) -> int:
    """Return an integer that torch shows without its sign."""
    return number - 2**64 if number >= 2**63 else number


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
