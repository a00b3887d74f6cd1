"""From what enters at a junction back to the parameters it follows from."""

from typing import final

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, Node
from torch.nn import Parameter

from jdbench.engine.graph import Input, vjp
from jdbench.engine.part import Part, Target
from jdbench.engine.rows import Rows

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
        self.shape = torch.Size(node._input_metadata[output_nr].shape)  # pyright: ignore

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
        node = node.next_functions[0][0]
    leaf = getattr(node, "variable", None)
    return leaf if isinstance(leaf, Parameter) else Derived(entering.below, entering.output_nr)


def matrix_origin(entering: Input) -> tuple[Target, bool]:
    """Return the matrix that enters and whether it does so transposed."""
    node, transposed = entering.below, False
    while True:
        name = node.name()
        if name in TRANSPOSING and len(node._input_metadata[0].shape) == 2 and _swaps(node):
            transposed = not transposed
        elif name != "ToCopyBackward0":
            break
        node = node.next_functions[0][0]
    leaf = getattr(node, "variable", None)
    return (leaf, transposed) if isinstance(leaf, Parameter) else (origin(entering), False)


def _swaps(node: Node) -> bool:
    match node.name():
        case "TBackward0":
            return True
        case "TransposeBackward0":
            return node._saved_dim0 != node._saved_dim1
        case _:
            return [d % 2 for d in node._saved_dims] == [1, 0]


def pulled_back(parts: list[Part], trained: dict[Parameter, str]) -> list[Part]:
    """Return parts of parameters alone: per-instance gradients of what is derived, taken through what derived it.

    Args:
        parts: No two of the same target.
        trained: The trained parameters of the model.

    Returns:
        Parts, of which several may share a parameter.
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
    seeds = [r.to(d.edge.node._input_metadata[d.edge.output_nr].dtype) for d, r in rows.items()]
    try:
        found = vjp(edges, leaves, seeds, retain_graph=True, batched=True)
    except RuntimeError:  # an operation that cannot be batched
        each = [vjp(edges, leaves, [s[i] for s in seeds], retain_graph=True) for i in range(len(seeds[0]))]
        found = [
            torch.stack([torch.zeros_like(leaf) if row[k] is None else row[k] for row in each])
            for k, leaf in enumerate(leaves)
        ]
    return {leaf: g for leaf, g in zip(leaves, found, strict=True) if g is not None}


def _leaves(below: list[Node], trained: dict[Parameter, str]) -> list[Parameter]:
    seen = set(below)
    leaves: dict[Parameter, None] = {}
    while below:
        node = below.pop()
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, Parameter) and leaf in trained:
            leaves[leaf] = None
        for child, _ in node.next_functions:
            if child is not None and child not in seen:
                seen.add(child)
                below.append(child)
    return list(leaves)
