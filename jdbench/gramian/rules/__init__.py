"""Closed forms: per-instance gradients of a layer's parameters from its input x and its output's gradient δ."""

from collections.abc import Callable

from torch import Tensor, nn

from jdbench.gramian.call import Call
from jdbench.gramian.parts import Part
from jdbench.gramian.rules.convolution import convolution
from jdbench.gramian.rules.embedding import embedding
from jdbench.gramian.rules.linear import linear
from jdbench.gramian.rules.normalization import normalization

Rule = Callable[[Call, Tensor, Tensor], Part]
"""Takes a call, its input ``[m, ...]`` and the gradient of its output ``[m, ...]``."""

RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: linear,
    nn.Conv1d: convolution,
    nn.Conv2d: convolution,
    nn.Conv3d: convolution,
    nn.Embedding: embedding,
    nn.LayerNorm: normalization,
    nn.RMSNorm: normalization,
    nn.GroupNorm: normalization,
    nn.InstanceNorm1d: normalization,
    nn.InstanceNorm2d: normalization,
    nn.InstanceNorm3d: normalization,
    nn.BatchNorm1d: normalization,
    nn.BatchNorm2d: normalization,
    nn.BatchNorm3d: normalization,
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
