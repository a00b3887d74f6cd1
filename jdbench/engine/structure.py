"""What distinguishes graphs of the same operations and shapes: axes, pieces, places that are picked.

Instances that lie along an axis in one graph may lie elsewhere in another of the same operations and shapes.
"""

import math
from collections.abc import Hashable, Iterator
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


_plain: dict[type[Node], bool] = {}


def is_plain(node: Node, operation: str) -> bool:
    """Return whether an operation has neither axes nor pieces, nor picks, joins or reshapes anything."""
    kind = type(node)
    known = _plain.get(kind)
    if known is None:
        moving = operation in RESHAPING or operation in PIECES or operation in UNBINDING or operation in JOINING
        known = not moving and not any(hasattr(kind, name) for name in AXES + ROUTES)
        # A custom function may keep anything: its class does not say what.
        known = _plain[kind] = known and not issubclass(kind, torch.autograd.function.BackwardCFunction)
    return known


ROUTES = ("_saved_index", "_saved_indices", "_saved_shifts")
"""Where operations keep the places that they pick from, or put to."""

_routing: dict[type[Node], list[str]] = {}


def routes(node: Node, shapes: list[Shape]) -> list[tuple[set[int], Tensor]]:
    """Return the places that an operation picks from, or puts to, and the sizes of the axes that they are on.

    The shapes are those of its outputs.
    """
    kind = type(node)
    names = _routing.get(kind)
    if names is None:
        names = _routing[kind] = [name for name in ROUTES if hasattr(kind, name)]
    if not names:
        return []
    sizes = getattr(node, "_saved_self_sym_sizes", shapes[0])
    dim = getattr(node, "_saved_dim", None)
    along = {sizes[_signed(dim)]} if isinstance(dim, int) and sizes else set(sizes)
    found: list[tuple[set[int], Tensor]] = []
    for name in names:
        value = getattr(node, name)
        if name == "_saved_shifts":
            found.append((set(sizes), torch.tensor([_signed(shift) for shift in value])))
        elif isinstance(value, tuple | list):
            picked = zip(value, sizes, strict=False)
            found += [({size}, t) for t, size in picked if isinstance(t, Tensor)]
        else:
            found.append((along, value if isinstance(value, Tensor) else torch.tensor(_signed(value))))
    return found


RESHAPING = {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0"}
"""Operations that divide the same entries, in the same order, into other axes."""

JOINING = {"CatBackward0", "RepeatBackward0"}
"""Operations that lay whole batches one after the other."""

PIECES = {
    "SliceBackward0": ("start", "end", "step"),
    "SplitBackward0": ("split_size",),
    "UnsafeSplitBackward0": ("split_size",),
    "SplitWithSizesBackward0": ("split_sizes",),
    "UnsafeSplitWithSizesBackward0": ("split_sizes",),
}
"""Operations that cut an axis to pieces, and where they keep which."""

UNBINDING = {"UnbindBackward0"}
"""Operations that give every place along an axis an output of its own."""


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


Grouping = tuple[int, int, int]
"""The size p·B·q of an axis along which place (o, b, i) of (p, B, q) is of instance b; p; q."""


def groupings(
    node: Node, operation: str, below: tuple[tuple[Node | None, int], ...], shapes: list[Shape], instances: int
) -> Iterator[Grouping]:
    """Yield the axes that an operation puts together from one that counts instances and others, or takes apart.

    That [B, T, n] has become [B·T, n] says where instances lie along the axis of size B·T. Ragged batches,
    whose places data determine, have no such reason for a size, even if it is a multiple of B.

    Args:
        node: Any node.
        operation: Its name.
        below: What it is computed from.
        shapes: Of its outputs.
        instances: B.

    Yields:
        Each axis that counts more than instances.
    """
    if operation in RESHAPING:
        yield from _reshaped(tuple(saved(node, "self_sym_sizes")), shapes[0], instances)
    elif operation == "RepeatBackward0":
        repeats = saved(node, "repeats")
        before = (1,) * (len(repeats) - len(saved(node, "self_sym_sizes"))) + tuple(
            saved(node, "self_sym_sizes")
        )
        for size, times in zip(before, repeats, strict=True):
            if size == instances:
                yield size * times, times, 1
            elif times == instances:
                yield size * times, 1, size
    elif operation == "CatBackward0":
        dim = _signed(saved(node, "dim"))
        joined = {metadata(child)[number].shape[dim] for child, number in below if child is not None}
        if joined == {instances} and shapes[0][dim] == len(below) * instances:
            yield shapes[0][dim], len(below), 1
    elif operation in PIECES:
        dim, size = _signed(saved(node, "dim")), saved(node, "self_sym_sizes")[_signed(saved(node, "dim"))]
        places, rest = divmod(size, instances)
        cut = {shape[dim] for shape in shapes}
        if rest == 0 and cut == {instances}:
            start, step = (
                (saved(node, "start"), saved(node, "step")) if operation == "SliceBackward0" else (0, 1)
            )
            if step == places and start < places:
                yield size, 1, places
            elif step == 1 and _signed(start) % instances == 0:
                yield size, places, 1
        elif rest == 0 and len(shapes) == instances and cut == {places}:
            yield size, 1, places


@lru_cache(2**12)
def _reshaped(one: Shape, other: Shape, instances: int) -> tuple[Grouping, ...]:
    found: set[Grouping] = set()
    for few, many in ((one, other), (other, one)):
        if instances not in few or 0 in many:
            continue
        for axis, size in enumerate(few):
            if size != instances:
                continue
            before, behind = math.prod(few[:axis]), math.prod(few[axis + 1 :])
            for place, whole in enumerate(many):
                # Entry (o, b, i) of the flattened (before, B, behind) lies at place i // step of each.
                ahead, step = math.prod(many[:place]), math.prod(many[place + 1 :])
                outer, inner = before // ahead, behind // step
                if whole > instances and outer * ahead == before and inner * step == behind:
                    found.add((whole, outer, inner))
    return tuple(found)


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
