"""Games: two players with parameters of their own, each player's loss an objective."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.problem import AnalyticProblem, seeded
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_shell
from jdbench.shapes import Jacobian, Objectives, Vector


class ZeroSum(AnalyticProblem):
    """Zero-sum game, f = (xᵀy, -xᵀy): what one player gains the other loses.

    Every point is Pareto optimal, so that distances, measured in x, are 0: the problem tells whether an
    aggregator rests, as a non-conflicting weighted one must, for Jᵀw with both gᵢᵀJᵀw ≥ 0 is 0 where g₂ =
    -g₁. J is linear with ‖Jf(z) - Jf(z′)‖_F² = 2‖z - z′‖²: β = √2, attained. Starts have norm 1 to 2.

    Example:
        >>> import torch
        >>> from jdbench.problems.games import ZeroSum
        >>> problem = ZeroSum()
        >>> problem.jacobian(torch.tensor([1.0, 2.0]))  # what helps one player harms the other
        tensor([[ 2.,  1.],
                [-2., -1.]])
        >>> problem.distance(torch.tensor([1.0, 2.0]))
        tensor(0.)
    """

    family: str = "adversarial"
    source: ClassVar[str] = "the bilinear zero-sum game"
    variants: ClassVar[tuple[str, ...]] = ("", "(players=5)")
    beta: float | None = math.sqrt(2)

    def __init__(self, players: int = 1) -> None:
        """Set the number of parameters of each player, at least 1; n is twice that."""
        check_size("players", players, 1)
        self.m, self.n, self.each = 2, 2 * players, players

    def objectives(self, x: Vector) -> Objectives:
        """Return (xᵀy, -xᵀy), shape ``[..., 2]``."""
        value = (x[..., : self.each] * x[..., self.each :]).sum(-1)
        return torch.stack([value, -value], -1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows (y, x) and -(y, x), shape ``[..., 2, n]``."""
        swapped = x.roll(self.each, -1)
        return torch.stack([swapped, -swapped], -2)

    def start(self, seed: int) -> Vector:
        """Return a point of norm 1 to 2, shape ``[n]``."""
        return in_shell(seed, self.n, 1, 2)

    def pareto_set(self, count: int) -> Vector:
        """Return points of [-2, 2]ⁿ, a part of the set, shape ``[count, n]``."""
        return 4 * torch.rand(count, self.n, dtype=torch.float64, generator=seeded(0)) - 2

    def distance(self, x: Vector) -> Tensor:
        """Return 0."""
        return torch.zeros_like(x[..., 0])


class RegularisedGame(AnalyticProblem):
    """Regularised game, f = (xy + μx²/2, -xy + μy²/2): two lines of optima through the equilibrium.

    The Hessian of wf₁ + (1-w)f₂ is M(w) = [[wμ, 2w-1], [2w-1, (1-w)μ]]: singular and semi-definite at
    w± = ½(1 ± μ/√(4 + μ²)), definite in between, indefinite beyond. The Pareto set is the union of the
    kernels of M(w₊) and M(w₋), two lines; the front two rays from 0. Distances are measured in x. J is linear
    with ‖Jf(z) - Jf(z′)‖_F² = (2 + μ²)‖z - z′‖²: β = √(2 + μ²), attained. Starts have norm 1 to 2.

    Example:
        >>> import torch
        >>> from jdbench.problems.games import RegularisedGame
        >>> problem = RegularisedGame(mu=1.0)
        >>> problem.distance(torch.tensor([[0.0, 0.0], [1.0, 0.0]])).round(decimals=3)
        tensor([0.0000, 0.5260])
        >>> problem.objectives(problem.pareto_set(2)).round(decimals=3)
        tensor([[-1.2360,  3.2360],
                [ 3.2360, -1.2360]], dtype=torch.float64)
    """

    family: str = "adversarial"
    source: ClassVar[str] = "the bilinear game with quadratic regularisation"
    variants: ClassVar[tuple[str, ...]] = ("", "(mu=0.1)")
    m: int = 2
    n: int = 2

    def __init__(self, mu: float = 1.0) -> None:
        """Set the regularisation.

        Args:
            mu: μ, positive.

        Raises:
            InputError: It is not positive.
        """
        if not (mu > 0 and math.isfinite(mu)):
            raise InputError(f"mu={mu}, required a positive number, got another, try 1.0")
        self.mu = float(mu)
        self.beta: float | None = math.sqrt(2 + mu * mu)
        offset = self.mu / math.sqrt(4 + mu * mu)
        # (1 - 2w, wμ) is in the kernel of M(w).
        kernels = torch.tensor([[-s * offset, (1 + s * offset) * mu / 2] for s in (1, -1)], dtype=torch.float64)
        self.lines = kernels / kernels.norm(dim=-1, keepdim=True)

    def objectives(self, x: Vector) -> Objectives:
        """Return (xy + μx²/2, -xy + μy²/2), shape ``[..., 2]``."""
        product = x[..., :1] * x[..., 1:]
        return torch.cat([product, -product], -1) + self.mu / 2 * x.square()

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows (y + μx, x) and (-y, -x + μy), shape ``[..., 2, 2]``."""
        first, second = x[..., 0], x[..., 1]
        rows = [
            torch.stack([second + self.mu * first, first], -1),
            torch.stack([-second, self.mu * second - first], -1),
        ]
        return torch.stack(rows, -2)

    def start(self, seed: int) -> Vector:
        """Return a point of norm 1 to 2, shape ``[2]``."""
        return in_shell(seed, 2, 1, 2)

    def pareto_set(self, count: int) -> Vector:
        """Return points of norm at most 2 on one line, then on the other, shape ``[count, 2]``."""
        parts = [count - count // 2, count // 2]
        lengths = [torch.linspace(-2, 2, k, dtype=torch.float64).unsqueeze(-1) for k in parts]
        return torch.cat([length * line for length, line in zip(lengths, self.lines, strict=True)])

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the nearer line."""
        normals = torch.stack([-self.lines[:, 1], self.lines[:, 0]]).to(x)
        return (x @ normals).abs().amin(-1)
