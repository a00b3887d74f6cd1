"""Two objectives in two parts, f₁ of one parameter and f₂ of it and of g ≥ 1, which depends on the others."""

import math
from abc import abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_box, in_shell
from jdbench.shapes import Jacobian, Objectives, Vector


class Value(NamedTuple):
    """A function and its derivative."""

    value: Tensor
    slope: Tensor


class TwoPart(AnalyticProblem):
    """f₁ = p(u₁) and f₂ = g - R(u₁, g), R increasing in g more slowly than g, where g ≥ 1 depends on u₂ … uₙ.

    The Pareto set is the part of {g = 1} where (p, 1 - R(·, 1)) is not dominated; the front its image.
    """

    family: str = "non-convex"
    source: ClassVar[str] = "Zitzler, Deb & Thiele 2000, made smooth"
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


def power(u: Tensor, k: int) -> Value:
    """Return sinᵏu and its derivative, each in the shape of u, for an integer k ≥ 1."""
    sine = torch.sin(u)
    return Value(sine**k, k * sine ** (k - 1) * torch.cos(u))
