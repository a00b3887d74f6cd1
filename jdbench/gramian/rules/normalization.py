"""Affine normalizations, y = γ x̂ + β: gᵢ = Σ_t δ_it ∘ x̂_it for γ and Σ_t δ_it for β, over the positions t.

x̂ does not depend on γ and β and is computed again, which is cheaper than keeping it. A batch normalization is
one of them while it uses running statistics; otherwise instances mix.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import Parameter, functional

from jdbench.gramian.call import Call
from jdbench.gramian.part import Part
from jdbench.gramian.rows import Rows
from jdbench.gramian.scale import working


def normalization_part(call: Call, x: Tensor, delta: Tensor) -> Part:
    """Return the gradients of γ and β.

    Args:
        call: Of an `nn.LayerNorm`, `nn.RMSNorm`, `nn.GroupNorm`, `nn.InstanceNorm…` or, with running
            statistics, `nn.BatchNorm…`.
        x: Input, shape ``[m, ...]``.
        delta: Gradient of the output, its shape.

    Returns:
        Their rows.
    """
    delta = working(delta)
    rows: dict[Parameter, Tensor] = {}
    if (weight := call.trained("weight")) is not None:
        rows[weight] = _over_positions(call.module, delta * _normalized(call.module, working(x)))
    if (bias := call.trained("bias")) is not None:
        rows[bias] = _over_positions(call.module, delta)
    return Rows(rows)


def _normalized(module: nn.Module, x: Tensor) -> Tensor:
    if isinstance(module, nn.LayerNorm):
        return functional.layer_norm(x, module.normalized_shape, eps=module.eps)
    if isinstance(module, nn.RMSNorm):
        return functional.rms_norm(x, list(module.normalized_shape), eps=module.eps)
    if isinstance(module, nn.GroupNorm):
        return functional.group_norm(x, module.num_groups, eps=module.eps)
    norm = cast("nn.BatchNorm2d", module)
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        return functional.batch_norm(x, _as(norm.running_mean, x), _as(norm.running_var, x), eps=norm.eps)
    if norm.training or not norm.track_running_stats:
        return functional.instance_norm(x, eps=norm.eps)
    mean, variance = _as(norm.running_mean, x), _as(norm.running_var, x)
    return functional.instance_norm(x, mean, variance, use_input_stats=False, eps=norm.eps)


def _as(statistic: Tensor | None, x: Tensor) -> Tensor | None:
    return None if statistic is None else statistic.to(x.dtype)


def _over_positions(module: nn.Module, terms: Tensor) -> Tensor:
    if isinstance(module, nn.LayerNorm | nn.RMSNorm):
        last = len(module.normalized_shape)
        return terms.reshape(len(terms), -1, *terms.shape[terms.ndim - last :]).sum(1)
    return terms.reshape(*terms.shape[:2], -1).sum(2)
