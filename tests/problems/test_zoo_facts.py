"""Single facts about the problems of the zoo: published values, fronts, and where descent comes to rest."""

import math

import pytest
import torch

from jdbench.aggregators import MGDA, UPGrad
from jdbench.errors import InputError
from jdbench.problem import resolve_problem, seeded
from jdbench.problems.disconnected_front import pieces
from jdbench.rounding import gamma
from support.analytic_problems import analytic
from support.faulty_problems import WithoutFactor


def test_the_pieces_of_zdt3_are_the_published_ones() -> None:
    published = (
        """0.0 0.0830015 0.1822287 0.2577624 0.4093137 0.4538821 0.6183967 0.6525117 0.8233317 0.8518329"""
    )
    found = [root**2 for piece in pieces() for root in piece]
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
    waves = 0.1 * (5 + sphere - 4 - math.cos(20 * math.pi * 0.4))  # 100 in the publication
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
    problem = analytic("InstanceLeastSquares(m=8,n=2)")
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
