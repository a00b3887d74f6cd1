"""The indicators of a run against values computed by hand."""

import math

import pytest
import torch

from jdbench.problem import resolve_problem
from jdbench.rounding import gamma
from jdbench.runs.analytic_indicators import (
    Paths,
    agreement,
    analytic_indicators,
    convergence,
    decades,
    end_stationarity,
    motion,
    rises,
    rounding_floor,
    sizes,
)

NAN, INF = math.nan, math.inf


def tensor(*values) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def runs(*columns) -> torch.Tensor:
    """One run a column."""
    return tensor(*columns).mT


def test_convergence_by_hand() -> None:
    # From 10 to 1 to 0.1 to 0, below the floor 1e-3; a run that diverged; one that never came closer.
    distance = runs([10.0, 1.0, 0.1, 0.0], [10.0, 1.0, NAN, NAN], [2.0, 2.0, 2.0, 2.0])
    found = convergence(distance, torch.tensor([True, False, True]), tensor(1e-3, 1e-3, 1e-3))
    assert found["area"].tolist() == pytest.approx([(5 + 1 + 0.1) / 3, INF, 2.0], rel=gamma(16))
    # Decades 0, -1, -2, -4: (0/2 + 1 + 2 + 4/2) / 3.
    assert found["log_area"].tolist() == pytest.approx([-5 / 3, INF, 0.0], rel=gamma(64))
    assert found["start"].tolist() == [10.0, 10.0, 2.0]
    assert found["final"].tolist() == [0.0, INF, 2.0]
    assert found["steps_to_1e-1"].tolist() == [1, INF, INF]
    assert found["steps_to_1e-2"].tolist() == [2, INF, INF]
    assert found["steps_to_1e-3"].tolist() == [3, INF, INF]
    assert found["steps_to_reach"].tolist() == found["steps_to_1e-5"].tolist() == [3, INF, INF]


def test_a_start_on_the_front_scores_0_for_staying_and_decades_above_the_floor_for_leaving() -> None:
    distance = runs([0.0, 0.0, 0.0], [0.0, 1e-3, 1e-3])
    found = convergence(distance, torch.tensor([True, True]), tensor(1e-6, 1e-6))
    assert found["log_area"].tolist() == pytest.approx([0.0, 9 / 4], rel=gamma(64))
    assert found["steps_to_1e-1"].tolist() == [0, 0]


@pytest.mark.parametrize("name", ["EWQ", "CQF"])
def test_the_floor_lies_above_what_rounding_the_point_moves_the_distance(name: str) -> None:
    problem = resolve_problem(name)
    x = torch.stack([problem.start(seed) for seed in range(1, 9)])
    floor = rounding_floor(problem, x)
    moved = (problem.distance(x * (1 + gamma(1))) - problem.distance(x)).abs()
    assert bool((moved <= floor).all())
    assert bool((floor <= 1e-12 * problem.distance(x).clamp(min=1e-300)).any())


def test_stationarity_is_told_apart_from_vanishing_gradients() -> None:
    first = tensor([[2.0, 0.0], [0.0, 1.0]]).expand(4, 2, 2)
    J = tensor(
        [[3.0, 0.0], [-1.0, 0.0]],  # opposed: stationary
        [[0.0, 4.0], [3.0, 0.0]],  # the foot of the height of a right triangle: 3 · 4 / 5
        [[0.0, 0.0], [0.0, 0.0]],
        [[2e-9, 0.0], [0.0, 2e-9]],  # near a common minimiser
    )
    found = end_stationarity(J, first)
    assert found["stationarity"].tolist() == pytest.approx([0.0, 2.4, 0.0, 2e-9 / 2**0.5], abs=gamma(64) * 4)
    assert found["stationarity_relative"].tolist() == pytest.approx([0, 0.6, 0, 0.5**0.5], abs=gamma(64))
    assert found["stationarity_of_start"].tolist() == pytest.approx([0, 1.2, 0, 1e-9 / 2**0.5], abs=gamma(64))


