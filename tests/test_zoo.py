"""Every announced analytic problem survives the checks, in all its variants; planted faults do not."""

import math
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import MGDA, UPGrad
from jdbench.errors import InputError
from jdbench.problem import (
    AnalyticProblem,
    available_problems,
    benchmark_problems,
    canonical_problem,
    resolve_problem,
    seeded,
)
from jdbench.problem_checks import CHECKS, check_problem
from jdbench.problems.curve import distance_to_curve, distance_to_parabola
from jdbench.problems.hull import Hull
from jdbench.problems.quadratic import ElementWiseQuadratic
from jdbench.problems.spheres import DoubleSphere, Spheres
from jdbench.problems.zdt import ZDT1, ZDT6
from jdbench.verification.tolerances import gamma

SPECS = [spec for spec in benchmark_problems(quick=False) if isinstance(resolve_problem(spec), AnalyticProblem)]

ZOO = {
    "EWQ", "CQF", "DoubleSphere", "Spheres", "HomogeneousQuadratics", "MonotoneSpheres", "Schaffer", "LogCosh",
    "TwoTaskLeastSquares", "InstanceLeastSquares", "Fonseca", "Dent", "CurvedValley", "ZDT1", "ZDT2", "ZDT3",
    "ZDT4", "ZDT6", "DTLZ1", "DTLZ2", "DTLZ3", "SYM-PART", "ZeroSum", "RegularisedGame",
    "SeparableLogistic", "Toy",
}  # fmt: skip

PATHS = 301 * 176
"""Points at which a benchmark measures the distance, for each aggregator."""


def analytic(spec: str) -> AnalyticProblem:
    problem = resolve_problem(spec)
    assert isinstance(problem, AnalyticProblem)
    return problem


def test_the_whole_zoo_is_announced() -> None:
    assert set(available_problems()) >= ZOO


@pytest.mark.parametrize("spec", SPECS)
def test_problem_is_what_it_says(spec: str) -> None:
    assert [str(finding) for finding in check_problem(analytic(spec))] == []


@pytest.mark.parametrize("spec", SPECS)
def test_problem_says_where_it_is_from(spec: str) -> None:
    problem = analytic(spec)
    assert problem.family in {
        "convex", "non-convex", "multi-task", "instance-wise risk minimisation", "adversarial"
    }  # fmt: skip
    assert problem.source
    assert (problem.reference_rate() is None) == (problem.beta is None)


def test_a_quick_benchmark_runs_default_sizes_and_quick_trainings_only() -> None:
    quick, full = benchmark_problems(quick=True), benchmark_problems(quick=False)
    assert {"Spheres(m=3,n=2)", "MonotoneSpheres(phi='root')", "EWQ", "IWRM-digits"} <= set(quick) <= set(full)
    assert {"Spheres(m=8,n=3)", "MonotoneSpheres(phi='log')", "IWMTL-digits"} <= set(full) - set(quick)
    assert len(set(full)) == len(full)
    assert all(canonical_problem(spec) == spec for spec in full)
    announced = available_problems()
    for spec in set(full) - set(quick):
        assert spec not in announced or resolve_problem(spec).quick is False


# Faults, each with the check that must name it.


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


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (WrongRow, "jacobian"),
        (DominatedPoint, "dominance"),
        (LocallyDominated, "dominance"),
        (NotStationary, "stationarity"),
        (WithoutFactor, "jacobian"),
        (FrontFromZero, "distance-foot"),
        (SmallBeta, "smoothness"),
        (FalselyConvex, "convexity"),
        (BatchBlind, "batches"),
        (HalfDistance, "distance-slope"),
        (LongDistance, "distance-bound"),
        (ZeroDistance, "distance-off-the-set"),
        (OffsetDistance, "set-distance"),
        (HalfPrecision, "single-precision"),
        (AlwaysDouble, "shapes"),
        (SameStart, "starts"),
        (ChancyStart, "starts"),
        (OptimalStart, "starts"),
        (OutsideStart, "starts"),
        (NeverAttained, "shapes"),
        (Raises, "set-distance"),
    ],
)
def test_planted_fault_is_caught(faulty: Callable[[], AnalyticProblem], check: str) -> None:
    assert check in {finding.check for finding in check_problem(faulty())}


def test_every_check_has_a_fault_that_it_catches() -> None:
    faults = next(mark for mark in test_planted_fault_is_caught.pytestmark if mark.name == "parametrize").args[
        1
    ]
    assert {check for _, check in faults} == set(CHECKS)


# Single facts of the literature.


