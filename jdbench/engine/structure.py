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


REGROUPING = {"ViewBackward0", "UnsafeViewBackward0", "ReshapeAliasBackward0", "RepeatBackward0"}
"""Operations that put an axis of instances together with others, or take it apart."""

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


def regrouped(
    node: Node, operation: str, below: tuple[tuple[Node | None, int], ...], shapes: list[Shape], instances: int
) -> set[int]:
    """Return the sizes of axes that an operation puts together from instances and others, or takes apart.

    That [B, T, n] has become [B·T, n] says why an axis has size B·T; places of ragged batches, which data tell,
    have no such reason.

    Args:
        node: Any node.
        operation: Its name.
        below: What it is computed from.
        shapes: Of its outputs.
        instances: B.
    """
    if operation in REGROUPING or operation in PIECES:
        before: list[Shape] = [tuple(saved(node, "self_sym_sizes"))]
    elif operation in {"CatBackward0", "StackBackward0"}:
        before = [tuple(metadata(child)[number].shape) for child, number in below if child is not None]
    else:
        return set()
    found: set[int] = set()
    if operation == "RepeatBackward0" and instances in saved(node, "repeats"):
        found.update(shapes[0])
    for one, other in ((before, shapes), (shapes, before)):
        if any(instances in shape for shape in one):
            found.update(size for shape in other for size in shape)
    return found


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
