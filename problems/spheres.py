"""Objectives that grow with the distance to a centre: the Pareto set is the convex hull of the centres."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.errors import unknown_name
from jdbench.problem import AnalyticProblem, seeded
from jdbench.problems.hull import Hull, along_segment, distance_to_segment
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_shell
from jdbench.shapes import Jacobian, Objectives, Vector

MOST_CENTRES = 10
"""The exact distance to a hull looks at all of its faces, 2^m - 1 at most."""


class DoubleSphere(AnalyticProblem):
    """Two spheres, f(x) = ‖x ∓ a‖²/4 with ‖a‖ = 1: one condition number, one curvature, pure conflict.

    a = 1/√n. The Pareto set is {ta : |t| ≤ 1} and the front √f₁ + √f₂ = 1; distances are measured in x. The
    gradients (x ∓ a)/2 have Lipschitz constant ½ each, so β = √(2 · ¼). Starts have norm 2 to 4.

    Example:
        >>> import torch
        >>> from jdbench.problems.spheres import DoubleSphere
        >>> problem = DoubleSphere(n=4)
        >>> x = torch.tensor([0.5, 0.5, 0.5, 0.5])  # the first centre, an end of the Pareto set
        >>> problem.objectives(x), problem.distance(-3 * x)
        (tensor([0., 1.]), tensor(2.))
    """

    family: str = "convex"
    source: ClassVar[str] = "the double sphere of evolutionary optimisation, scaled"
    variants: ClassVar[tuple[str, ...]] = ("", "(n=20)")
    convex: bool = True

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 1."""
        check_size("n", n, 1)
        self.m, self.n = 2, n
        self.beta = math.sqrt(0.5)
        self.centre = torch.full((n,), 1 / math.sqrt(n), dtype=torch.float64)

    def objectives(self, x: Vector) -> Objectives:
        """Return ‖x ∓ a‖²/4, shape ``[..., 2]``."""
        return self.jacobian(x).square().sum(-1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows (x ∓ a)/2, shape ``[..., 2, n]``."""
        a = self.centre.to(x)
        return torch.stack([x - a, x + a], -2) / 2

    def start(self, seed: int) -> Vector:
        """Return a point of norm 2 to 4, shape ``[n]``."""
        return in_shell(seed, self.n, 2, 4)

    def pareto_set(self, count: int) -> Vector:
        """Return points from -a to a, shape ``[count, n]``."""
        return along_segment(-self.centre, self.centre, count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the segment from -a to a."""
        return distance_to_segment(x, -self.centre, self.centre)


class Schaffer(AnalyticProblem):
    """Schaffer's pair, f(x) = (mean of xⱼ², mean of (xⱼ - 2)²): many parameters have a small gradient each.

    The Pareto set is {t1 : 0 ≤ t ≤ 2} and the front √f₁ + √f₂ = 2; distances are measured in x. Both
    Hessians are 2I/n, so β = 2√2/n. Starts have norm 2√n to 4√n around the middle of the set.

    Example:
        >>> import torch
        >>> from jdbench.problems.spheres import Schaffer
        >>> problem = Schaffer(n=3)
        >>> problem.objectives(torch.ones(3)), problem.distance(torch.ones(3))  # the middle of the Pareto set
        (tensor([1., 1.]), tensor(0.))
    """

    family: str = "convex"
    source: ClassVar[str] = "Schaffer 1985 (n = 1); Jin, Olhofer & Sendhoff 2001"
    variants: ClassVar[tuple[str, ...]] = ("", "(n=20)")
    convex: bool = True

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 1."""
        check_size("n", n, 1)
        self.m, self.n = 2, n
        self.beta = 2 * math.sqrt(2) / n
        self.ends = torch.tensor([[0.0], [2.0]], dtype=torch.float64).expand(2, n)

    def objectives(self, x: Vector) -> Objectives:
        """Return the two means of squares, shape ``[..., 2]``."""
        return (x.unsqueeze(-2) - self.ends.to(x)).square().mean(-1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2x/n and 2(x - 2)/n, shape ``[..., 2, n]``."""
        return (x.unsqueeze(-2) - self.ends.to(x)) * (2 / self.n)

    def start(self, seed: int) -> Vector:
        """Return 1 plus a vector of norm 2√n to 4√n, shape ``[n]``."""
        size = math.sqrt(self.n)
        return 1 + in_shell(seed, self.n, 2 * size, 4 * size)

    def pareto_set(self, count: int) -> Vector:
        """Return points from 0 to 2·1, shape ``[count, n]``."""
        return along_segment(self.ends[0], self.ends[1], count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the segment from 0 to 2·1."""
        return distance_to_segment(x, *self.ends)


class Spheres(AnalyticProblem):
    """Spheres, fᵢ(x) = ‖x - cᵢ‖² with m centres: any number of objectives, more than parameters too.

    The centres are drawn on the unit sphere, always the same for a pair of sizes. The Pareto set is their
    convex hull; distances are measured in x. All Hessians are 2I, so β = 2√m. Starts have norm 2 to 4.

    Example:
        >>> from jdbench.problems.spheres import Spheres
        >>> problem = Spheres(m=8, n=3)
        >>> bool((problem.distance(problem.pareto_set(100)) < 1e-9).all())
        True
        >>> problem.jacobian(problem.start(1)).shape
        torch.Size([8, 3])
    """

    family: str = "convex"
    source: ClassVar[str] = "distance minimisation, Köppen & Yoshida 2007, with squares"
    variants: ClassVar[tuple[str, ...]] = ("(m=3,n=2)", "(m=8,n=3)", "(m=5,n=20)")
    convex: bool = True

    def __init__(self, m: int = 3, n: int = 2) -> None:
        """Draw the centres.

        Args:
            m: Number of objectives, 1 to 10.
            n: Number of parameters, at least 1.

        Raises:
            InputError: A size is out of range.
        """
        check_size("m", m, 1, MOST_CENTRES)
        check_size("n", n, 1)
        self.m, self.n = m, n
        self.beta: float | None = 2 * math.sqrt(m)
        drawn = torch.randn(m, n, dtype=torch.float64, generator=seeded(1000 * m + n))
        self.centres = drawn / drawn.norm(dim=-1, keepdim=True)
        self.hull = Hull(self.centres)

    def objectives(self, x: Vector) -> Objectives:
        """Return ‖x - cᵢ‖², shape ``[..., m]``."""
        return (x.unsqueeze(-2) - self.centres.to(x)).square().sum(-1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2(x - cᵢ), shape ``[..., m, n]``."""
        return 2 * (x.unsqueeze(-2) - self.centres.to(x))

    def start(self, seed: int) -> Vector:
        """Return a point of norm 2 to 4, shape ``[n]``: outside of the hull."""
        return in_shell(seed, self.n, 2, 4)

    def pareto_set(self, count: int) -> Vector:
        """Return the centres and points spread over their hull, shape ``[count, n]``."""
        return self.hull.spread(count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the hull of the centres, exact for any m."""
        return self.hull.distance(x)


class MonotoneSpheres(AnalyticProblem):
    """Monotone spheres, fᵢ(x) = φ(‖x - cᵢ‖²) with φ′ > 0: the set of Spheres under another curvature.

    The centres, and so the Pareto set and the distance, which is measured in x, are those of `Spheres` with
    the same sizes. Shapes φ and the Lipschitz constant L of one gradient, the largest |eigenvalue| of
    2φ′(s)I + 4φ″(s)(x - c)(x - c)ᵀ over s = ‖x - c‖² ≥ 0, of which β is √m times:

    - ``root``, √(1 + s): φ = √(1+s) is convex in x, eigenvalues (1+s)^-½ and (1+s)^-3/2, L = 1.
    - ``log``, log(1 + s): eigenvalues 2/(1+s) and 2(1-s)/(1+s)² in [-¼, 2], L = 2; not convex.
    - ``square``, s²: eigenvalues 4s and 12s; convex, no L.
    - ``saturating``, 1 - e^(-s/4): ½e^(-s/4) and ½(1 - s/2)e^(-s/4) in [-e^(-3/2), ½], L = ½; not convex.

    The family is ``convex`` where φ is convex in x.

    Example:
        >>> from jdbench.problems.spheres import MonotoneSpheres
        >>> problem = MonotoneSpheres(phi="root")
        >>> x = problem.start(1)
        >>> (problem.objectives(x).square() - 1).allclose(problem.spheres.objectives(x))
        True
    """

    family: str = "non-convex"
    source: ClassVar[str] = "Spheres under monotone transformations, which keep dominance"
    variants: ClassVar[tuple[str, ...]] = (
        "(phi='log')",
        "(phi='root')",
        "(phi='square')",
        "(phi='saturating')",
    )
    LIPSCHITZ: ClassVar[dict[str, float | None]] = {"root": 1.0, "log": 2.0, "square": None, "saturating": 0.5}

    def __init__(self, phi: str = "log", m: int = 3, n: int = 2) -> None:
        """Choose the shape.

        Args:
            phi: ``root``, ``log``, ``square`` or ``saturating``.
            m: Number of objectives, 1 to 10.
            n: Number of parameters, at least 1.

        Raises:
            InputError: A size is out of range, or there is no such shape.
        """
        if phi not in self.LIPSCHITZ:
            raise unknown_name("phi", phi, self.LIPSCHITZ)
        self.spheres = Spheres(m, n)
        self.m, self.n, self.phi = m, n, phi
        self.convex = phi in {"root", "square"}
        self.family = "convex" if self.convex else "non-convex"
        lipschitz = self.LIPSCHITZ[phi]
        self.beta = None if lipschitz is None else lipschitz * math.sqrt(m)

    def objectives(self, x: Vector) -> Objectives:
        """Return φ(‖x - cᵢ‖²), shape ``[..., m]``."""
        return self._shape(self.spheres.objectives(x))[0]

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2φ′(‖x - cᵢ‖²)(x - cᵢ), shape ``[..., m, n]``."""
        slope = self._shape(self.spheres.objectives(x))[1]
        return slope.unsqueeze(-1) * self.spheres.jacobian(x)

    def start(self, seed: int) -> Vector:
        """Return the start of `Spheres`, shape ``[n]``."""
        return self.spheres.start(seed)

    def pareto_set(self, count: int) -> Vector:
        """Return points of the hull of the centres, shape ``[count, n]``."""
        return self.spheres.pareto_set(count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the hull of the centres."""
        return self.spheres.distance(x)

    def _shape(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Return φ(s) and φ′(s)."""
        if self.phi == "root":
            root = (1 + s).sqrt()
            return root, 0.5 / root
        if self.phi == "log":
            return s.log1p(), 1 / (1 + s)
        if self.phi == "square":
            return s.square(), 2 * s
        return -torch.expm1(-s / 4), torch.exp(-s / 4) / 4
