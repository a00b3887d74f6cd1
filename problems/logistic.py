"""Logistic regression on separable data, instance by instance: an infimum that is nowhere attained."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem, seeded
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_shell
from jdbench.shapes import Jacobian, Objectives, Vector


class SeparableLogistic(AnalyticProblem):
    """Separable logistic, fᵢ(θ) = log(1 + exp(-zᵢᵀθ)): all losses fall to 0 along a ray, and none gets there.

    zᵢ is an instance times its label; the instances are Gaussian, the labels those of a hyperplane from which
    they keep the margin 0.1. There is no Pareto set; distances are those of f(θ) to the infimum 0, among
    objective values. With p the sigmoid the Hessians are p(1-p)zᵢzᵢᵀ, at most ¼zᵢzᵢᵀ: β =
    ¼√λ_max(Σ‖zᵢ‖²zᵢzᵢᵀ). Starts have norm 2 to 4, most on the wrong side of some instances.

    Example:
        >>> import torch
        >>> from jdbench.problems.logistic import SeparableLogistic
        >>> problem = SeparableLogistic()
        >>> ray = torch.tensor([[10.0, 0.0], [100.0, 0.0]])
        >>> problem.distance(ray) < torch.tensor([1.0, 0.01])  # falls along it, and nowhere is it 0
        tensor([True, True])
        >>> problem.pareto_set(5).shape
        torch.Size([0, 2])
    """

    family: str = "instance-wise risk minimisation"
    source: ClassVar[str] = "logistic regression on separable data, as in Soudry et al. 2018"
    variants: ClassVar[tuple[str, ...]] = ("(m=4,n=2)", "(m=8,n=3)")
    convex: bool = True
    space: Literal["x", "f"] = "f"
    attained: bool = False
    MARGIN: ClassVar[float] = 0.1

    def __init__(self, m: int = 4, n: int = 2) -> None:
        """Draw the instances, always the same for a pair of sizes, both at least 1."""
        check_size("m", m, 1)
        check_size("n", n, 1)
        self.m, self.n = m, n
        generator = seeded(1000 * m + n)
        z = torch.randn(m, n, dtype=torch.float64, generator=generator)
        # The hyperplane is that of the first coordinate.
        z[:, 0] = z[:, 0].abs() + self.MARGIN
        self.z = z
        squares = z.square().sum(-1, keepdim=True)
        self.beta = math.sqrt(float(torch.linalg.eigvalsh((squares * z).T @ z)[-1])) / 4

    def objectives(self, x: Vector) -> Objectives:
        """Return log(1 + exp(-zᵢᵀθ)), shape ``[..., m]``."""
        margins = self._margins(x)
        return torch.logaddexp(torch.zeros_like(margins), -margins)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows -zᵢ/(1 + exp(zᵢᵀθ)), shape ``[..., m, n]``."""
        return -torch.sigmoid(-self._margins(x)).unsqueeze(-1) * self.z.to(x)

    def start(self, seed: int) -> Vector:
        """Return a point of norm 2 to 4, shape ``[n]``."""
        return in_shell(seed, self.n, 2, 4)

    def pareto_set(self, count: int) -> Vector:  # noqa: ARG002
        """Return no points, shape ``[0, n]``."""
        return torch.zeros(0, self.n, dtype=torch.float64)

    def distance(self, x: Vector) -> Tensor:
        """Return ‖f(θ)‖, positive everywhere."""
        return self.objectives(x).norm(dim=-1)

    def _margins(self, x: Vector) -> Tensor:
        return x @ self.z.to(x).T