def test_the_pieces_of_zdt3_are_the_published_ones() -> None:
    published = (
        """0.0 0.0830015 0.1822287 0.2577624 0.4093137 0.4538821 0.6183967 0.6525117 0.8233317 0.8518329"""
    )
    found = analytic("ZDT3").pieces.square().flatten().tolist()
    assert found == pytest.approx(
        [float(end) for end in published.split()], abs=1e-7
    )  # cut off after seven digits


def published(name: str, x1: float, g: float) -> tuple[float, float]:
    """The original definitions, by hand: f₁, and f₂ = g h(f₁, g)."""
    f1 = 1 - math.exp(-4 * x1) * math.sin(6 * math.pi * x1) ** 6 if name == "ZDT6" else x1
    h = {
        "ZDT1": 1 - math.sqrt(f1 / g),
        "ZDT2": 1 - (f1 / g) ** 2,
        "ZDT3": 1 - math.sqrt(f1 / g) - f1 / g * math.sin(10 * math.pi * f1),
        "ZDT4": 1 - math.sqrt(f1 / g),
        "ZDT6": 1 - (f1 / g) ** 2,
    }[name]
    return f1, g * h


@pytest.mark.parametrize("name", ["ZDT1", "ZDT2", "ZDT3", "ZDT4", "ZDT6"])
def test_zdt_has_the_published_values_factor_g_included(name: str) -> None:
    problem = analytic(f"{name}(n=3)")
    for u, rest in ((0.3, [0.5, -1.0]), (1.2, [0.25, 0.75])):
        x1 = math.sin(u) ** (2 if name in {"ZDT2", "ZDT6"} else 4)
        squares = sum(r * r for r in rest)
        g = 1 + 9 * squares / 2
        if name == "ZDT4":
            g = 1 + 20 + sum(r * r - 10 * math.cos(4 * math.pi * r) for r in rest)
        f = problem.objectives(torch.tensor([u, *rest], dtype=torch.float64))
        assert f.tolist() == pytest.approx(published(name, x1, g), abs=gamma(64) * 10 * g)
    if name == "ZDT1":
        x = torch.tensor([0.3, 0.5], dtype=torch.float64)
        assert WithoutFactor().objectives(x).tolist() != pytest.approx(
            published(name, math.sin(0.3) ** 4, 3.25)
        )


def test_dtlz_has_the_published_values() -> None:
    x = torch.tensor([0.4, 1.1, 0.5, 0.5, 0.5, 0.5, 0.9], dtype=torch.float64)
    a, b = (math.sin(u) ** 2 for u in (0.4, 1.1))
    sphere = 0.4**2
    waves = 100 * (5 + sphere - 4 - math.cos(20 * math.pi * 0.4))
    linear = [a * b, a * (1 - b), 1 - a]
    c, s = math.cos(a * math.pi / 2), math.sin(a * math.pi / 2)
    round_ = [c * math.cos(b * math.pi / 2), c * math.sin(b * math.pi / 2), s]
    for name, g, parts in (("DTLZ1", waves, linear), ("DTLZ2", sphere, round_), ("DTLZ3", waves, round_)):
        factor = (1 + g) / 2 if name == "DTLZ1" else 1 + g
        f = analytic(f"{name}(m=3)").objectives(x).tolist()
        assert f == pytest.approx([factor * part for part in parts], abs=gamma(64) * 1000)


def test_zdt6_begins_where_it_was_published_to() -> None:
    front = analytic("ZDT6").objectives(analytic("ZDT6").pareto_set(11))
    assert float(front[:, 0].min()) == pytest.approx(0.2807753, abs=6e-8)
    assert float(front[:, 0].max()) == pytest.approx(1.0, abs=gamma(64))


@pytest.mark.parametrize(
    "spec",
    ["DoubleSphere", "Schaffer(n=20)", "CurvedValley", "Fonseca(n=10)", "ZDT1", "DTLZ1(m=3)", "DTLZ3(m=3)"],
)
def test_fronts_obey_their_equations(spec: str) -> None:
    problem = analytic(spec)
    f = problem.objectives(problem.pareto_set(301))
    left, right = {
        "DoubleSphere": (f.sqrt().sum(-1), 1),
        "Schaffer": (f.sqrt().sum(-1), 2),
        "CurvedValley": (f.sqrt().sum(-1), 2),
        "Fonseca": ((-torch.log1p(-f)).sqrt().sum(-1), 2),
        "ZDT1": (f[:, 1] + f[:, 0].sqrt(), 1),
        "DTLZ1": (f.sum(-1), 0.5),
        "DTLZ3": (f.square().sum(-1), 1),
    }[spec.partition("(")[0]]
    # The root of a square that is 0 but for the rounding of its terms.
    assert float((left - right).abs().max()) <= 2 * math.sqrt(gamma(16 * problem.n))


