"""The gradients that have arrived at a junction: all that a rule needs."""

from dataclasses import dataclass
from typing import Any, final

from torch import Tensor

from jdbench.engine.graph import Input, Junction
from jdbench.engine.layout import Layout
from jdbench.engine.structure import saved
from jdbench.errors import InputError


@final
@dataclass(frozen=True)
class Arrival:
    """Per-instance gradients of the outputs of a junction.

    Attributes:
        junction: The junction.
        deltas: By the numbers of the outputs, instances in front as `Layout.arranged` puts them: ``[m, …]``,
            the rows (0, 0), (0, 1), … of instances and tasks one after the other.
        times: Rows an instance, the number of tasks.
    """

    junction: Junction
    deltas: dict[int, Tensor]
    times: int

    @property
    def delta(self) -> Tensor:
        """The gradient of the first output."""
        return self.deltas[0]

    @property
    def layout(self) -> Layout:
        """Where instances lie in the first output."""
        layout = self.junction.layouts[0]
        assert layout is not None
        return layout

    @property
    def inputs(self) -> dict[int, Input]:
        """The inputs that follow from parameters alone, by their numbers."""
        return {entering.number: entering for entering in self.junction.inputs}

    def arranged(self, t: Tensor) -> Tensor:
        """Return a tensor with the layout of the first output, instances in front, repeated for every task."""
        return repeated(self.layout.arranged(t), self.times)

    def saved(self, name: str) -> Any:
        """Return what the operation kept for its derivative, such as ``"input"``.

        Raises:
            InputError: It was changed in place since.
        """
        try:
            return saved(self.junction.node, name)
        except RuntimeError as error:
            raise InputError(
                f"losses, required a graph with all that it needs, got {self.junction.node.name()} without: "
                f"{str(error).splitlines()[0]} Replace the in-place operation, or keep the graph"
            ) from error


def repeated(t: Tensor, times: int) -> Tensor:
    """Return a tensor with every slice along the first axis repeated, as rows (instance, task) want it."""
    return t if times == 1 else t.repeat_interleave(times, 0)
