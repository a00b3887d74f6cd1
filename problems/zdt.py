"""The problems of Zitzler, Deb & Thiele, smooth and without a box: f₂ = g(x₂ …)h(f₁, g), the front at g = 1.

The published problems live on the box [0, 1]ⁿ. Here x₁ is a smooth function of u₁ onto [0, 1], sin⁴u₁ where f₂
holds √x₁ (which is then sin²u₁) and sin²u₁ elsewhere, and x₂ … enter g by squares: everything is defined and
differentiable on Rⁿ, and the front is the published one. In the originals the set lies on the boundary of the
box, and √f₁ has infinite slope at 0. Distances are measured among objective values.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem
from jdbench.problems.curve import distance_to_curve, distance_to_parabola
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_box, in_shell
from jdbench.shapes import Jacobian, Objectives, Vector

SOURCE = "Zitzler, Deb & Thiele 2000, made smooth"


class Value(NamedTuple):
    """A function and its derivative."""

    value: Tensor
    slope: Tensor


class TwoPart(AnalyticProblem):
    """f₁ = p(u₁) and f₂ = g - R(u₁, g), R increasing in g more slowly than g, where g ≥ 1 depends on u₂ … uₙ.

    The Pareto set is the part of {g = 1} where (p, 1 - R(·, 1)) is not dominated; the front its image.
    """

    family: str = "non-convex"
    source: ClassVar[str] = SOURCE
    variants: ClassVar[tuple[str, ...]] = ("", "(n=10)")
    space: Literal["x", "f"] = "f"
    WIDTH: ClassVar[float] = 1.0

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 2."""
        check_size("n", n, 2)
        self.m, self.n = 2, n

    @abstractmethod
    def first(self, u: Tensor) -> Value:
        """Return p(u₁) and p′."""

    @abstractmethod
    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return R(u₁, g), ∂R/∂u₁ and ∂R/∂g."""

    @abstractmethod
    def on_front(self, count: int) -> Tensor:
        """Return values of u₁ of the Pareto set, in order along the front, shape ``[count]``."""

    def rest(self, x: Tensor) -> Value:
        """Return g = 1 + 9/(n-1) Σx² of x₂ … xₙ, and its gradient."""
        weight = 9 / (self.n - 1)
        return Value(1 + weight * x.square().sum(-1), 2 * weight * x)

    def objectives(self, x: Vector) -> Objectives:
        """Return (p(u₁), g - R(u₁, g)), shape ``[..., 2]``."""
        u, g = x[..., 0], self.rest(x[..., 1:]).value
        return torch.stack([self.first(u).value, g - self.relief(u, g)[0]], -1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows (p′, 0) and (-∂R/∂u₁, (1 - ∂R/∂g)∇g), shape ``[..., 2, n]``."""
        u, g = x[..., 0], self.rest(x[..., 1:])
        _, by_u, by_g = self.relief(u, g.value)
        J = torch.zeros(*x.shape[:-1], 2, self.n, dtype=x.dtype, device=x.device)
        J[..., 0, 0] = self.first(u).slope
        J[..., 1, 0] = -by_u
        J[..., 1, 1:] = (1 - by_g).unsqueeze(-1) * g.slope
        return J

    def start(self, seed: int) -> Vector:
        """Return u₁ in [0.1, π/2 - 0.1], the others of root mean square W/2 to W, ``[n]``."""
        size = self.WIDTH * math.sqrt(self.n - 1)
        first = in_box(seed, [0.1], [math.pi / 2 - 0.1])
        return torch.cat([first, in_shell(seed, self.n - 1, size / 2, size)])

    def pareto_set(self, count: int) -> Vector:
        """Return points of u₂ = … = uₙ = 0 in order along the front, shape ``[count, n]``."""
        x = torch.zeros(count, self.n, dtype=torch.float64)
        x[:, 0] = self.on_front(count)
        return x


