"""Gramian of a sequence of layers by reverse accumulation, as printed: [JD] Algorithm 3, (11) and (12).

The readable reference. It forms whole Jacobians of one layer at a time; `Engine` computes the same for any
model at the price of a gradient.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.shapes import Gramian, Jacobian

Layer = Callable[[Tensor, Tensor], Tensor]
"""fᵢ: (xᵢ, pᵢ) → xᵢ₊₁, vectors all."""


def chain_rule(G: Gramian, J: Jacobian) -> Gramian:
    """Return the Gramian of f ∘ g at x, Jf(g(x)) · Gg(x) · Jf(g(x))ᵀ ([JD] eq. 11).

    Args:
        G: Gramian Gg(x), shape ``[k, k]``.
        J: Jacobian of f at g(x), shape ``[m, k]``.

    Returns:
        Shape ``[m, m]``.

    Example:
        >>> import torch
        >>> from jdbench.gramian import chain_rule
        >>> inner, outer = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, -1.0]])
        >>> chain_rule(inner @ inner.T, outer)  # the inner Jacobian itself is not needed
        tensor([[34.]])
        >>> (outer @ inner) @ (outer @ inner).T
        tensor([[34.]])
    """
    return J @ G @ J.mT


def sum_rule(gramians: Sequence[Gramian]) -> Gramian:
    """Return the Gramian of a function of several inputs, the sum of those of each of them ([JD] eq. 12).

    Args:
        gramians: One for each input, shape ``[m, m]``, at least one.

    Returns:
        Shape ``[m, m]``.

    Raises:
        InputError: There is none.

    Example:
        >>> import torch
        >>> from jdbench.gramian import sum_rule
        >>> weight, bias = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[1.0], [1.0]])
        >>> sum_rule([weight @ weight.T, bias @ bias.T])  # that of the Jacobian with respect to both
        tensor([[6., 3.],
                [3., 2.]])
    """
    if not gramians:
        raise InputError("gramians=[], required at least one, got none, pass that of every input")
    return torch.stack(list(gramians)).sum(0)


def reverse_accumulation(layers: Sequence[Layer], parameters: Sequence[Tensor], x: Tensor) -> Gramian:
    """Return the Gramian of x_k with respect to all parameters, where xᵢ₊₁ = fᵢ(xᵢ, pᵢ) ([JD] Algorithm 3).

    The paper's Jacobians of a layer multiply from the left there, hence its columns are our rows: here
    J_p = J_x · ∂fᵢ/∂pᵢ of shape ``[n_k, ℓᵢ]``, so that G = Σ J_p J_pᵀ as printed.

    Args:
        layers: f₀ to f₍ₖ₋₁₎.
        parameters: pᵢ of each layer, shape ``[ℓᵢ]``; ℓᵢ may be 0.
        x: Input x₀, shape ``[n₀]``.

    Returns:
        Gramian, shape ``[n_k, n_k]``, dtype of the last activation.

    Raises:
        InputError: There are not as many parameters as layers, or there is no layer.

    Example:
        >>> import torch
        >>> from jdbench.gramian import reverse_accumulation
        >>> scale, square = (lambda x, p: x * p), (lambda x, p: x.square())
        >>> parameters = [torch.tensor([2.0, 1.0]), torch.zeros(0)]
        >>> reverse_accumulation([scale, square], parameters, torch.tensor([1.0, 3.0]))  # of (p₁², 9p₂²)
        tensor([[ 16.,   0.],
                [  0., 324.]])
    """
    if len(layers) != len(parameters) or not layers:
        raise InputError(
            f"parameters, required one vector a layer and a layer, got {len(parameters)} for {len(layers)}, "
            "pass an empty vector for a layer without parameters"
        )
    activations = [x.detach()]
    for f, p in zip(layers, parameters, strict=True):
        activations.append(f(activations[-1], p.detach()).detach())
    last = activations[-1]
    J_x = torch.eye(len(last), dtype=last.dtype, device=last.device)
    G = torch.zeros_like(J_x)
    for f, p, a in zip(reversed(layers), reversed(parameters), activations[-2::-1], strict=True):
        by_input, by_parameter = torch.func.jacrev(f, argnums=(0, 1))(a, p.detach())
        J_p = J_x @ by_parameter
        J_x = J_x @ by_input
        G = G + J_p @ J_p.mT
    return G
