"""Distances to a hull and to a parabola against those of other methods."""

import pytest
import torch

from jdbench.aggregators import MGDA
from jdbench.problem import seeded
from jdbench.problems.curve import distance_to_curve, distance_to_parabola
from jdbench.problems.hull import Hull
from jdbench.rounding import gamma


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
