"""The problems of Zitzler, Deb & Thiele, smooth and without a box: f₂ = g(x₂ …)h(f₁, g), the front at g = 1.

The published problems live on the box [0, 1]ⁿ. Here x₁ is a smooth function of u₁ onto [0, 1], sin⁴u₁ where f₂
holds √x₁ (which is then sin²u₁) and sin²u₁ elsewhere, and x₂ … enter g by squares: everything is defined and
differentiable on Rⁿ, and the front is the published one. In the originals the set lies on the boundary of the
box, and √f₁ has infinite slope at 0. Distances are measured among objective values.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.problems.curve import distance_to_parabola
from jdbench.problems.disconnected_front import distance_to_pieces, pieces
from jdbench.problems.two_part import TwoPart, Value, power
from jdbench.shapes import Vector


class ZDT1(TwoPart):
    """Smooth ZDT1, f₂ = g(1 - √(f₁/g)): a convex front f₂ = 1 - √f₁.

    f₁ = sin⁴u₁ and f₂ = g - √g sin²u₁. There is no β: ∂²f₂/∂u₁² grows with √g.

    Example:
        >>> from jdbench.problems.zdt import ZDT1
        >>> problem = ZDT1()
        >>> f1, f2 = problem.objectives(problem.pareto_set(3)).T
        >>> f1.round(decimals=3), (f2 + f1.sqrt()).round(decimals=3)  # on f₂ = 1 - √f₁
        (tensor([0.0000, 0.2500, 1.0000], dtype=torch.float64), tensor([1., 1., 1.], dtype=torch.float64))
    """

    def first(self, u: Tensor) -> Value:
        """Return sin⁴u₁ and its derivative."""
        return power(u, 4)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return √g sin²u₁ and its derivatives."""
        root, part = g.sqrt(), power(u, 2)
        return root * part.value, root * part.slope, part.value / (2 * root)

    def on_front(self, count: int) -> Tensor:
        """Return u₁ from 0 to π/2."""
        return torch.linspace(0, math.pi / 2, count, dtype=torch.float64)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of f(x) to {(t², 1 - t) : 0 ≤ t ≤ 1}."""
        f = self.objectives(x)
        return distance_to_parabola(1 - f[..., 1], f[..., 0], 0, 1)


class ZDT2(TwoPart):
    """Smooth ZDT2, f₂ = g(1 - (f₁/g)²): a concave front f₂ = 1 - f₁².

    f₁ = s = sin²u₁ and f₂ = g - s²/g. With a = 9/(n-1) and ρ = g - 1 = a‖x₂…‖², |s″| ≤ 2, |(s²)″| ≤ 4,
    |(s²)′| ≤ 3√3/4 and the block of x₂ … of the Hessian of f₂ has eigenvalues 2a(1 + s²/g²) and
    2a(1 - s²(3ρ-1)/(1+ρ)³), within [1.5a, 4a]; the mixed block has norm at most (3√3/4) max 2√(aρ)/(1+ρ)²
    = (3√3/4)(3√3/8)√a < 0.85√a. So β² = 2² + (max(4, 4a) + 0.85√a)².

    Example:
        >>> from jdbench.problems.zdt import ZDT2
        >>> problem = ZDT2()
        >>> f1, f2 = problem.objectives(problem.pareto_set(3)).T
        >>> f1.round(decimals=3), (f2 + f1.square()).round(decimals=3)  # on f₂ = 1 - f₁²
        (tensor([0.0000, 0.5000, 1.0000], dtype=torch.float64), tensor([1., 1., 1.], dtype=torch.float64))
    """

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 2."""
        super().__init__(n)
        a = 9 / (n - 1)
        self.beta = math.hypot(2, 4 * max(1, a) + 0.85 * math.sqrt(a))

    def first(self, u: Tensor) -> Value:
        """Return sin²u₁ and its derivative."""
        return power(u, 2)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return sin⁴u₁/g and its derivatives."""
        part = power(u, 4)
        return part.value / g, part.slope / g, -part.value / g.square()

    def on_front(self, count: int) -> Tensor:
        """Return u₁ from 0 to π/2."""
        return torch.linspace(0, math.pi / 2, count, dtype=torch.float64)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of f(x) to {(t, 1 - t²) : 0 ≤ t ≤ 1}."""
        f = self.objectives(x)
        return distance_to_parabola(f[..., 0], 1 - f[..., 1], 0, 1)


