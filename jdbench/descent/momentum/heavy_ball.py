"""Heavy ball and Nesterov's method, with gradient and momentum combined by an aggregator."""

from typing import ClassVar

from torch import Tensor

from jdbench.descent.momentum.combination import Combination
from jdbench.descent.momentum.method import Momentum
from jdbench.descent.momentum.options import MOMENTUM, SOME_MOMENTUM, Option, weight_decay
from jdbench.shapes import Vector


class HeavyBall(Momentum):
    """b ← g ⊕ μb, x ← x - ηb (Polyak, 1964): b, the last step without its rate, is the momentum.

    Options: ``momentum``, 0 ≤ μ < 1, 0.9 by default; ``weight_decay``, λ ≥ 0, whose λx is added to g. With Mean
    it is torch's ``SGD(momentum=μ)``.

    Example:
        >>> import torch
        >>> from jdbench.momentum import HeavyBall
        >>> x, members = torch.zeros(1, 2), torch.tensor([0])
        >>> method = HeavyBall(x, torch.tensor([0.1]), momentum=0.5)
        >>> x = method.step(x, torch.tensor([[8.0, 0.0]]), members)
        >>> method.step(x, torch.tensor([[-1.0, 1.0]]), members).round(decimals=3)  # b = (-1, 1) ⊕ (4, 0)
        tensor([[-1.0000, -0.3000]])
    """

    options: ClassVar[dict[str, Option]] = {"momentum": MOMENTUM, "weight_decay": weight_decay(0.0)}
    buffers: ClassVar[dict[str, str]] = {"b": "momentum_buffer"}

    @staticmethod
    def displacement(
        g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return b, which conflicts neither with g nor with the last b."""
        state["b"] = sums.combine(g, sums.spread(options["momentum"], g) * state["b"])
        return state["b"]


class Nesterov(Momentum):
    """b ← g ⊕ μb, x ← x - η(g ⊕ μb): both sums of Nesterov's method (1983) in torch's form.

    Options: those of `HeavyBall`, but 0 < μ, as torch has it. With Mean it is torch's
    ``SGD(momentum=μ, nesterov=True)``.

    Example:
        >>> import torch
        >>> from jdbench.momentum import Nesterov
        >>> x, members = torch.zeros(1, 1), torch.tensor([0])
        >>> method = Nesterov(x, torch.tensor([0.1]), aggregator="Mean", momentum=0.5)
        >>> method.step(x, torch.tensor([[1.0]]), members).round(decimals=3)  # -η(g + μb), with b = g at first
        tensor([[-0.1500]])
    """

    options: ClassVar[dict[str, Option]] = {"momentum": SOME_MOMENTUM, "weight_decay": weight_decay(0.0)}
    buffers: ClassVar[dict[str, str]] = {"b": "momentum_buffer"}

    @staticmethod
    def displacement(
        g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return g ⊕ μb with the new b, which conflicts neither with g nor with that b."""
        momentum = sums.spread(options["momentum"], g)
        state["b"] = sums.combine(g, momentum * state["b"])
        return sums.combine(g, momentum * state["b"])
