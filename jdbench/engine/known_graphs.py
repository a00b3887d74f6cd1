"""What an engine has learnt of the graphs it has met: what follows from parameters alone, where instances lie.

Both are guessed where they are new, from shapes and from what the graph has saved, and then read off the
gradients themselves (`jdbench.engine.layout_search`). A guess that the gradients refute is turned round.
"""

import math
from collections import Counter, OrderedDict
from collections.abc import Hashable
from typing import final

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from jdbench.engine.graph import Graph, Input, IsConstant, Junction, Signature, Signatures
from jdbench.engine.layout import Regular
from jdbench.engine.structure import Shape, metadata

STRUCTURES = 512
"""How many structures are remembered: models that leave out layers at random may have no end of them."""


@final
class KnownStructure:
    """What is known of a structure.

    Attributes:
        layouts: The layouts of the outputs of a junction, by their numbers; None where gradients have not
            shown them yet.
        late: Which of several junctions of one signature, counted in the order of the graph, had gradients of
            zero when the others showed that layout, so that theirs is not known.
        irregular: Junctions whose layouts are read off the gradients in every step.
        routes: The places that data were picked from or put to when the layouts were read off; with other
            ones, instances may lie elsewhere.
        uses: How often the structure was used.
    """

    def __init__(self) -> None:
        self.layouts: dict[Signature, dict[int, Regular | None]] = {}
        self.late: dict[tuple[Signature, int], set[int]] = {}
        self.irregular: set[Signature] = set()
        self.routes: list[Tensor] = []
        self.uses = 0


@final
class KnownGraphs:
    """What is known, by structures that depend neither on the batch nor on the length of sequences.

    Attributes:
        model: Whose graphs these are.
        constant: Whether nodes of a signature follow from parameters alone.
        signatures: Those of all nodes met.
        generator: Of the weights that distinguish instances.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self.constant: dict[Signature, bool] = {}
        self.signatures = Signatures()
        self.generator = torch.Generator().manual_seed(0)
        self._structures: OrderedDict[Hashable, KnownStructure] = OrderedDict()

    def of(self, graph: Graph) -> KnownStructure:
        """Return what is known of a graph's structure; those not met for longest are forgotten."""
        known = self._structures.setdefault(graph.structure, KnownStructure())
        self._structures.move_to_end(graph.structure)
        if len(self._structures) > STRUCTURES:
            self._structures.popitem(last=False)
        return known

    def due(self, graph: Graph) -> bool:
        """Count one more use of a structure and return whether their number is a power of two."""
        known = self.of(graph)
        known.uses += 1
        return known.uses & (known.uses - 1) == 0

    def is_constant(self, instances: int) -> IsConstant:
        """Return the function that says whether a node follows from parameters alone.

        It says what was learnt, or else how the node looks: a wrong answer costs time, never a wrong number.
        """

        def constant(node: Node, inputs: list[Input], signature: Signature, shapes: list[Shape]) -> bool:
            known = self.constant.get(signature)
            if known is None:
                known = not _looks_like_data(node, inputs, shapes, instances, self.model)
                self.constant[signature] = known
            return known

        return constant

    def recall(self, graph: Graph, instances: int) -> bool:
        """Set the layouts of the junctions of a graph of B instances.

        Returns:
            Whether every junction, with the outputs that are used, was met before in such a structure.
        """
        structure = self.of(graph)
        if len(structure.routes) != len(graph.routes):
            return False
        if any(not torch.equal(a, b) for a, b in zip(structure.routes, graph.routes, strict=True)):
            return False
        counts: Counter[Signature] = Counter()
        for junction in graph.junctions:
            known = structure.layouts.get(junction.signature)
            if known is None or junction.signature in structure.irregular:
                return False
            for number in junction.used:
                if number not in known:
                    return False
                layout = known[number]
                if layout is not None:
                    size = junction.shapes[number][layout.axis]
                    layout = layout.resized(size, instances, graph.groupings)
                    if layout is None:
                        return False
                    if counts[junction.signature] in structure.late.get((junction.signature, number), ()):
                        junction.likely[number], layout = layout, None
                junction.layouts[number] = layout
            counts[junction.signature] += 1
        return True

    def learn(
        self,
        graph: Graph,
        instances: int,
        found: dict[tuple[Junction, int], Regular | None],
        irregular: list[Junction],
    ) -> None:
        """Keep what the gradients of a graph have shown.

        What one signature stands for several times has to agree; if it does not, or if places of instances
        follow no rule, gradients have to show it in every step.

        Args:
            graph: Of which.
            instances: B.
            found: Layouts of outputs of junctions; None where the gradients leave several possible.
            irregular: Junctions without a regular layout.
        """
        structure = self.of(graph)
        structure.routes = [route.clone() for route in graph.routes]
        structure.irregular |= {junction.signature for junction in irregular}
        alike: dict[tuple[Signature, int], list[tuple[Junction, Regular | None]]] = {}
        for (junction, number), layout in found.items():
            alike.setdefault((junction.signature, number), []).append((junction, layout))
        for (signature, number), each in alike.items():
            known = structure.layouts.setdefault(signature, {})
            first = known.setdefault(number, next((layout for _, layout in each if layout), None))
            if first is None:
                known[number] = first = next((layout for _, layout in each if layout), None)
            late = {k for k, (_, layout) in enumerate(each) if layout is None}
            structure.late[signature, number] = late & structure.late.get((signature, number), late)
            for junction, layout in each:
                if first and layout and not first.is_like(layout):
                    structure.irregular.add(signature)
                elif first and layout is None:
                    size = junction.shapes[number][first.axis]
                    likely = first.resized(size, instances, graph.groupings)
                    junction.likely |= {} if likely is None else {number: likely}


LOOKUPS = {
    "EmbeddingBackward0",
    "EmbeddingBagBackward0",
    "IndexBackward0",
    "IndexSelectBackward0",
    "GatherBackward0",
}
"""Operations with integer arguments, which have no place in the graph."""


def foreign(node: Node, instances: int, model: nn.Module) -> list[Tensor]:
    """Return tensors that a node has saved and that may count the B instances.

    Without the parameters and buffers of the model, and copies of them.
    """
    own = [*model.parameters(), *model.buffers()]
    found: list[Tensor] = []
    for name in dir(node):
        if not name.startswith("_saved_"):
            continue
        try:
            t = getattr(node, name)
        except RuntimeError:  # freed, or changed in place: the backward pass will say so
            continue
        if isinstance(t, Tensor) and any(size % instances == 0 and size for size in t.shape):
            same = [o for o in own if o.shape == t.shape and o.dtype == t.dtype and o.device == t.device]
            if not any(torch.equal(o, t) for o in same):
                found.append(t)
    return found


def _looks_like_data(
    node: Node, inputs: list[Input], shapes: list[Shape], instances: int, model: nn.Module
) -> bool:
    if not any(size % instances == 0 and size for shape in shapes for size in shape):
        return False
    sizes = [math.prod(metadata(i.below)[i.output_nr].shape) for i in inputs]
    if max(math.prod(shape) for shape in shapes) > max(sizes):
        return True
    undifferentiated = len(inputs) < len(node.next_functions) or node.name() in LOOKUPS
    return undifferentiated and bool(foreign(node, instances, model))
