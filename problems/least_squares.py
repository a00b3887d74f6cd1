"""Linear least squares, its tasks or its single instances the objectives."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.problem import AnalyticProblem, seeded
from jdbench.problems.cells import BoundedCells
from jdbench.problems.curve import dense_at_ends, distance_to_curve
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_shell
from jdbench.shapes import Jacobian, Objectives, Vector

KNOTS = 129
"""Points of the front among which the nearest are looked for."""


class TwoTaskLeastSquares(AnalyticProblem):
    """Two-task least squares, fₖ(θ) = ‖Xₖθ - yₖ‖²/N: one linear model for two regressions that disagree.

    Each task has N = 2n Gaussian instances and targets of its own Gaussian model, with noise of deviation
    0.1; the second's features are scaled from 1 to ``scale`` in geometric progression, so that the tasks
    differ in shape. The Pareto set is the curve of the weighted normal equations (wH₁ + (1-w)H₂)θ = wb₁ +
    (1-w)b₂ with Hₖ = XₖᵀXₖ/N and bₖ = Xₖᵀyₖ/N; distances are measured among objective values. The Hessians
    are 2Hₖ: β = 2√λ_max(H₁² + H₂²). Starts are 2 to 4 away from the middle of the two solutions, in units of
    half their distance.

    Example:
        >>> from jdbench.problems.least_squares import TwoTaskLeastSquares
        >>> problem = TwoTaskLeastSquares(n=10)
        >>> ends = problem.jacobian(problem.solutions)  # each task is solved at its own end of the Pareto set
        >>> [bool(ends[k, k].norm() < 1e-9) for k in (0, 1)], bool(ends[0, 1].norm() > 0.01)
        ([True, True], True)
    """

    family: str = "multi-task"
    source: ClassVar[str] = "the two-task linear regression of multi-task learning"
    variants: ClassVar[tuple[str, ...]] = ("", "(n=10)")
    convex: bool = True
    space: Literal["x", "f"] = "f"

    def __init__(self, n: int = 2, scale: float = 0.1) -> None:
        """Draw the tasks, always the same for the same arguments.

        Args:
            n: Number of parameters, at least 1.
            scale: Scale of the last feature of the second task, positive.

        Raises:
            InputError: An argument is out of range.
        """
        check_size("n", n, 1)
        if not (scale > 0 and math.isfinite(scale)):
            raise InputError(f"scale={scale}, required a positive number, got another, try 0.1")
        self.m, self.n = 2, n
        generator = seeded(n)
        size = 2 * n
        X = torch.randn(2, size, n, dtype=torch.float64, generator=generator)
        X[1] *= torch.logspace(0, math.log10(scale), n, dtype=torch.float64)
        models = torch.randn(2, n, dtype=torch.float64, generator=generator)
        noise = torch.randn(2, size, dtype=torch.float64, generator=generator)
        self.X, self.y = X, torch.einsum("kij,kj->ki", X, models) + 0.1 * noise
        self.H = X.mT @ X / size
        self.solutions = torch.linalg.lstsq(X, self.y.unsqueeze(-1)).solution.squeeze(-1)
        self.least = self._residuals(self.solutions).diagonal(dim1=0, dim2=1).mT.square().mean(-1)
        self.beta = 2 * math.sqrt(
            float(torch.linalg.eigvalsh(self.H[0] @ self.H[0] + self.H[1] @ self.H[1])[-1])
        )
        # V with VᵀH₂V = I and VᵀH₁V = diag λ: in the coordinates V⁻¹θ all of the set is explicit.
        half = torch.linalg.inv(torch.linalg.cholesky(self.H[1]))
        self.ratios, Q = torch.linalg.eigh(half @ self.H[0] @ half.T)
        self.basis = half.T @ Q
        self.gap = torch.linalg.solve(self.basis, self.solutions[1] - self.solutions[0])

    def objectives(self, x: Vector) -> Objectives:
        """Return ‖Xₖθ - yₖ‖²/N, shape ``[..., 2]``."""
        return self._residuals(x).square().mean(-1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2Xₖᵀ(Xₖθ - yₖ)/N, shape ``[..., 2, n]``."""
        X = self.X.to(x)
        return torch.einsum("...ki,kij->...kj", self._residuals(x), X) * (2 / X.shape[1])

    def start(self, seed: int) -> Vector:
        """Return a point around both solutions, shape ``[n]``."""
        unit = float((self.solutions[0] - self.solutions[1]).norm()) / 2
        return self.solutions.mean(0) + in_shell(seed, self.n, 2 * unit, 4 * unit)

    def pareto_set(self, count: int) -> Vector:
        """Return points from the solution of the second task to that of the first, shape ``[count, n]``."""
        return self._along(dense_at_ends(count))

    def distance(self, x: Vector) -> Tensor:
        """Return min over w of ‖f(θ) - f(θ(w))‖, exact up to rounding."""
        return distance_to_curve(self.objectives(x), self._front, dense_at_ends(KNOTS))

    def _residuals(self, x: Vector) -> Tensor:
        return torch.einsum("kij,...j->...ki", self.X.to(x), x) - self.y.to(x)

    def _along(self, w: Tensor) -> Vector:
        """Return θ(w): coordinate j of V⁻¹θ is the mean of the solutions' with weights wλⱼ and 1 - w."""
        w = w.unsqueeze(-1)
        share = (1 - w) / (w * self.ratios + 1 - w)
        return self.solutions[0] + (share * self.gap) @ self.basis.T

    def _front(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(θ(w)) and its derivative, each ``[2, ...]``."""
        # With s = 1 - w and D = wλ + s: f₁ = r₁ + Σ λ(gs/D)² and f₂ = r₂ + Σ (gwλ/D)².
        points = [self.least[0].expand_as(w), self.least[1].expand_as(w)]
        slopes = [torch.zeros_like(w), torch.zeros_like(w)]
        for ratio, gap in zip(self.ratios.tolist(), self.gap.tolist(), strict=True):
            inverse = 1 / (w * ratio + 1 - w)
            first, second = (1 - w) * inverse, w * ratio * inverse
            # d/dw of s/D is -λ/D², of wλ/D it is λ/D².
            change = 2 * gap**2 * ratio * inverse.square()
            points[0] = points[0] + gap**2 * ratio * first.square()
            points[1] = points[1] + gap**2 * second.square()
            slopes[0] = slopes[0] - ratio * change * first
            slopes[1] = slopes[1] + change * second
        return torch.stack(points), torch.stack(slopes)


class InstanceLeastSquares(AnalyticProblem):
    """Instance-wise least squares, fᵢ(θ) = (xᵢᵀθ - yᵢ)²: m ≤ n has an ideal point, m > n has not.

    For m ≤ n and X of full row rank all objectives vanish on the affine set Xθ = y, which is the Pareto set.

    For m > n = 2 it is the union of the bounded cells between the lines xᵢᵀθ = yᵢ, closed and not convex:
    see `BoundedCells`. On the rest of a line one gradient is 0, which makes it weakly stationary only.

    Distances are measured in x. Rows are Gaussian of norm 1, targets Gaussian. The Hessians are 2xᵢxᵢᵀ: β =
    2√λ_max(Σ‖xᵢ‖²xᵢxᵢᵀ). Starts are far out.

    All other m > n are refused: no exact distance is at hand, and the residual of stationarity, min over the
    simplex of ‖Jᵀw‖, cannot replace it: it vanishes wherever one rᵢ does, at dominated points too.

    Example:
        >>> from jdbench.problems.least_squares import InstanceLeastSquares
        >>> problem = InstanceLeastSquares(m=3, n=5)
        >>> bool((problem.objectives(problem.pareto_set(10)) < 1e-9).all())  # m ≤ n: all can vanish
        True
        >>> hard = InstanceLeastSquares(m=4, n=2)
        >>> bool((hard.objectives(hard.pareto_set(10)).amax(-1) > 1e-9).all())
        True
    """

    family: str = "instance-wise risk minimisation"
    source: ClassVar[str] = "[JD] Section 3, for linear regression"
    variants: ClassVar[tuple[str, ...]] = ("(m=4,n=2)", "(m=8,n=2)", "(m=3,n=5)", "(m=8,n=20)")
    convex: bool = True

    def __init__(self, m: int = 4, n: int = 2) -> None:
        """Draw the instances, always the same for a pair of sizes.

        Args:
            m: Number of instances, at least 1; m > n ≥ 3 has no exact distance and is refused.
            n: Number of parameters, at least 1 and, for m > n, 2.

        Raises:
            InputError: A size is out of range.
        """
        check_size("m", m, 1)
        check_size("n", n, 1)
        if m > n and (n != 2 or m > 8):
            raise InputError(f"m={m}, n={n}, required m ≤ n, or n=2 with m ≤ 8, got others, choose such sizes")
        self.m, self.n = m, n
        generator = seeded(1000 * m + n)
        X = torch.randn(m, n, dtype=torch.float64, generator=generator)
        self.X = X / X.norm(dim=-1, keepdim=True)
        self.y = torch.randn(m, dtype=torch.float64, generator=generator)
        self.beta = 2 * math.sqrt(float(torch.linalg.eigvalsh(self.X.T @ self.X)[-1]))
        if m > n:
            self.cells = BoundedCells(self.X, self.y)
            self.reach = float(self.cells.edges.norm(dim=-1).max())
        else:
            self.inverse = torch.linalg.pinv(self.X)
            self.solution = self.inverse @ self.y
            self.reach = 1 + float(self.solution.norm())

    def objectives(self, x: Vector) -> Objectives:
        """Return (xᵢᵀθ - yᵢ)², shape ``[..., m]``."""
        return self._residuals(x).square()

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2(xᵢᵀθ - yᵢ)xᵢ, shape ``[..., m, n]``."""
        return 2 * self._residuals(x).unsqueeze(-1) * self.X.to(x)

    def start(self, seed: int) -> Vector:
        """Return a point 1.5 to 3 times as far out as all of the set's corners, shape ``[n]``."""
        return in_shell(seed, self.n, 1.5 * self.reach, 3 * self.reach)

    def pareto_set(self, count: int) -> Vector:
        """Return points of the set, shape ``[k, n]``: random ones, and for m > n corners first."""
        if self.m > self.n:
            return self.cells.spread(count)
        if self.m == self.n:
            return self.solution.unsqueeze(0)[:count]
        drawn = torch.randn(count, self.n, dtype=torch.float64, generator=seeded(0))
        return self.solution + drawn - drawn @ self.X.T @ self.inverse.T

    def distance(self, x: Vector) -> Tensor:
        """Return ‖X⁺(Xθ - y)‖ for m ≤ n, else the distance to the bounded cells."""
        if self.m > self.n:
            return self.cells.distance(x)
        return (self._residuals(x) @ self.inverse.to(x).T).norm(dim=-1)

    def _residuals(self, x: Vector) -> Tensor:
        return x @ self.X.to(x).T - self.y.to(x)
