"""Which parameters the input of an operation is computed from, and how a gradient goes back to them."""

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node
from torch.nn import Parameter

from jdbench.engine.graph import Input, leaf_of
from jdbench.engine.parts import Part, Rows, Target
from jdbench.engine.passes import vjp
from jdbench.engine.structure import metadata, saved

TRANSPOSING = {"TBackward0", "TransposeBackward0", "PermuteBackward0"}


@final
class Derived:
    """Something that follows from parameters alone and is none itself, such as a normalised weight.

    Attributes:
        edge: Where it stands in the graph.
        shape: Its shape.
    """

    def __init__(self, node: Node, output_nr: int) -> None:
        self.edge = GradientEdge(node, output_nr)
        self.shape = torch.Size(metadata(node)[output_nr].shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Derived) and self.edge[:2] == other.edge[:2]

    def __hash__(self) -> int:
        return hash(self.edge[:2])

    def numel(self) -> int:
        """Return the number of its entries."""
        return self.shape.numel()


def origin(entering: Input) -> Target:
    """Return what enters: a parameter, perhaps in another dtype, or what is derived from some."""
    node = entering.below
    while node.name() == "ToCopyBackward0":
        node = _only(node)
    leaf = leaf_of(node)
    return leaf if isinstance(leaf, Parameter) else Derived(entering.below, entering.output_nr)


def matrix_origin(entering: Input) -> tuple[Target, bool]:
    """Return the matrix that enters and whether it does so transposed."""
    node, transposed = entering.below, False
    while True:
        name = node.name()
        if name in TRANSPOSING and len(metadata(node)[0].shape) == 2 and _swaps(node):
            transposed = not transposed
        elif name != "ToCopyBackward0":
            break
        node = _only(node)
    leaf = leaf_of(node)
    return (leaf, transposed) if isinstance(leaf, Parameter) else (origin(entering), False)


def _only(node: Node) -> Node:
    (below, _), *_ = node.next_functions
    assert below is not None
    return below


def _swaps(node: Node) -> bool:
    match node.name():
        case "TBackward0":
            return True
        case "TransposeBackward0":
            return saved(node, "dim0") != saved(node, "dim1")
        case _:
            return [d % 2 for d in saved(node, "dims")] == [1, 0]


def pulled_back(parts: list[Part], trained: dict[Parameter, str]) -> list[Part]:
    """Return parts of parameters alone: gradients of what is derived are taken through what derived it.

    Of the given parts no two have the same target; of the returned ones several may share a parameter.
    """
    rows: dict[Derived, Tensor] = {}
    found: list[Part] = []
    for part in parts:
        if any(isinstance(p, Derived) for p in part.parameters):
            direct: dict[Target, Tensor] = {}
            for p, r in zip(part.parameters, part.rows(), strict=True):
                if isinstance(p, Derived):
                    rows[p] = r
                else:
                    direct[p] = r
            if direct:
                found.append(Rows(direct))
        else:
            found.append(part)
    if rows:
        found.append(Rows(_through(rows, trained)))
    return found


def _through(rows: dict[Derived, Tensor], trained: dict[Parameter, str]) -> dict[Target, Tensor]:
    leaves = _leaves([d.edge.node for d in rows], trained)
    edges = [d.edge for d in rows]
    seeds = [r.to(metadata(d.edge.node)[d.edge.output_nr].dtype) for d, r in rows.items()]
    found: Sequence[Tensor | None]
    try:
        found = vjp(edges, leaves, seeds, retain_graph=True, batched=True)
    except RuntimeError:  # an operation that cannot be batched
        found = stack_columns([
            vjp(edges, leaves, [s[i] for s in seeds], retain_graph=True) for i in range(len(seeds[0]))
        ])
    return {leaf: g for leaf, g in zip(leaves, found, strict=True) if g is not None}


def stack_columns(rows: Sequence[Sequence[Tensor | None]]) -> list[Tensor | None]:
    """Return columns of rows as tensors, zero where an entry is missing, None where all are."""
    found: list[Tensor | None] = []
    for column in zip(*rows, strict=True):
        some = next((g for g in column if g is not None), None)
        filled = [torch.zeros_like(some) if g is None else g for g in column] if some is not None else []
        found.append(torch.stack(filled) if filled else None)
    return found


def _leaves(below: list[Node], trained: dict[Parameter, str]) -> list[Parameter]:
    seen = set(below)
    leaves: dict[Parameter, None] = {}
    while below:
        node = below.pop()
        leaf = leaf_of(node)
        if isinstance(leaf, Parameter) and leaf in trained:
            leaves[leaf] = None
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                below.append(child)
    return list(leaves)