class ZDT3(TwoPart):
    """Smooth ZDT3, f₂ = g(1 - √(f₁/g)) - f₁ sin(10πf₁): a front in five pieces.

    f₁ = sin⁴u₁. The pieces begin and end where φ(a) = 1 - √a - a sin(10πa) has a minimum lower than all before
    it, and where φ comes down to the last such minimum: f₁ in [0, .0830015], [.1822287, .2577624],
    [.4093137, .4538821], [.6183967, .6525117], [.8233317, .8518329], computed to rounding. There is no β.

    Example:
        >>> from jdbench.problems.zdt import ZDT3
        >>> problem = ZDT3()
        >>> f1, f2 = problem.objectives(problem.pareto_set(5)).T
        >>> f1.round(decimals=4)  # the last points of the five pieces
        tensor([0.0830, 0.2578, 0.4539, 0.6525, 0.8518], dtype=torch.float64)
        >>> f2.round(decimals=4)
        tensor([ 0.6697,  0.2422, -0.1242, -0.4583, -0.7734], dtype=torch.float64)
    """

    def first(self, u: Tensor) -> Value:
        """Return sin⁴u₁ and its derivative."""
        return power(u, 4)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return √g sin²u₁ + f₁ sin(10πf₁) and its derivatives."""
        root, part, a = g.sqrt(), power(u, 2), power(u, 4)
        turn = 10 * math.pi * a.value
        wave = torch.sin(turn) + turn * torch.cos(turn)
        return (
            root * part.value + a.value * torch.sin(turn),
            root * part.slope + wave * a.slope,
            part.value / (2 * root),
        )

    def on_front(self, count: int) -> Tensor:
        """Return u₁ on the five pieces, evenly spaced in √f₁; the first end of all but one is dominated."""
        shares = [count // 5 + (k < count % 5) for k in range(5)]
        ends = zip(pieces(), shares, strict=True)
        roots = torch.cat([torch.linspace(a, b, k + 1, dtype=torch.float64)[1:] for (a, b), k in ends])
        return torch.asin(roots.sqrt())

    def distance(self, x: Vector) -> Tensor:
        """Return the least of the distances of f(x) to the five pieces."""
        return distance_to_pieces(self.objectives(x))


class ZDT4(TwoPart):
    """Smooth ZDT4, g = 1 + Σ(xⱼ² - 10cos(4πxⱼ) + 10): the front of ZDT1 behind many local ones.

    f₁ = sin⁴u₁ and f₂ = g - √g sin²u₁. Starts reach as far as the published box, [-5, 5]. There is no β.

    Example:
        >>> import torch
        >>> from jdbench.problems.zdt import ZDT4
        >>> problem = ZDT4()
        >>> x = torch.tensor([[0.5, 0.0], [0.5, 0.25], [0.5, 0.5]])
        >>> problem.distance(x).round(decimals=2).abs()  # a hill, then a front that is optimal only locally
        tensor([ 0.0000, 19.0100,  0.0500])
    """

    WIDTH: ClassVar[float] = 5.0

    def rest(self, x: Tensor) -> Value:
        """Return g = 1 + Σ(x² - 10cos(4πx) + 10) of x₂ … xₙ, and its gradient."""
        turn = 4 * math.pi * x
        # 1 - cos 2t = 2sin²t keeps g ≥ 1 in rounding too.
        g = 1 + (x.square() + 20 * torch.sin(turn / 2).square()).sum(-1)
        return Value(g, 2 * x + 40 * math.pi * torch.sin(turn))

    first = ZDT1.first
    relief = ZDT1.relief
    on_front = ZDT1.on_front
    distance = ZDT1.distance


class ZDT6(TwoPart):
    """Smooth ZDT6, f₁ = 1 - e^(-4x₁)sin⁶(6πx₁): a concave front f₂ = 1 - f₁² of which f₁ ≥ .2807753 only.

    x₁ = sin²u₁, f₂ = g - f₁²/g, and g of squares in place of the published fourth root, which has infinite
    slope at the set. All of {g = 1} is optimal, f₁ moving back and forth along the front. A bound β exists, but
    the six waves make it so large (above 3000) that its step size would be useless: None.

    Example:
        >>> from jdbench.problems.zdt import ZDT6
        >>> problem = ZDT6()
        >>> f1, f2 = problem.objectives(problem.pareto_set(3)).T
        >>> f1.min().round(decimals=5), (f2 + f1.square()).round(decimals=3)  # on f₂ = 1 - f₁², a part of it
        (tensor(0.2808, dtype=torch.float64), tensor([1., 1., 1.], dtype=torch.float64))
    """

    def first(self, u: Tensor) -> Value:
        """Return 1 - e^(-4x)sin⁶(6πx) for x = sin²u₁, and its derivative."""
        x = power(u, 2)
        turn = 6 * math.pi * x.value
        decay, wave = torch.exp(-4 * x.value), torch.sin(turn)
        by_x = decay * wave**5 * (4 * wave - 36 * math.pi * torch.cos(turn))
        return Value(1 - decay * wave**6, by_x * x.slope)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return f₁²/g and its derivatives."""
        p = self.first(u)
        square = p.value.square()
        return square / g, 2 * p.value * p.slope / g, -square / g.square()

    def on_front(self, count: int) -> Tensor:
        """Return u₁ from where f₁ is least, x₁ = atan(9π)/(6π), back to x₁ = 0, where it is 1."""
        x = torch.linspace(self._least_at, 0, count, dtype=torch.float64)
        return torch.asin(x.sqrt())

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of f(x) to {(t, 1 - t²) : .2807753 ≤ t ≤ 1}."""
        f = self.objectives(x)
        least = 1 - math.exp(-4 * self._least_at) * math.sin(6 * math.pi * self._least_at) ** 6
        return distance_to_parabola(f[..., 0], 1 - f[..., 1], least, 1)

    # The derivative by x₁ vanishes where tan(6πx₁) = 9π.
    _least_at: ClassVar[float] = math.atan(9 * math.pi) / (6 * math.pi)
