"""Whether the engine says what an ordinary backward pass says."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.engine.parts import Part, Target
from jdbench.shapes import Gramian, Weights


class MismatchError(Exception):
    """A gradient that differs; the message says which and by how much."""


def compare_with_autograd(
    parts: list[Part],
    G: Gramian,
    expected: Sequence[Tensor | None],
    w: Weights,
    names: dict[Parameter, str],
    eps: float,
) -> None:
    """Raise unless Jᵀw and wᵀGw from the parts are ∇(wᵀf) and ‖∇(wᵀf)‖² from an ordinary backward pass.

    Each parameter is judged by itself: half of the digits must agree, relative to Σᵢ |wᵢ|‖gᵢ‖ of that
    parameter, above 64 roundings of that of the whole model. Parameters with hooks are left out, and G with
    them.

    Args:
        parts: Those of the Jacobian.
        G: Their Gramian.
        expected: ∇(wᵀf), one tensor a parameter.
        w: Drawn at random, shape ``[m]``, float64.
        names: The trained parameters of the model.
        eps: Of the narrowest dtype that was computed in.

    Raises:
        MismatchError: They differ.
    """
    ours: dict[Target, tuple[Tensor, Tensor]] = {}
    for part in parts:
        for p, g, bound in zip(part.parameters, part.gradient(w), part.bounds(), strict=True):
            ours[p] = g, w.abs() @ bound.to(w)
    whole = float(w.abs() @ G.diagonal().clamp(min=0).sqrt())
    if not whole < float("inf"):  # diverged: nothing can be compared, but that autograd has diverged as well
        for (p, name), g in zip(names.items(), expected, strict=True):
            finite = p not in ours or math.isfinite(float(_norm(ours[p][0])))
            if not finite and (g is None or math.isfinite(float(_norm(g.to_dense())))):
                raise MismatchError(
                    f"parameter={name!r}, required a finite gradient as autograd gives, got another"
                )
        return
    compared: list[str] = []
    norms: list[Tensor] = []
    for (p, name), found in zip(names.items(), expected, strict=True):
        if not p._backward_hooks:  # pyright: ignore[reportPrivateUsage]
            g = torch.zeros_like(p) if found is None else found.to_dense() if found.is_sparse else found
            mine, size = ours.get(p, (torch.zeros_like(p), w.new_zeros(())))
            compared.append(name)
            norms += [_norm(g), _norm(mine - g), size]
    numbers = iter(torch.stack(norms).tolist() if norms else [])
    square = 0.0
    for name, norm, difference, size in zip(compared, numbers, numbers, numbers, strict=True):
        square += norm**2
        if not difference <= eps**0.5 * size + 64 * eps * whole:
            raise MismatchError(
                f"parameter={name!r}, required the gradient of an ordinary backward pass, of norm "
                f"{norm:.3g}, got one that differs by {difference:.3g}"
            )
    # What a hook on a parameter makes of its gradient is no gradient.
    hooked = len(compared) < len(names)
    if not hooked and not abs(float(w @ G @ w) - square) <= eps**0.5 * whole**2:
        raise MismatchError(
            f"G, required wᵀGw = ‖∇(wᵀf)‖² = {square:.6g} for a random w, got {float(w @ G @ w):.6g}"
        )


def _norm(t: Tensor) -> Tensor:
    return torch.linalg.vector_norm(t, dtype=torch.float64)
