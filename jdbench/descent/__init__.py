"""How a step is taken: the loop, directions from rows of gradients, optimisers, momentum by aggregation."""

from jdbench.descent.loop import (
    DescentResult,
    Source,
    State,
    Watch,
    Weighed,
    descend,
    estimated_jacobian,
    full_jacobian,
    sub_jacobian,
)
from jdbench.descent.optimizer import Optimizer
from jdbench.descent.optimizers import Descent, TorchOptimizer, check_optimizer, make_optimizer

__all__ = [
    "Descent",
    "DescentResult",
    "Optimizer",
    "Source",
    "State",
    "TorchOptimizer",
    "Watch",
    "Weighed",
    "check_optimizer",
    "descend",
    "estimated_jacobian",
    "full_jacobian",
    "make_optimizer",
    "sub_jacobian",
]
