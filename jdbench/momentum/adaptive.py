"""Adam, AdamW and NAdam, with gradient and momentum combined in the metric of the second moments."""

from typing import ClassVar

import torch
from torch import Tensor

from jdbench.aggregators.numbers import checked_number
from jdbench.momentum.combination import Momentum
from jdbench.momentum.numbers import below_one
from jdbench.shapes import Vector


class Adaptive(Momentum):
    """What Adam, AdamW and NAdam share: m ← (1 - β₁)g ⊕ β₁m in the metric of v ← β₂v + (1 - β₂)g²."""

    buffers: ClassVar[tuple[str, ...]] = ("m", "v")

    def __init__(
        self,
        x: Vector,
        rates: Tensor,
        aggregator: str = "UPGrad",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        """Set β₁ and β₂, both within [0, 1), and ε > 0."""
        super().__init__(x, rates, aggregator)
        self.betas = below_one("betas[0]", betas[0]), below_one("betas[1]", betas[1])
        self.eps = checked_number("eps", eps, positive=True, hint="1e-8")

    def moments(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> tuple[Vector, Vector]:
        """Return m and D = √v̂ + ε, brought up to date, both of shape ``[k, n]``."""
        beta1, beta2 = self.betas
        state["v"] = beta2 * state["v"] + (1 - beta2) * g.square()
        D = (state["v"] / _column(1 - beta2 ** state["t"], g)).sqrt() + self.eps
        state["m"] = self.combine((1 - beta1) * g, beta1 * state["m"], members, D)
        return state["m"], D


class Adam(Adaptive):
    """x ← x - ηD⁻¹m / (1 - β₁ᵗ) with the moments of `Adaptive` (Kingma & Ba, 2014)."""

    def displacement(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> Vector:
        """Return D⁻¹m / (1 - β₁ᵗ), which conflicts neither with g nor with the last m."""
        m, D = self.moments(g, state, members)
        return m / _column(1 - self.betas[0] ** state["t"], g) / D


class AdamW(Adaptive):
    """Adam's step after x ← (1 - ηλ)x, which is no part of the combination (Loshchilov & Hutter, 2019)."""

    def __init__(
        self,
        x: Vector,
        rates: Tensor,
        aggregator: str = "UPGrad",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        """Set β₁ and β₂, both within [0, 1), ε > 0 and λ ≥ 0."""
        super().__init__(x, rates, aggregator, betas, eps)
        self.weight_decay = checked_number("weight_decay", weight_decay, positive=False, hint="0.01")

    def displacement(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> Vector:
        """Return D⁻¹m / (1 - β₁ᵗ), which conflicts neither with g nor with the last m."""
        m, D = self.moments(g, state, members)
        return m / _column(1 - self.betas[0] ** state["t"], g) / D


class NAdam(Adaptive):
    """x ← x - ηD⁻¹(c g ⊕ c′m), Adam's moments in Nesterov's step (Dozat, 2016), c and c′ as in torch.

    μₜ = β₁(1 - ½·0.96^(tψ)), Πₜ = μ₁⋯μₜ, c = (1 - μₜ) / (1 - Πₜ) and c′ = μₜ₊₁ / (1 - Πₜ₊₁).
    """

    def __init__(
        self,
        x: Vector,
        rates: Tensor,
        aggregator: str = "UPGrad",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        momentum_decay: float = 0.004,
    ) -> None:
        """Set β₁ and β₂, both within [0, 1), ε > 0 and ψ ≥ 0."""
        super().__init__(x, rates, aggregator, betas, eps)
        self.momentum_decay = checked_number("momentum_decay", momentum_decay, positive=False, hint="0.004")
        self.state["product"] = torch.ones_like(self.state["t"])

    def displacement(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> Vector:
        """Return D⁻¹(c g ⊕ c′m), which conflicts neither with g nor with m."""
        m, D = self.moments(g, state, members)
        now, soon = (
            self.betas[0] * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)) for t in (state["t"], state["t"] + 1)
        )
        state["product"] = state["product"] * now
        c = _column((1 - now) / (1 - state["product"]), g)
        c_soon = _column(soon / (1 - state["product"] * soon), g)
        return self.combine(c * g, c_soon * m, members, D) / D


def _column(t: Tensor, g: Vector) -> Tensor:
    """Return one number a member, shape ``[k, 1]``, in the dtype of g."""
    return t.to(g.dtype).unsqueeze(-1)
