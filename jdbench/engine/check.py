"""Whether the engine says what an ordinary backward pass says."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.engine.part import Part
from jdbench.shapes import Gramian, Weights


class MismatchError(Exception):
    """A gradient that differs; the message says which and by how much."""


def compare(
    parts: list[Part],
    G: Gramian,
    expected: Sequence[Tensor | None],
    w: Weights,
    names: dict[Parameter, str],
    eps: float,
) -> None:
    """Raise unless Jᵀw and wᵀGw from the parts are ∇(wᵀf) and ‖∇(wᵀf)‖² from an ordinary backward pass.

    Each parameter is judged by itself: half of the digits must agree, relative to Σᵢ |wᵢ|‖gᵢ‖ of that
    parameter, above 64 roundings of that of the whole model.

    Args:
        parts: What stands for the Jacobian.
        G: Their Gramian.
        expected: ∇(wᵀf), one tensor a parameter.
        w: Drawn at random, shape ``[m]``, float64.
        names: The trained parameters of the model.
        eps: Of the narrowest dtype that was computed in.

    Raises:
        MismatchError: They differ.
    """
    ours: dict[Parameter, Tensor] = {}
    sizes: dict[Parameter, float] = {}
    for part in parts:
        for p, g, bound in zip(part.parameters, part.gradient(w), part.bounds(), strict=True):
            assert isinstance(p, Parameter)
            ours[p], sizes[p] = g, float(w.abs() @ bound.to(w))
    whole = float(w.abs() @ G.diagonal().clamp(min=0).sqrt())
    if not whole < float("inf"):  # diverged: nothing can be compared
        return
    square = 0.0
    for (p, name), g in zip(names.items(), expected, strict=True):
        g = torch.zeros_like(p) if g is None else g.to_dense() if g.is_sparse else g
        g = g.to(torch.float64)
        square += float(g.square().sum())
        mine = ours.get(p, torch.zeros_like(p)).to(torch.float64)
        difference = float((mine - g).norm())
        room = eps**0.5 * sizes.get(p, 0.0) + 64 * eps * whole
        if not difference <= room:
            raise MismatchError(
                f"parameter={name!r}, required the gradient of an ordinary backward pass, of norm "
                f"{float(g.norm()):.3g}, got one that differs by {difference:.3g}"
            )
    if not abs(float(w @ G @ w) - square) <= eps**0.5 * whole**2:
        raise MismatchError(
            f"G, required wᵀGw = ‖∇(wᵀf)‖² = {square:.6g} for a random w, got {float(w @ G @ w):.6g}"
        )
