"""Closed forms: per-instance gradients of a layer's parameters from its input x and its output's gradient δ."""

from collections.abc import Callable

from torch import Tensor, nn

from jdbench.gramian.call import Call
from jdbench.gramian.part import Part
from jdbench.gramian.rules.convolution import convolution_part
from jdbench.gramian.rules.embedding import embedding_part
from jdbench.gramian.rules.linear import linear_part
from jdbench.gramian.rules.normalization import normalization_part

Rule = Callable[[Call, Tensor, Tensor], Part]
"""Takes a call, its input ``[m, ...]`` and the gradient of its output ``[m, ...]``."""

RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: linear_part,
    nn.Conv1d: convolution_part,
    nn.Conv2d: convolution_part,
    nn.Conv3d: convolution_part,
    nn.Embedding: embedding_part,
    nn.LayerNorm: normalization_part,
    nn.RMSNorm: normalization_part,
    nn.GroupNorm: normalization_part,
    nn.InstanceNorm1d: normalization_part,
    nn.InstanceNorm2d: normalization_part,
    nn.InstanceNorm3d: normalization_part,
    nn.BatchNorm1d: normalization_part,
    nn.BatchNorm2d: normalization_part,
    nn.BatchNorm3d: normalization_part,
}


def rule_of(module: nn.Module) -> Rule | None:
    """Return the closed form of a module.

    Args:
        module: Any module.

    Returns:
        The rule; None for a subclass, which may compute anything, and for a reparametrised module.
    """
    rule = RULES.get(type(module))
    own = {name for name, _ in module.named_parameters(recurse=False)}
    if own - {"weight", "bias"} or next(module.children(), None) is not None:
        return None
    return rule
