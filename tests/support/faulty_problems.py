"""Problems with one fault each, for the checks that must name it."""

import math

import torch
from torch import Tensor

from jdbench.problems.curve import distance_to_parabola
from jdbench.problems.quadratic import ElementWiseQuadratic
from jdbench.problems.spheres import DoubleSphere, Spheres
from jdbench.problems.zdt import ZDT1, ZDT6


class WrongRow(DoubleSphere):
    def jacobian(self, x: Tensor) -> Tensor:
        return super().jacobian(x) * torch.tensor([[1.0], [1.0 + 1e-9]], dtype=x.dtype)


class DominatedPoint(ElementWiseQuadratic):
    """The axis is weakly stationary, not optimal."""

    def pareto_set(self, count: int) -> Tensor:  # noqa: ARG002
        return torch.tensor([[0.0, 0.0], [0.5, 0.0]], dtype=torch.float64)


class LocallyDominated(DoubleSphere):
    def pareto_set(self, count: int) -> Tensor:
        return 1.001 * super().pareto_set(count)


class NotStationary(DoubleSphere):
    """One point beside the segment, closer than domination is told from rounding."""

    def pareto_set(self, count: int) -> Tensor:
        points = super().pareto_set(count)
        points[count // 2] += 1e-9 * torch.tensor([1.0, -1.0], dtype=torch.float64)
        return points


class WithoutFactor(ZDT1):
    """ZDT1 that drops the factor g: f₂ = 1 - √f₁ for any other parameter."""

    def objectives(self, x: Tensor) -> Tensor:
        root = torch.sin(x[..., 0]).square()
        return torch.stack([root.square(), 1 - root], -1)


class FrontFromZero(ZDT6):
    """ZDT6 measured to a front that starts at f₁ = 0."""

    def distance(self, x: Tensor) -> Tensor:
        f = self.objectives(x)
        return distance_to_parabola(f[..., 0], 1 - f[..., 1], 0, 1)


class SmallBeta(Spheres):
    def __init__(self) -> None:
        super().__init__()
        self.beta = 0.999 * 2 * math.sqrt(3)


class FalselyConvex(ZDT6):
    convex: bool = True


class BatchBlind(DoubleSphere):
    """The distance of the first point for all."""

    def distance(self, x: Tensor) -> Tensor:
        return super().distance(x.reshape(-1, self.n)[0].expand_as(x))


class HalfDistance(DoubleSphere):
    def distance(self, x: Tensor) -> Tensor:
        return super().distance(x) / 2


class LongDistance(DoubleSphere):
    """To the nearest of a few points of the set."""

    def distance(self, x: Tensor) -> Tensor:
        return (x.unsqueeze(-2) - self.pareto_set(7).to(x)).norm(dim=-1).amin(-1)


class ZeroDistance(DoubleSphere):
    def distance(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[..., 0])


class DistanceToTheLine(DoubleSphere):
    """To the whole line through both centres, not to the segment between them."""

    def distance(self, x: Tensor) -> Tensor:
        unit = (self.centre / self.centre.norm()).to(x)
        return (x - (x @ unit).unsqueeze(-1) * unit).norm(dim=-1)


class DistanceBeyondTheEnds(DoubleSphere):
    """To a segment one hundredth too long."""

    def distance(self, x: Tensor) -> Tensor:
        return super().distance(x / 1.01) * 1.01


class HalfTheSet(DoubleSphere):
    """Half of the segment between the centres, in the set as in the distance."""

    def pareto_set(self, count: int) -> Tensor:
        return super().pareto_set(count) / 2

    def distance(self, x: Tensor) -> Tensor:
        return super().distance(2 * x) / 2


class Jumping(DoubleSphere):
    """Half of the distance on one side."""

    def distance(self, x: Tensor) -> Tensor:
        return super().distance(x) * torch.where(x[..., 0] > 0, 1.0, 0.5).to(x)


class OffsetDistance(DoubleSphere):
    def distance(self, x: Tensor) -> Tensor:
        return super().distance(x) + 1e-12


class HalfPrecision(DoubleSphere):
    """Constants of float16, which float64 hides."""

    def objectives(self, x: Tensor) -> Tensor:
        f = super().objectives(x)
        return f if x.dtype == torch.float64 else f.half().float()


class AlwaysDouble(DoubleSphere):
    def objectives(self, x: Tensor) -> Tensor:
        return super().objectives(x.double())


class SameStart(DoubleSphere):
    def start(self, seed: int) -> Tensor:
        return super().start(seed % 4)


class ChancyStart(DoubleSphere):
    def start(self, seed: int) -> Tensor:
        return super().start(seed) + torch.rand(2)


class OptimalStart(DoubleSphere):
    def start(self, seed: int) -> Tensor:
        return self.centre / seed


class OutsideStart(DoubleSphere):
    domain: tuple[float, float] = (-1.5, 1.5)


class NeverAttained(DoubleSphere):
    attained: bool = False


class Raises(DoubleSphere):
    def distance(self, x: Tensor) -> Tensor:  # noqa: ARG002
        raise RuntimeError("not today")