def test_rises_by_hand() -> None:
    # f₁ falls, f₂ rises by 1 then falls; the second run ended after one step.
    f = tensor([[4.0, 2.0], [4.0, 2.0]], [[3.0, 3.0], [3.0, 2.0]], [[2.0, 1.0], [NAN, NAN]])
    found = rises(f)
    assert found["rises"].tolist() == [0.5, 0.0]
    assert found["largest_rise"].tolist() == [0.5, 0.0]
    still = rises(tensor([[1.0, 0.0]], [[1.0 + 2**-52, 0.0]]))
    assert still["rises"].tolist() == [0.0]  # rounding


def test_motion_by_hand() -> None:
    # Right by 3, up by 4, back down by 4; the second run goes straight on and ends early.
    x = tensor([[0.0, 0], [0, 0]], [[3.0, 0], [1, 1]], [[3.0, 4], [2, 2]], [[3.0, 0], [NAN, NAN]])
    found = motion(x)
    assert found["path_length"].tolist() == pytest.approx([11.0, 8**0.5], rel=gamma(16))
    assert found["smoothness"].tolist() == pytest.approx([-0.5, 1.0], rel=gamma(32))
    # Of ten steps the last one is the last tenth.
    line = torch.arange(11.0, dtype=torch.float64)[:, None, None]
    assert motion(line)["drift"].tolist() == pytest.approx([0.1], rel=gamma(16))
    rest = line.clamp(max=3)
    assert motion(rest)["drift"].tolist() == [0.0]


def test_agreement_by_hand() -> None:
    J = tensor([[[2.0, 0.0], [0.0, 2.0]]], [[[2.0, 0.0], [0.0, 2.0]]])
    directions = tensor([[1.0, 1.0]], [[1.0, -1.0]])
    found = agreement(J, directions)
    # g₂ᵀa / (‖g₂‖ max ‖g‖) = -2 / 4; cosines to (1, 1) are 1 and 0.
    assert found["worst_margin"].tolist() == [-0.5]
    assert found["mean_cosine"].tolist() == pytest.approx([0.5], rel=gamma(32))
    assert agreement(J, directions * NAN)["worst_margin"].tolist() == [-INF]


def test_sizes_by_hand() -> None:
    J = tensor([[[1.0, 0.0], [0.0, 100.0]]], [[[1.0, 0.0], [0.0, 0.0]]], [[[10.0, 0.0], [0.0, 1.0]]])
    found = sizes(J, tensor([[3.0, 4.0]], [[0.0, 1.0]], [[-1.0, 0.0]]))
    assert found["decades_median"].tolist() == pytest.approx([1.0], rel=gamma(32))
    assert found["decades_largest"].tolist() == pytest.approx([2.0], rel=gamma(32))
    assert found["weights_median"].tolist() == [1.0]
    assert found["weights_largest"].tolist() == [5.0]
    assert found["weights"].tolist() == pytest.approx([4.03], rel=gamma(32))
    assert "weights" not in sizes(J, None)
    assert decades(tensor([0.0, 0.0])).tolist() == [0]


def test_a_run_of_no_steps_has_indicators() -> None:
    problem = resolve_problem("EWQ")
    x = problem.start(1).reshape(1, 1, 2)
    none = x[:0]
    paths = Paths(
        x, problem.objectives(x), problem.jacobian(x), problem.distance(x), none, none, torch.tensor([True])
    )
    found = analytic_indicators(paths, rounding_floor(problem, x[0]))
    assert float(found["area"]) == float(found["start"]) == float(found["final"])
    assert float(found["path_length"]) == float(found["largest_rise"]) == 0
    assert math.isnan(float(found["rises"]))
    assert float(found["worst_margin"]) == INF
    assert math.isnan(float(found["weights_largest"]))
