"""Convex quadratics: the two of [JD] Appendix A.1, and scaled ones that share a shape."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem, seeded
from jdbench.problems.curve import dense_at_ends, distance_to_curve
from jdbench.problems.hull import Hull
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_shell
from jdbench.shapes import Jacobian, Objectives, Vector

BOX = 2.0
"""Runs beyond the listed starts begin uniformly in [-2, 2]²."""


def _start(listed: tuple[tuple[float, float], ...], seed: int) -> Vector:
    if seed <= len(listed):
        return torch.tensor(listed[seed - 1], dtype=torch.float64)
    return (2 * torch.rand(2, dtype=torch.float64, generator=seeded(seed)) - 1) * BOX


class ElementWiseQuadratic(AnalyticProblem):
    """EWQ, f(x) = (x₁², x₂²) ([JD] eq. 13): gradients never conflict, yet weak stationarity is a trap.

    The Pareto set is the origin and the front its image; both axes are weakly stationary. Distances are
    measured among objective values. Two of the eight listed starts have |x₁| = |x₂|, where even an
    aggregator that stalls at the axes reaches the origin.

    Example:
        >>> import torch
        >>> from jdbench.problems.quadratic import ElementWiseQuadratic
        >>> problem = ElementWiseQuadratic()
        >>> x = torch.tensor([0.0, 2.0])  # on an axis: weakly stationary, not optimal
        >>> problem.jacobian(x), problem.distance(x)
        (tensor([[0., 0.],
                [0., 4.]]), tensor(4.))
    """

    family: str = "convex"
    source: ClassVar[str] = "[JD] eq. 13"
    m: int = 2
    n: int = 2
    beta: float | None = 2.0
    convex: bool = True
    space: Literal["x", "f"] = "f"

    STARTS: ClassVar[tuple[tuple[float, float], ...]] = (
        (2.0, 1.0),
        (-1.0, 2.0),
        (-2.0, -0.5),
        (0.5, -2.0),
        (1.5, 1.5),
        (-1.0, 1.0),
        (-0.25, -1.5),
        (1.75, -1.25),
    )

    def objectives(self, x: Vector) -> Objectives:
        """Return (x₁², x₂²), shape ``[..., 2]``."""
        return x.square()

    def jacobian(self, x: Vector) -> Jacobian:
        """Return diag(2x), shape ``[..., 2, 2]``."""
        return torch.diag_embed(2 * x)

    def start(self, seed: int) -> Vector:
        """Return the listed start number ``seed``, or one drawn from the box, shape ``[2]``."""
        return _start(self.STARTS, seed)

    def pareto_set(self, count: int) -> Vector:
        """Return the origin, shape ``[1, 2]``, however many points are asked for."""
        return torch.zeros(min(count, 1), 2, dtype=torch.float64)

    def distance(self, x: Vector) -> Tensor:
        """Return ‖f(x)‖, the distance of f(x) to the front {0}."""
        return self.objectives(x).norm(dim=-1)


class ConvexQuadraticForm(AnalyticProblem):
    """CQF, fᵢ(x) = (x - vᵢ)ᵀAᵢ(x - vᵢ) ([JD] eq. 14 to 16): conflicting and imbalanced gradients.

    A₁ = UΣ₁Uᵀ and A₂ = UᵀΣ₂U with U the rotation by π/16. The Pareto set is the curve
    x(w) = (wA₁ + (1 - w)A₂)⁻¹ (wA₁v₁ + (1 - w)A₂v₂) for w in [0, 1]. Distances are measured among objective
    values, to the image of that curve. The first listed start is the paper's, the origin.

    Example:
        >>> from jdbench.problems.quadratic import ConvexQuadraticForm
        >>> problem = ConvexQuadraticForm()
        >>> g, other = problem.jacobian(problem.start(1))
        >>> round(float(g @ other), 3), round(float(other.norm() / g.norm()), 3)  # conflict, imbalance
        (-10.676, 3.0)
    """

    family: str = "convex"
    source: ClassVar[str] = "[JD] eq. 14-16"
    m: int = 2
    n: int = 2
    convex: bool = True
    space: Literal["x", "f"] = "f"

    STARTS: ClassVar[tuple[tuple[float, float], ...]] = (
        (0.0, 0.0),
        (0.5, 1.5),
        (-0.5, -1.5),
        (1.5, 0.5),
        (-1.5, 0.75),
        (0.0, 1.0),
        (1.25, -1.0),
        (-1.75, -1.0),
    )

    def __init__(self) -> None:
        theta, epsilon = math.pi / 16, 0.01
        U = torch.tensor(
            [[math.cos(theta), -math.sin(theta)], [math.sin(theta), math.cos(theta)]], dtype=torch.float64
        )
        A1 = U @ torch.diag(torch.tensor([1.0, epsilon], dtype=torch.float64)) @ U.T
        A2 = U.T @ torch.diag(torch.tensor([3.0, epsilon], dtype=torch.float64)) @ U
        self.forms = torch.stack([A1, A2])
        self.centres = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
        # Jf(x) - Jf(y) stacks the rows 2Aᵢ(x - y), so ‖·‖_F² = 4 Σ ‖Aᵢ(x - y)‖².
        squares = 4 * (A1 @ A1 + A2 @ A2)
        self.beta: float | None = float(torch.linalg.eigvalsh(squares)[-1].sqrt())

    def objectives(self, x: Vector) -> Objectives:
        """Return the two quadratic forms, shape ``[..., 2]``."""
        shift = x.unsqueeze(-2) - self.centres.to(x)
        return torch.einsum("...mi,mij,...mj->...m", shift, self.forms.to(x), shift)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2Aᵢ(x - vᵢ), shape ``[..., 2, 2]``."""
        shift = x.unsqueeze(-2) - self.centres.to(x)
        return 2 * torch.einsum("mij,...mj->...mi", self.forms.to(x), shift)

    def start(self, seed: int) -> Vector:
        """Return the listed start number ``seed``, or one drawn from the box, shape ``[2]``."""
        return _start(self.STARTS, seed)

    def pareto_set(self, count: int) -> Vector:
        """Return points from v₂ to v₁ along the set, denser at its ends, shape ``[count, 2]``."""
        return self._along(dense_at_ends(count))[0]

    def distance(self, x: Vector) -> Tensor:
        """Return min over w of ‖f(x) - f(x(w))‖, exact up to rounding.

        The nearest of 65 points of the front bracket the minimiser, which is then found to the last bit of w.
        """
        return distance_to_curve(self.objectives(x), self._front, dense_at_ends(65))

    def _front(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(x(w)) and its derivative, shapes ``[2, ...]``."""
        point, tangent = self._along(w)
        slope = (self.jacobian(point) @ tangent.unsqueeze(-1)).squeeze(-1)
        return self.objectives(point).movedim(-1, 0), slope.movedim(-1, 0)

    def _along(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """Return x(w) and dx/dw, shapes ``[..., 2]``."""
        A1, A2 = self.forms.to(w)
        v1, v2 = self.centres.to(w)
        share = w[..., None, None]
        inverse = _inverse(share * A1 + (1 - share) * A2)
        x = v2 + (inverse @ (share * A1 @ (v1 - v2).unsqueeze(-1))).squeeze(-1)
        pull = (v1 - x) @ A1 - (v2 - x) @ A2
        return x, (inverse @ pull.unsqueeze(-1)).squeeze(-1)


class HomogeneousQuadratics(AnalyticProblem):
    """Homogeneous quadratics, fᵢ(x) = sᵢ(x - uᵢ)ᵀA(x - uᵢ): one shape, scales of another decade each.

    A = [[2, -1], [-1, 2]], s = (1, 10, 100) and u = (1, 0), (-10, 0), (0, 10), of which the first m are
    taken. In the metric of A these are spheres: the Pareto set is the convex hull of the uᵢ; distances are
    measured in x. The Hessians are 2sᵢA: β = 2λ_max(A)‖s‖ = 6‖s‖, attained. Starts have norm 15 to 25.

    Example:
        >>> import torch
        >>> from jdbench.problems.quadratic import HomogeneousQuadratics
        >>> problem = HomogeneousQuadratics(m=3)
        >>> problem.objectives(torch.zeros(2)).tolist()
        [2.0, 2000.0, 20000.0]
        >>> problem.distance(torch.tensor([4.0, -3.0])).round(decimals=3)
        tensor(4.2430)
    """

    family: str = "convex"
    source: ClassVar[str] = "spheres under a linear map and with unequal scales"
    variants: ClassVar[tuple[str, ...]] = ("", "(m=3)")
    convex: bool = True

    def __init__(self, m: int = 2) -> None:
        """Set the number of objectives, 1 to 3."""
        check_size("m", m, 1, 3)
        self.m, self.n = m, 2
        self.form = torch.tensor([[2.0, -1.0], [-1.0, 2.0]], dtype=torch.float64)
        self.scales = torch.tensor([1.0, 10.0, 100.0], dtype=torch.float64)[:m]
        self.centres = torch.tensor([[1.0, 0.0], [-10.0, 0.0], [0.0, 10.0]], dtype=torch.float64)[:m]
        self.hull = Hull(self.centres)
        self.beta: float | None = 6 * float(self.scales.norm())

    def objectives(self, x: Vector) -> Objectives:
        """Return sᵢ(x - uᵢ)ᵀA(x - uᵢ), shape ``[..., m]``."""
        shift = x.unsqueeze(-2) - self.centres.to(x)
        return self.scales.to(x) * ((shift @ self.form.to(x)) * shift).sum(-1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2sᵢA(x - uᵢ), shape ``[..., m, 2]``."""
        shift = x.unsqueeze(-2) - self.centres.to(x)
        return 2 * self.scales.to(x).unsqueeze(-1) * (shift @ self.form.to(x))

    def start(self, seed: int) -> Vector:
        """Return a point of norm 15 to 25, shape ``[2]``."""
        return in_shell(seed, 2, 15, 25)

    def pareto_set(self, count: int) -> Vector:
        """Return points of the hull of the centres, shape ``[count, 2]``."""
        return self.hull.spread(count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the hull of the centres."""
        return self.hull.distance(x)


def _inverse(M: Tensor) -> Tensor:
    """Return the inverses of symmetric 2 × 2 matrices by Cramer's rule."""
    a, b, d = M[..., 0, 0], M[..., 0, 1], M[..., 1, 1]
    rows = torch.stack([torch.stack([d, -b], -1), torch.stack([-b, a], -1)], -2)
    return rows / (a * d - b * b)[..., None, None]
