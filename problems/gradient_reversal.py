"""Gradient reversal: a trunk learns a task and to hide something from an adversary that reads its features."""

from abc import abstractmethod

from torch import Tensor, nn

from jdbench.problems.task_training import TaskTraining
from jdbench.shapes import Objectives, Vector


def reverse(features: Tensor, strength: float) -> Tensor:
    """Return the features unchanged, whose gradient is multiplied by -strength on its way back.

    Args:
        features: Any shape.
        strength: λ > 0 of Ganin et al. (2016), eq. 18.

    Returns:
        The same values.
    """
    fixed = features.detach()
    return fixed - strength * (features - fixed)


class Reversal(nn.Module):
    """A trunk, a head for the label, and an adversary behind a gradient reversal."""

    def __init__(self, trunk: nn.Module, head: nn.Module, adversary: nn.Module, strength: float) -> None:
        """Put the parts together; all read the trunk's features."""
        super().__init__()
        self.trunk, self.head, self.adversary = trunk, head, adversary
        self.strength = strength

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return the head's and the adversary's outputs."""
        features = self.trunk(inputs)
        return self.head(features), self.adversary(reverse(features, self.strength))


class ReversalTraining(TaskTraining):
    """Both losses of a batch, label and adversary, with the gradients that gradient reversal sends back.

    With parameters θ = (trunk, head, adversary), label loss L and adversary's loss A, the rows are

        (   ∂L/∂trunk,  ∂L/∂head,  0             )   what the task asks of each part,
        ( -λ∂A/∂trunk,  0,         ∂A/∂adversary )   a game: the trunk raises A, the adversary lowers it.

    The usual training takes the sum of the rows (Ganin et al. 2016, eq. 13 to 15), which is twice their mean;
    here they stay apart, so that an aggregator settles the conflict, which is between the trunk's columns
    ([JD] Section 3). The second row is no gradient of a function: -λA for the trunk and A for the adversary are
    two players' objectives in columns that do not overlap, stacked. So a direction that does not
    conflict with the row makes progress for the two players taken together, to first order.
    """

    @abstractmethod
    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return label loss and adversary's loss, shape ``[2]``, behind the reversal."""