class ZDT1(TwoPart):
    """Smooth ZDT1, f₂ = g(1 - √(f₁/g)): a convex front f₂ = 1 - √f₁.

    f₁ = sin⁴u₁ and f₂ = g - √g sin²u₁. There is no β: ∂²f₂/∂u₁² grows with √g.
    """

    def first(self, u: Tensor) -> Value:
        """Return sin⁴u₁ and its derivative."""
        return _power(u, 4)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return √g sin²u₁ and its derivatives."""
        root, part = g.sqrt(), _power(u, 2)
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
    """

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 2."""
        super().__init__(n)
        a = 9 / (n - 1)
        self.beta = math.hypot(2, 4 * max(1, a) + 0.85 * math.sqrt(a))

    def first(self, u: Tensor) -> Value:
        """Return sin²u₁ and its derivative."""
        return _power(u, 2)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return sin⁴u₁/g and its derivatives."""
        part = _power(u, 4)
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
    """

    def first(self, u: Tensor) -> Value:
        """Return sin⁴u₁ and its derivative."""
        return _power(u, 4)

    def relief(self, u: Tensor, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return √g sin²u₁ + f₁ sin(10πf₁) and its derivatives."""
        root, part, a = g.sqrt(), _power(u, 2), _power(u, 4)
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
        ends = zip(self.pieces.tolist(), shares, strict=True)
        roots = torch.cat([torch.linspace(a, b, k + 1, dtype=torch.float64)[1:] for (a, b), k in ends])
        return torch.asin(roots.sqrt())

    def distance(self, x: Vector) -> Tensor:
        """Return the least of the distances of f(x) to the five pieces."""
        f = self.objectives(x)
        knots = torch.linspace(0, 1, 17, dtype=torch.float64)
        parts = [distance_to_curve(f, _Piece(low, high), knots) for low, high in self.pieces.tolist()]
        return torch.stack(parts).amin(0)

    @cached_property
    def pieces(self) -> Tensor:
        """The ends of the pieces in terms of √f₁, shape ``[5, 2]``."""
        ends: list[tuple[float, float]] = []
        before = last = 0.0
        for k in range(5):
            # a sin(10πa) is largest near a = (4k + 1)/20, where φ still falls; it rises from (4k + 2)/20.
            # The hump before, around (4k - 1)/20, is higher than the last minimum.
            least = _bisect(
                lambda s: float(_phi(s).slope), math.sqrt((4 * k + 1) / 20), math.sqrt((4 * k + 2) / 20)
            )
            level = float(_phi(least).value)
            if k:
                before = _bisect(lambda s, c=last: c - float(_phi(s).value), math.sqrt((4 * k - 1) / 20), least)
            ends.append((before, least))
            last = level
        return torch.tensor(ends, dtype=torch.float64)


class ZDT4(TwoPart):
    """Smooth ZDT4, g = 1 + Σ(xⱼ² - 10cos(4πxⱼ) + 10): the front of ZDT1 behind many local ones.

    f₁ = sin⁴u₁ and f₂ = g - √g sin²u₁. Starts reach as far as the published box, [-5, 5]. There is no β.
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
    slope at the set. All of {g = 1} is optimal, f₁ running to and fro along the front. A bound β exists, but
    the six waves make it so large (above 3000) that its step size would be of no use: None.
    """

    def first(self, u: Tensor) -> Value:
        """Return 1 - e^(-4x)sin⁶(6πx) for x = sin²u₁, and its derivative."""
        x = _power(u, 2)
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


class _Piece:
    """The curve s ↦ (s², φ(s²)) from one √f₁ to another, by a parameter in [0, 1]."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.width = low, high - low

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        s = self.low + self.width * t
        height = _phi(s)
        point = torch.stack([s.square(), height.value])
        return point, self.width * torch.stack([2 * s, height.slope])


def _phi(s: Tensor | float) -> Value:
    """Return φ = 1 - s - s² sin(10πs²) and its derivative by s = √f₁."""
    s = torch.as_tensor(s, dtype=torch.float64)
    turn = 10 * math.pi * s.square()
    slope = -1 - 2 * s * (torch.sin(turn) + turn * torch.cos(turn))
    return Value(1 - s - s.square() * torch.sin(turn), slope)


def _power(u: Tensor, k: int) -> Value:
    """Return sinᵏu and its derivative."""
    sine = torch.sin(u)
    return Value(sine**k, k * sine ** (k - 1) * torch.cos(u))


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function of one number turns from negative to positive, to the last bit."""
    middle = (low + high) / 2
    while low < middle < high:
        low, high = (low, middle) if function(middle) > 0 else (middle, high)
        middle = (low + high) / 2
    return middle
