"""The Pareto set of least squares with two parameters: inside cells, on lines, beside them, at crossings."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import MGDA
from jdbench.problem import seeded
from jdbench.problems.cells import BoundedCells
from jdbench.problems.least_squares import InstanceLeastSquares
from jdbench.rounding import gamma

LONGEST = 8.0
"""How far beyond its last crossing a line is looked at."""


class Lines(NamedTuple):
    """Normals in rows and offsets."""

    X: Tensor
    y: Tensor

    def objectives(self, x: Tensor) -> Tensor:
        return (x @ self.X.T - self.y).square()

    def way(self, i: int) -> Tensor:
        """The direction of line i."""
        return torch.stack([-self.X[i, 1], self.X[i, 0]])

    def crossings(self, i: int) -> Tensor:
        """Points of line i on other lines, in order along it, shape ``[m - 1, 2]``."""
        X, y = self
        points = [torch.linalg.solve(X[[i, j]], y[[i, j]]) for j in range(len(X)) if j != i]
        return torch.stack(sorted(points, key=lambda point: float(point @ self.way(i))))


def drawn(m: int) -> Lines:
    problem = InstanceLeastSquares(m)
    return Lines(problem.X, problem.y)


DYADIC = Lines(
    torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, -1.0]], dtype=torch.float64),
    torch.tensor([0.0, 0.0, 1.0, 0.5], dtype=torch.float64),
)
"""Determinants are powers of two: crossings, and points of lines between and beyond them, are exact."""

ARRANGEMENTS = {"3 lines": drawn(3), "4 lines": drawn(4), "8 lines": drawn(8), "exact": DYADIC}


def rounding(lines: Lines) -> float:
    """How far rounding takes a crossing or a distance, and `beside` a point.

    A crossing solves two equations, a distance sums two products; 16 units in both coordinates are at most 32.
    """
    pairs = torch.combinations(torch.arange(len(lines.X)), 2)
    condition = float(torch.linalg.cond(lines.X[pairs]).max())
    reach = max(float(lines.crossings(i).abs().max()) for i in range(len(lines.X))) + LONGEST
    return (gamma(16) * condition + 32 * torch.finfo(torch.float64).eps) * reach


def beside(point: Tensor) -> Tensor:
    """The point and those within eight units of its last place, shape ``[289, 2]``."""
    units = torch.arange(-8, 9, dtype=torch.float64) * torch.finfo(torch.float64).eps * point.abs().max()
    return point + torch.cartesian_prod(units, units)


def best_gain(lines: Lines, x: Tensor) -> float:
    """The most that an objective gains where, over samples, none loses more than rounding; 0 if nowhere.

    Samples lie in 720 directions and in those of the lines, from 1e-3 to 100 away.
    """
    turns = torch.linspace(0, 2 * torch.pi, 721, dtype=torch.float64)[:-1]
    along = torch.stack([lines.way(i) for i in range(len(lines.X))])
    ways = torch.cat([torch.stack([turns.cos(), turns.sin()], -1), along, -along])
    lengths = torch.logspace(-3, 2, 26, dtype=torch.float64)
    samples = x + (lengths[:, None, None] * ways).reshape(-1, 2)
    before, after = lines.objectives(x), lines.objectives(samples)
    # (r + δ)² - r² for residuals that are off by δ.
    off = rounding(lines) + gamma(16) * 100
    kept = (after <= before + off * (2 * before.sqrt() + off)).all(-1)
    return float((before - after)[kept].amax()) if bool(kept.any()) else 0.0


@pytest.mark.parametrize("lines", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_beyond_its_last_crossing_a_line_is_dominated_and_off_the_set(lines: Lines) -> None:
    cells = BoundedCells(*lines)
    for i in range(len(lines.X)):
        crossings = lines.crossings(i)
        for corner, way in ((crossings[0], -lines.way(i)), (crossings[-1], lines.way(i))):
            for length in (0.125, 1.0, LONGEST):
                point = corner + length * way
                assert best_gain(lines, point) > 0
                distance = cells.distance(beside(point))
                assert float(distance.min()) > 1e-3 * length
                assert float(distance.max() - distance.min()) <= rounding(lines)
                assert float(distance.max()) <= float(length * way.norm()) + rounding(lines)


@pytest.mark.parametrize("lines", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_between_its_crossings_and_at_them_a_line_is_optimal(lines: Lines) -> None:
    cells = BoundedCells(*lines)
    for i in range(len(lines.X)):
        crossings = lines.crossings(i)
        for point in torch.cat([crossings, (crossings[1:] + crossings[:-1]) / 2]):
            # What rounding lets an objective lose lets the others gain little.
            assert best_gain(lines, point) <= 1e-9
            assert float(cells.distance(beside(point)).max()) <= rounding(lines)


def test_the_exact_lines_are_met_to_the_last_bit() -> None:
    cells = BoundedCells(*DYADIC)
    for i in range(4):
        crossings = DYADIC.crossings(i)
        ends = torch.stack([crossings[0] - 0.125 * DYADIC.way(i), crossings[-1] + DYADIC.way(i)])
        points = torch.cat([crossings, (crossings[1:] + crossings[:-1]) / 2, ends])
        assert bool((DYADIC.objectives(points)[:, i] == 0).all())
        assert (cells.distance(points) <= rounding(DYADIC)).tolist() == [True] * (len(points) - 2) + [False] * 2


@pytest.mark.parametrize("lines", ARRANGEMENTS.values(), ids=ARRANGEMENTS)
def test_off_the_lines_the_distance_is_zero_where_samples_find_nothing_better(lines: Lines) -> None:
    cells = BoundedCells(*lines)
    reach = 1.5 * float(cells.edges.abs().max())
    x = reach * (2 * torch.rand(300, 2, dtype=torch.float64, generator=seeded(0)) - 1)
    distance = cells.distance(x)
    better = torch.tensor([best_gain(lines, point) > 0 for point in x])
    assert not bool(better[distance == 0].any())
    # Closer to the set improvements are smaller than the samples' spacing.
    assert bool(better[distance > 0.1].all())
    assert 0 < int((distance == 0).sum()) < int((distance <= 0.1).sum()) < 300


@pytest.mark.parametrize(("m", "seed", "away"), [(4, 4, 1.58), (8, 3, 12.9)])
def test_where_mgda_stalls_on_a_line_is_off_the_set(m: int, seed: int, away: float) -> None:
    problem = InstanceLeastSquares(m)
    x = problem.start(seed)
    for _ in range(600):
        x = x - MGDA()(problem.jacobian(x))
    assert float(MGDA()(problem.jacobian(x)).norm()) <= gamma(16) * float(problem.jacobian(x).norm())
    assert float(problem.distance(x)) == pytest.approx(away, rel=1e-2)
