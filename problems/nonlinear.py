"""Two objectives beyond quadratics, with Pareto sets in closed form."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem
from jdbench.problems.curve import distance_to_parabola
from jdbench.problems.hull import along_segment, distance_to_segment
from jdbench.problems.sizes import check_size
from jdbench.problems.starts import in_box, in_shell
from jdbench.shapes import Jacobian, Objectives, Vector


class LogCosh(AnalyticProblem):
    """Log-cosh pair, f(x) = Σⱼ log cosh(xⱼ ∓ 1): quadratic near its centres, gradients bounded far away.

    Every coordinate alone has the gradients tanh(xⱼ ∓ 1), opposed within |xⱼ| ≤ 1 in a ratio that tells xⱼ: the
    Pareto set is {t1 : |t| ≤ 1}; distances are measured in x. The Hessians are diag(sech²) ≤ I, so that
    β = √2 is enough. Starts have norm 2√n to 4√n.

    Example:
        >>> import torch
        >>> from jdbench.problems.nonlinear import LogCosh
        >>> problem = LogCosh()
        >>> problem.jacobian(torch.tensor([9.0, -9.0])).round(decimals=3)  # bounded, however far away
        tensor([[ 1., -1.],
                [ 1., -1.]])
    """

    family: str = "convex"
    source: ClassVar[str] = "two shifted log-cosh losses"
    variants: ClassVar[tuple[str, ...]] = ("", "(n=20)")
    convex: bool = True

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 1."""
        check_size("n", n, 1)
        self.m, self.n = 2, n
        self.beta = math.sqrt(2)
        self.end = torch.ones(n, dtype=torch.float64)

    def objectives(self, x: Vector) -> Objectives:
        """Return Σ log cosh(xⱼ ∓ 1), shape ``[..., 2]``, as |s| + log(1 + e^(-2|s|)) - log 2."""
        size = _both(x, 1).abs()
        return (size + torch.log1p(torch.exp(-2 * size)) - math.log(2)).sum(-1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows tanh(x ∓ 1), shape ``[..., 2, n]``."""
        return _both(x, 1).tanh()

    def start(self, seed: int) -> Vector:
        """Return a point of norm 2√n to 4√n, shape ``[n]``."""
        return in_shell(seed, self.n, 2 * math.sqrt(self.n), 4 * math.sqrt(self.n))

    def pareto_set(self, count: int) -> Vector:
        """Return points from -1 to 1, shape ``[count, n]``."""
        return along_segment(-self.end, self.end, count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the segment from -1 to 1."""
        return distance_to_segment(x, -self.end, self.end)


class Fonseca(AnalyticProblem):
    """Fonseca's pair, f(x) = 1 - exp(-‖x ∓ 1/√n‖²): a concave front, and gradients that vanish far from it.

    The Pareto set is {t1 : |t| ≤ 1/√n}, on which √(-log(1 - f₁)) + √(-log(1 - f₂)) = 2; distances are measured
    in x, since f saturates. A gradient 2(x - c)e^(-s), s = ‖x - c‖², has derivative 2e^(-s)(I - 2(x - c)(x -
    c)ᵀ) with eigenvalues 2e^(-s) and 2(1 - 2s)e^(-s), in [-4e^(-3/2), 2]: β = 2√2 is enough. Starts have norm
    1.5 to 2.

    Example:
        >>> import torch
        >>> from jdbench.problems.nonlinear import Fonseca
        >>> problem = Fonseca()
        >>> problem.objectives(torch.tensor([[0.0, 0.0], [9.0, 9.0]])).round(decimals=3)  # far away f is flat
        tensor([[0.6320, 0.6320],
                [1.0000, 1.0000]])
    """

    family: str = "non-convex"
    source: ClassVar[str] = "Fonseca & Fleming 1995; MOP2 of Van Veldhuizen & Lamont 1999 (VLMOP2)"
    variants: ClassVar[tuple[str, ...]] = ("", "(n=10)")

    def __init__(self, n: int = 2) -> None:
        """Set the number of parameters, at least 1."""
        check_size("n", n, 1)
        self.m, self.n = 2, n
        self.beta = 2 * math.sqrt(2)
        self.end = torch.full((n,), 1 / math.sqrt(n), dtype=torch.float64)

    def objectives(self, x: Vector) -> Objectives:
        """Return 1 - exp(-‖x ∓ 1/√n‖²), shape ``[..., 2]``."""
        return -torch.expm1(-_both(x, 1 / math.sqrt(self.n)).square().sum(-1))

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows 2(x ∓ 1/√n)exp(-‖x ∓ 1/√n‖²), shape ``[..., 2, n]``."""
        shift = _both(x, 1 / math.sqrt(self.n))
        return 2 * shift * torch.exp(-shift.square().sum(-1, keepdim=True))

    def start(self, seed: int) -> Vector:
        """Return a point of norm 1.5 to 2, shape ``[n]``."""
        return in_shell(seed, self.n, 1.5, 2)

    def pareto_set(self, count: int) -> Vector:
        """Return points from -1/√n to 1/√n, shape ``[count, n]``."""
        return along_segment(-self.end, self.end, count)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the segment from -1/√n to 1/√n."""
        return distance_to_segment(x, -self.end, self.end)


class Dent(AnalyticProblem):
    """Dent, ½(√(1 + s²) + √(1 + d²) ± d) + λe^(-d²) with s = x + y, d = x - y: sums of objectives miss a part.

    λ = 0.85. The Pareto set is the line y = -x, which minimises both objectives for every d while f₁ rises
    and f₂ falls in d; distances are measured in x. Around d = 0 the front bulges, so that no weighted sum has
    its minimum there. In the orthonormal (s, d)/√2 both Hessians are
    diag((1 + s²)^(-3/2), h(d)), h(d) = (1 + d²)^(-3/2) + 2λ(4d² - 2)e^(-d²). With E = d²: for E ≥ ½, h > 0;
    below, h + 4λ - 1 ≥ 12λEe^(-E) - 3E/2 ≥ 0. And h ≤ 1 for E < ½, else at most (3/2)^(-3/2) + 8λe^(-3/2) <
    2.1. So |h| ≤ 4λ - 1 = 2.4, at d = 0, and β = 2.4√2. Starts have |s| in [1, 3] and d in [-2, 2].

    Example:
        >>> import torch
        >>> from jdbench.problems.nonlinear import Dent
        >>> problem = Dent()
        >>> x = torch.tensor([[0.0, 0.0], [0.75, -0.75]])  # both optimal
        >>> problem.objectives(x).sum(-1).round(decimals=3)  # no weighted sum has its minimum at the first
        tensor([3.7000, 2.9820])
    """

    family: str = "non-convex"
    source: ClassVar[str] = "Witting 2012, dissertation, Paderborn"
    m: int = 2
    n: int = 2
    beta: float | None = 2.4 * math.sqrt(2)
    WEIGHT: ClassVar[float] = 0.85
    SAMPLED: ClassVar[float] = 3.0

    def objectives(self, x: Vector) -> Objectives:
        """Return the two objectives, shape ``[..., 2]``."""
        s, d = x[..., 0] + x[..., 1], x[..., 0] - x[..., 1]
        shared = ((1 + s * s).sqrt() + (1 + d * d).sqrt()) / 2 + self.WEIGHT * torch.exp(-d * d)
        return torch.stack([shared + d / 2, shared - d / 2], -1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows (∂s + ∂d, ∂s - ∂d), shape ``[..., 2, 2]``."""
        s, d = x[..., 0] + x[..., 1], x[..., 0] - x[..., 1]
        by_s = s / (1 + s * s).sqrt() / 2
        by_d = d / (1 + d * d).sqrt() / 2 - 2 * self.WEIGHT * d * torch.exp(-d * d)
        rows = [torch.stack([by_s + by_d + sign / 2, by_s - by_d - sign / 2], -1) for sign in (1, -1)]
        return torch.stack(rows, -2)

    def start(self, seed: int) -> Vector:
        """Return a point with |s| in [1, 3] and d in [-2, 2], shape ``[2]``."""
        size, turn = in_box(seed, [1.0, -2.0], [3.0, 2.0])
        s = size if seed % 2 else -size
        return torch.stack([s + turn, s - turn]) / 2

    def pareto_set(self, count: int) -> Vector:
        """Return points from (-3, 3) to (3, -3) of the unbounded line, shape ``[count, 2]``."""
        end = torch.tensor([-self.SAMPLED, self.SAMPLED], dtype=torch.float64)
        return along_segment(end, -end, count)

    def distance(self, x: Vector) -> Tensor:
        """Return |x + y|/√2, the distance to the line y = -x."""
        return x.sum(-1).abs() / math.sqrt(2)


class CurvedValley(AnalyticProblem):
    """Curved valley, f(x) = ‖z ∓ e₁‖² with z = (x₁, 10(x₂ - x₁²)): the set bends, the valley is steep.

    The Pareto set is the parabola {(t, t²) : |t| ≤ 1} and the front √f₁ + √f₂ = 2; distances are measured in
    x. The gradients grow like cubes: there is no β. Starts have x₁ in [-1.5, 1.5] and lie ½ to 3/2 above or
    below the parabola.

    Example:
        >>> import torch
        >>> from jdbench.problems.nonlinear import CurvedValley
        >>> problem = CurvedValley()
        >>> problem.objectives(torch.tensor([0.5, 0.25])), problem.distance(torch.tensor([0.5, 0.25]))
        (tensor([0.2500, 2.2500]), tensor(0.))
        >>> problem.jacobian(torch.tensor([0.5, 0.35])).round(decimals=2)  # above the valley, which is steep
        tensor([[-21.,  20.],
                [-17.,  20.]])
    """

    family: str = "non-convex"
    source: ClassVar[str] = "two spheres in the coordinates of Rosenbrock 1960"
    m: int = 2
    n: int = 2

    def objectives(self, x: Vector) -> Objectives:
        """Return (x₁ ∓ 1)² + 100(x₂ - x₁²)², shape ``[..., 2]``."""
        first = x[..., 0]
        valley = 100 * (x[..., 1] - first.square()).square()
        return torch.stack([(first - 1).square() + valley, (first + 1).square() + valley], -1)

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the rows (2(x₁ ∓ 1) - 400x₁(x₂ - x₁²), 200(x₂ - x₁²)), shape ``[..., 2, 2]``."""
        first = x[..., 0]
        height = x[..., 1] - first.square()
        pull = 400 * first * height
        rows = [torch.stack([2 * (first - sign) - pull, 200 * height], -1) for sign in (1, -1)]
        return torch.stack(rows, -2)

    def start(self, seed: int) -> Vector:
        """Return a point with x₁ in [-1.5, 1.5], ½ to 3/2 above or below the parabola, shape ``[2]``."""
        first, height = in_box(seed, [-1.5, 0.5], [1.5, 1.5])
        return torch.stack([first, first.square() + (height if seed % 2 else -height)])

    def pareto_set(self, count: int) -> Vector:
        """Return points from (-1, 1) to (1, 1) along the parabola, shape ``[count, 2]``."""
        t = torch.linspace(-1, 1, count, dtype=torch.float64)
        return torch.stack([t, t * t], -1)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of x to the arc of the parabola."""
        return distance_to_parabola(x[..., 0], x[..., 1], -1, 1)


def _both(x: Tensor, offset: float) -> Tensor:
    """Return x - offset and x + offset, stacked before the last dimension."""
    return torch.stack([x - offset, x + offset], -2)
