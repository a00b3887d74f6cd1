"""Whether the promises hold: instances do not mix, and parameters are used by the modules that own them."""

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.errors import InputError
from jdbench.gramian.graph import Found
from jdbench.gramian.part import Part
from jdbench.gramian.vjp import vjp


def check_owners(found: Found, names: dict[Parameter, str]) -> None:
    """Raise if the losses use a parameter other than through the module that owns it.

    Args:
        found: What the graph of the losses holds.
        names: The trained parameters of the model.

    Raises:
        InputError: They do.
    """
    for leaf in found.outside:
        if isinstance(leaf, Parameter) and leaf in names:
            raise InputError(
                f"parameter={names[leaf]!r}, required a use by the modules that own it, got another, or one "
                "before the engine was built, call a module that holds it (several may hold the same one)"
            )


def check_gradient(losses: Tensor, found: Found, parts: list[Part], names: dict[Parameter, str]) -> None:
    """Raise unless Jᵀw from the parts is ∇(wᵀf) from one more backward pass, for a w drawn at random.

    With instances that mix, the parts hold Σᵢ ∂fᵢ by instance j's share of the layers, not ∂fⱼ. The sums over
    all rows agree, weighted ones do not. Half of the digits must.

    Args:
        losses: Shape ``[B]`` or ``[B, T]``; its graph is kept.
        found: What that graph holds.
        parts: What stands for their Jacobian.
        names: The trained parameters of the model.

    Raises:
        InputError: They differ.
    """
    drawn = torch.randn(losses.numel(), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w = drawn.to(losses.device)
    parameters = list(names)
    expected = vjp(losses, parameters, w.view_as(losses).to(losses.dtype), retain_graph=True)
    ours = {p: g for part in parts for p, g in zip(part.parameters, part.gradient(w), strict=True)}
    mixed = [call.autocast[1] for _, call, _ in found.outputs if call.autocast is not None]
    narrowest = max(torch.finfo(dtype).eps for dtype in {losses.dtype, *(p.dtype for p in parameters), *mixed})
    size = _norm([g for g in expected if g is not None] + list(ours.values()))
    for p, g in zip(parameters, expected, strict=True):
        difference = _norm([ours.get(p, torch.zeros_like(p)) - (torch.zeros_like(p) if g is None else g)])
        if not difference <= narrowest**0.5 * size:
            raise InputError(
                f"parameter={names[p]!r}, required losses that depend on one instance each, got gradients that "
                "say otherwise, find the operation that mixes instances, or pass separable=False"
            )


def _norm(tensors: list[Tensor]) -> float:
    return float(torch.stack([t.to(torch.float64).norm() for t in tensors]).norm()) if tensors else 0.0
