"""Heavy ball, Nesterov's method, Adam, AdamW and NAdam, their gradient and momentum combined by an aggregator.

The adaptive ones combine in the metric of the second moments.
"""

from typing import ClassVar

from torch import Tensor

from jdbench.descent.momentum.combination import Combination
from jdbench.descent.momentum.method import Momentum
from jdbench.descent.momentum.options import (
    BETAS,
    EPS,
    MOMENTUM,
    MOMENTUM_DECAY,
    SOME_MOMENTUM,
    Option,
    weight_decay,
)
from jdbench.shapes import Vector


class Adam(Momentum):
    """m ← (1 - β₁)g ⊕ β₁m in the metric of v ← β₂v + (1 - β₂)g², x ← x - ηD⁻¹m / (1 - β₁ᵗ) (Kingma & Ba, 2014).

    Options: ``betas``, both within [0, 1), (0.9, 0.999) by default; ``eps`` > 0, 1e-8 by default;
    ``weight_decay``, λ ≥ 0, whose λx is added to g, 0 by default.

    Example:
        >>> import torch
        >>> from jdbench.momentum import Adam
        >>> x, members = torch.zeros(1, 2), torch.tensor([0])
        >>> method = Adam(x, torch.tensor([0.1]))
        >>> method.step(x, torch.tensor([[3.0, -0.01]]), members).round(decimals=3)  # η against each sign
        tensor([[-0.1000,  0.1000]])
    """

    options: ClassVar[dict[str, Option]] = {"betas": BETAS, "eps": EPS, "weight_decay": weight_decay(0.0)}
    buffers: ClassVar[dict[str, str]] = {"m": "exp_avg", "v": "exp_avg_sq"}

    @staticmethod
    def displacement(
        g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return D⁻¹m / (1 - β₁ᵗ), which conflicts neither with g nor with the last m."""
        return _adams(g, state, options, sums)


class AdamW(Momentum):
    """Adam's step after x ← (1 - ηλ)x, which is no part of the combination (Loshchilov & Hutter, 2019).

    Options: those of `Adam`, with ``weight_decay`` 0.01 by default.

    Example:
        >>> import torch
        >>> from jdbench.momentum import AdamW
        >>> x, members = torch.ones(1, 2), torch.tensor([0])
        >>> method = AdamW(x, torch.tensor([0.1]), weight_decay=0.5)
        >>> method.step(x, torch.tensor([[3.0, -0.01]]), members).round(decimals=3)  # (1 - ηλ)x ∓ η
        tensor([[0.8500, 1.0500]])
    """

    options: ClassVar[dict[str, Option]] = {"betas": BETAS, "eps": EPS, "weight_decay": weight_decay(0.01)}
    buffers: ClassVar[dict[str, str]] = {"m": "exp_avg", "v": "exp_avg_sq"}
    decoupled: ClassVar[bool] = True

    @staticmethod
    def displacement(
        g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return D⁻¹m / (1 - β₁ᵗ), which conflicts neither with g nor with the last m."""
        return _adams(g, state, options, sums)


class NAdam(Momentum):
    """x ← x - ηD⁻¹(c g ⊕ c′m), Adam's moments in Nesterov's step (Dozat, 2016), c and c′ as in torch.

    μₜ = β₁(1 - ½·0.96^(tψ)), Πₜ = μ₁⋯μₜ, c = (1 - μₜ) / (1 - Πₜ) and c′ = μₜ₊₁ / (1 - Πₜ₊₁).

    Options: those of `Adam`, and ``momentum_decay``, ψ ≥ 0, 0.004 by default.

    Example:
        >>> import torch
        >>> from jdbench.momentum import NAdam
        >>> x, members = torch.zeros(1, 2), torch.tensor([0])
        >>> method = NAdam(x, torch.tensor([0.1]), betas=(0.5, 0.9), momentum_decay=0.0)
        >>> method.step(x, torch.tensor([[3.0, -0.01]]), members).round(decimals=3)
        tensor([[-0.1130,  0.1130]])
    """

    options: ClassVar[dict[str, Option]] = {
        "betas": BETAS,
        "eps": EPS,
        "weight_decay": weight_decay(0.0),
        "momentum_decay": MOMENTUM_DECAY,
    }
    buffers: ClassVar[dict[str, str]] = {"m": "exp_avg", "v": "exp_avg_sq"}
    counts: ClassVar[dict[str, tuple[str, float]]] = {**Momentum.counts, "product": ("mu_product", 1.0)}

    @staticmethod
    def displacement(
        g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
    ) -> Vector:
        """Return D⁻¹(c g ⊕ c′m), which conflicts neither with g nor with m."""
        m, D = moments(g, state, options, sums)
        now, soon = (
            options["betas"][0] * (1 - 0.5 * 0.96 ** (t * options["momentum_decay"]))
            for t in (state["t"], state["t"] + 1)
        )
        state["product"] = state["product"] * now.to(state["product"])
        product = state["product"].to(now)
        c = sums.spread((1 - now) / (1 - product), g)
        c_soon = sums.spread(soon / (1 - product * soon), g)
        return sums.combine(c * g, c_soon * m, D) / D


def moments(
    g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination
) -> tuple[Vector, Vector]:
    """Return m and D = √v̂ + ε, both ``[k, n]``, and replace ``m`` and ``v`` in the state."""
    beta1, beta2 = options["betas"]
    state["v"] = sums.spread(beta2, g) * state["v"] + sums.spread(1 - beta2, g) * g.square()
    D = (state["v"] / sums.spread(1 - beta2 ** state["t"], g)).sqrt() + sums.spread(options["eps"], g)
    state["m"] = sums.combine(sums.spread(1 - beta1, g) * g, sums.spread(beta1, g) * state["m"], D)
    return state["m"], D


def _adams(g: Vector, state: dict[str, Tensor], options: dict[str, Tensor], sums: Combination) -> Vector:
    m, D = moments(g, state, options, sums)
    return m / sums.spread(1 - options["betas"][0] ** state["t"], g) / D


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
