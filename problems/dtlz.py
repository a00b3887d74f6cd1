"""The problems of Deb, Thiele, Laumanns & Zitzler for any m, smooth and without a box.

The first m - 1 parameters are xᵢ = sin²uᵢ, which covers the published [0, 1] smoothly; the k others, on which g
depends, are not bounded: g grows outside of the published box too. Distances are measured among objective
values.
"""

import math
from abc import abstractmethod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem, seeded
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_box
from jdbench.shapes import Jacobian, Objectives, Vector

AMPLITUDE = 0.1
"""Factor of the multimodal g of DTLZ1 and DTLZ3, where the publication has 100.

The set, the front and where g has its local minima do not depend on it. With 100 the curvature of g reaches
a((20π)² + 2) = 4e5: only steps of 1e-5, the least rate that [JD] D.1 tries, go down, and an aggregator's rank
shows its luck with larger ones. With 0.1 Mean and UPGrad descend at rates from 1e-4 to 1e-2, and both ends of
the grid are of no use.
"""


class Product(AnalyticProblem):
    """fᵢ = (1 + g)Πⱼ factors of the first m - 1 parameters, as DTLZ1, 2 and 3 are.

    f₁ = (1 + g)c₁c₂…c_{m-1} and fᵢ = (1 + g)c₁…c_{m-i}s_{m-i+1} for i ≥ 2, the c and s functions of one
    parameter each. The Pareto set is {g = 0}.
    """

    family: str = "non-convex"
    source: ClassVar[str] = "Deb, Thiele, Laumanns & Zitzler 2002, made smooth"
    variants: ClassVar[tuple[str, ...]] = ("(m=2)", "(m=3)")
    space: Literal["x", "f"] = "f"

    def __init__(self, m: int = 2, k: int = 5) -> None:
        """Set the sizes.

        Args:
            m: Number of objectives, at least 2.
            k: Number of parameters of g, at least 1; n is m - 1 + k.

        Raises:
            InputError: A size is out of range.
        """
        check_size("m", m, 2)
        check_size("k", k, 1)
        self.m, self.n, self.k = m, m - 1 + k, k

    @abstractmethod
    def factors(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return c(u), s(u), c′(u) and s′(u)."""

    @abstractmethod
    def rest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return g of the last k parameters and its gradient."""

    def objectives(self, x: Vector) -> Objectives:
        """Return (1 + g) times the products, shape ``[..., m]``."""
        g = self.rest(x[..., self.m - 1 :])[0]
        return (1 + g).unsqueeze(-1) * self._products(self._table(x))

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the products with one factor's derivative each, and those times ∇g, shape ``[..., m, n]``."""
        g, slope = self.rest(x[..., self.m - 1 :])
        c, s, by_c, by_s = table = self._table(x)
        columns = []
        for j in range(self.m - 1):
            chosen = torch.arange(self.m - 1, device=x.device) == j
            # s_j stands in one product, c_j in those before it: the derivative of both leaves out the rest.
            changed = (torch.where(chosen, by_c, c), torch.where(chosen, by_s, s))
            holds = torch.arange(self.m, device=x.device) <= self.m - 1 - j
            columns.append((1 + g).unsqueeze(-1) * self._products(changed) * holds)
        last = self._products(table).unsqueeze(-1) * slope.unsqueeze(-2)
        return torch.cat([torch.stack(columns, -1), last], -1)

    def start(self, seed: int) -> Vector:
        """Return u in [0.1, π/2 - 0.1] and the others in [0, 1], the published box, shape ``[n]``."""
        angles = self.m - 1
        return in_box(seed, [0.1] * angles + [0.0] * self.k, [math.pi / 2 - 0.1] * angles + [1.0] * self.k)

    def pareto_set(self, count: int) -> Vector:
        """Return points of g = 0, every other parameter ½, spread over u in [0, π/2], shape ``[count, n]``."""
        x = torch.full((count, self.n), 0.5, dtype=torch.float64)
        if self.m == 2:
            x[:, 0] = torch.linspace(0, math.pi / 2, count, dtype=torch.float64)
        else:
            drawn = torch.rand(count, self.m - 1, dtype=torch.float64, generator=seeded(0))
            x[:, : self.m - 1] = drawn * (math.pi / 2)
        return x

    def _table(self, x: Vector) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.factors(x[..., : self.m - 1])

    def _products(self, table: tuple[Tensor, ...]) -> Tensor:
        """Return c₁…c_{m-1}, c₁…c_{m-2}s_{m-1}, …, s₁, shape ``[..., m]``."""
        c, s = table[:2]
        one = torch.ones_like(c[..., :1])
        leading = torch.cat([one, c.cumprod(-1)], -1).flip(-1)
        return leading * torch.cat([one, s.flip(-1)], -1)


class DTLZ1(Product):
    """Smooth DTLZ1, c = x and s = 1 - x: the front is the simplex Σf = ½ behind many local ones.

    g = a(k + Σ((xⱼ - ½)² - cos(20π(xⱼ - ½)))), a = `AMPLITUDE`, and all objectives are halved.

    Example:
        >>> from jdbench.problems.dtlz import DTLZ1
        >>> problem = DTLZ1(m=3)
        >>> problem.objectives(problem.pareto_set(4)).sum(-1).round(decimals=3)  # the front is a simplex
        tensor([0.5000, 0.5000, 0.5000, 0.5000], dtype=torch.float64)
    """

    def factors(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return sin²u, cos²u and their derivatives."""
        slope = torch.sin(2 * u)
        return torch.sin(u).square(), torch.cos(u).square(), slope, -slope

    def rest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return g and its gradient."""
        return _multimodal(x)

    def _products(self, table: tuple[Tensor, ...]) -> Tensor:
        return super()._products(table) / 2

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of f(x) to {f ≥ 0, Σf = ½}: f - θ clamped at 0, θ by sorting."""
        f = self.objectives(x)
        falling = f.sort(dim=-1, descending=True).values
        excess = (falling.cumsum(-1) - 0.5) / torch.arange(1, self.m + 1, dtype=f.dtype, device=f.device)
        theta = excess.gather(-1, ((falling > excess).sum(-1, keepdim=True) - 1).clamp(min=0))
        return (f - (f - theta).clamp(min=0)).norm(dim=-1)


class DTLZ2(Product):
    """Smooth DTLZ2, c = cos(πx/2) and s = sin(πx/2): the front is the part f ≥ 0 of the unit sphere.

    g = Σ(xⱼ - ½)². f ≥ 0 everywhere, so that the distance of f(x) to the front is ‖f(x)‖ - 1 = g.

    Example:
        >>> import torch
        >>> from jdbench.problems.dtlz import DTLZ2
        >>> problem = DTLZ2(m=3)
        >>> problem.objectives(problem.pareto_set(4)).norm(dim=-1).round(decimals=3)  # a part of the sphere
        tensor([1., 1., 1., 1.], dtype=torch.float64)
        >>> problem.distance(torch.zeros(problem.n)).round(decimals=3)  # five parameters ½ away
        tensor(1.2500)
    """

    def factors(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return cos(½π sin²u), sin(½π sin²u) and their derivatives."""
        angle = torch.sin(u).square() * (math.pi / 2)
        by_u = torch.sin(2 * u) * (math.pi / 2)
        c, s = torch.cos(angle), torch.sin(angle)
        return c, s, -s * by_u, c * by_u

    def rest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return g and its gradient."""
        shift = x - 0.5
        return shift.square().sum(-1), 2 * shift

    def distance(self, x: Vector) -> Tensor:
        """Return g: f(x) is 1 + g times a point of the front, which is the nearest one."""
        return self.rest(x[..., self.m - 1 :])[0]


class DTLZ3(DTLZ2):
    """Smooth DTLZ3, DTLZ2 with the g of DTLZ1, its amplitude included: a sphere behind many local fronts.

    Example:
        >>> import torch
        >>> from jdbench.problems.dtlz import DTLZ3
        >>> problem = DTLZ3(k=1)
        >>> x = torch.tensor([[0.8, 0.5], [0.8, 0.55], [0.8, 0.6]])
        >>> problem.distance(x).round(decimals=4).abs()  # a hill, then a front that is optimal only locally
        tensor([0.0000, 0.2003, 0.0010])
    """

    def rest(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return g and its gradient."""
        return _multimodal(x)


def _multimodal(x: Tensor) -> tuple[Tensor, Tensor]:
    shift = x - 0.5
    turn = 20 * math.pi * shift
    # 1 - cos 2t = 2sin²t keeps g ≥ 0 in rounding too.
    g = (shift.square() + 2 * torch.sin(turn / 2).square()).sum(-1)
    return AMPLITUDE * g, AMPLITUDE * (2 * shift + 20 * math.pi * torch.sin(turn))