def test_element_wise_stalls_are_not_optimal_and_the_zero_sum_rests() -> None:
    game = analytic("ZeroSum")
    J = game.jacobian(torch.stack([game.start(seed) for seed in range(1, 9)]))
    assert float(UPGrad()(J).abs().max()) <= gamma(16) * float(J.abs().max())
    quadratic = analytic("EWQ")
    stalled = torch.tensor([0.5, 0.0], dtype=torch.float64)
    assert float(MGDA()(quadratic.jacobian(stalled)).norm()) == 0
    assert float(quadratic.distance(stalled)) == 0.25


def test_separable_losses_fall_without_end() -> None:
    problem = analytic("SeparableLogistic")
    ray = torch.tensor([1.0, 0.0], dtype=torch.float64) * torch.tensor([[1.0], [10.0], [100.0]])
    distance = problem.distance(ray)
    assert bool((distance.diff() < 0).all())
    assert float(distance[-1]) > 0


def test_bounded_cells_are_where_gradients_balance() -> None:
    problem = analytic("InstanceLeastSquares")
    x = 6 * torch.rand(500, 2, dtype=torch.float64, generator=seeded(5)) - 3
    balanced = MGDA()(problem.jacobian(x)).norm(dim=-1) <= 1e-12 * problem.jacobian(x).norm(dim=-1).amax(-1)
    assert torch.equal(problem.distance(x) == 0, balanced)
    assert 20 < int(balanced.sum()) < 480


def test_the_toys_front_is_that_of_weighted_sums_over_a_grid() -> None:
    problem = analytic("Toy(scale=0.1)")
    sides = torch.linspace(-12, 12, 1201, dtype=torch.float64)
    grid = torch.cartesian_prod(sides, sides)
    values = problem.objectives(grid)
    for point in problem.pareto_set(9)[1:-1]:
        share = (point[0] + 7) / 14
        weights = torch.stack([10 * share, 1 - share])  # the scale undone
        best = (values @ weights).argmin()
        assert float((grid[best] - point).abs().max()) <= 0.02
        assert float((values @ weights).min()) >= float(problem.objectives(point) @ weights)


def test_sizes_without_an_exact_distance_are_refused() -> None:
    for spec in ("InstanceLeastSquares(m=9,n=2)", "InstanceLeastSquares(m=5,n=3)"):
        with pytest.raises(InputError, match="required m ≤ n, or n=2 with m ≤ 8"):
            resolve_problem(spec)
    with pytest.raises(InputError, match="m=11, required an integer from 1 to 10"):
        resolve_problem("Spheres(m=11)")


# Distances.


@pytest.mark.parametrize(("m", "n"), [(1, 2), (2, 3), (3, 2), (8, 3), (5, 20), (7, 1)])
def test_distance_to_a_hull_is_the_length_of_the_shortest_shift(m: int, n: int) -> None:
    corners = torch.randn(m, n, dtype=torch.float64, generator=seeded(m))
    x = 2 * torch.randn(300, n, dtype=torch.float64, generator=seeded(n))
    expected = MGDA()(corners - x.unsqueeze(1)).norm(dim=-1)
    torch.testing.assert_close(Hull(corners).distance(x), expected, rtol=0, atol=64 * gamma(16 * n))


def test_distance_to_a_parabola_is_that_to_its_curve() -> None:
    points = 6 * torch.rand(2000, 2, dtype=torch.float64, generator=seeded(3)) - 3
    expected = distance_to_curve(
        points,
        lambda t: (torch.stack([t, t * t]), torch.stack([torch.ones_like(t), 2 * t])),
        torch.linspace(-1, 1.5, 201, dtype=torch.float64),
    )
    found = distance_to_parabola(points[:, 0], points[:, 1], -1, 1.5)
    torch.testing.assert_close(found, expected, rtol=0, atol=gamma(256) * 10)


@pytest.mark.parametrize("spec", SPECS)
def test_distances_of_a_benchmark_are_affordable(spec: str) -> None:
    problem = analytic(spec)
    x = torch.stack([problem.start(seed) for seed in range(1, 9)]).repeat(PATHS // 8, 1)
    begun = time.process_time()
    problem.distance(x)
    # A budget, of 13 aggregators in 4 minutes on two cores; most take a hundredth of it.
    assert time.process_time() - begun < 2
