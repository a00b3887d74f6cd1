"""Heavy ball and Nesterov's method, with gradient and momentum combined by an aggregator."""

from typing import ClassVar

from torch import Tensor

from jdbench.momentum.combination import Momentum
from jdbench.momentum.numbers import below_one
from jdbench.shapes import Vector


class HeavyBall(Momentum):
    """b ← g ⊕ μb, x ← x - ηb (Polyak, 1964): b, the last step without its rate, is the momentum."""

    buffers: ClassVar[tuple[str, ...]] = ("b",)

    def __init__(self, x: Vector, rates: Tensor, aggregator: str = "UPGrad", momentum: float = 0.9) -> None:
        """Set μ, 0 ≤ μ < 1."""
        super().__init__(x, rates, aggregator)
        self.momentum = below_one("momentum", momentum)

    def displacement(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> Vector:
        """Return b, which conflicts neither with g nor with the last b."""
        state["b"] = self.combine(g, self.momentum * state["b"], members)
        return state["b"]


class Nesterov(Momentum):
    """b ← g ⊕ μb, x ← x - η(g ⊕ μb): both sums of Nesterov's method (1983) in torch's form."""

    buffers: ClassVar[tuple[str, ...]] = ("b",)

    def __init__(self, x: Vector, rates: Tensor, aggregator: str = "UPGrad", momentum: float = 0.9) -> None:
        """Set μ, 0 ≤ μ < 1."""
        super().__init__(x, rates, aggregator)
        self.momentum = below_one("momentum", momentum)

    def displacement(self, g: Vector, state: dict[str, Tensor], members: Tensor) -> Vector:
        """Return g ⊕ μb with the new b, which conflicts neither with g nor with that b."""
        state["b"] = self.combine(g, self.momentum * state["b"], members)
        return self.combine(g, self.momentum * state["b"], members)
