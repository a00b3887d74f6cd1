"""Sets of end points against values computed by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from jdbench.analysis import results_of
from jdbench.analysis.end_points import Scale, scale_of, set_indicators
from jdbench.problem import resolve_problem
from jdbench.rounding import gamma
from jdbench.runs.protocol import RunSpec
from jdbench.runs.runner import run_batch

CORNERS = Scale(np.zeros(2), np.ones(2), np.array([[0.0, 1.0], [1.0, 0.0]]))


def test_hypervolume_of_two_points_by_hand() -> None:
    found = set_indicators(np.array([[0.1, 0.6], [0.6, 0.1]]), CORNERS)
    # Two rectangles of 1 × ½ share ½ × ½.
    assert found.hypervolume == pytest.approx((0.5 + 0.5 - 0.25) / 1.1**2, rel=gamma(64))
    # The corners dominate 1.1 × 0.1 each and share 0.1².
    assert found.hypervolume_front == pytest.approx((0.22 - 0.01) / 1.1**2, rel=gamma(64) * 10)


def test_igd_plus_epsilon_and_spread_by_hand() -> None:
    found = set_indicators(np.array([[0.3, 0.4]]), CORNERS)
    # From (0, 1): (0.3, 0) is lacking; from (1, 0): (0, 0.4).
    assert found.igd_plus == pytest.approx(0.35, rel=gamma(16))
    assert found.epsilon == pytest.approx(0.4, rel=gamma(16))
    assert found.spread == 0
    both = set_indicators(np.array([[0.0, 1.5], [0.5, 0.0]]), CORNERS)
    # (0, 1) lacks 0.5 to either point, (1, 0) nothing: it is dominated.
    assert both.igd_plus == pytest.approx(0.25, rel=gamma(16))
    assert both.epsilon == pytest.approx(0.5, rel=gamma(16))
    assert both.spread == pytest.approx((0.5 + 1.5) / 2)


def test_no_end_point_is_the_worst_set() -> None:
    found = set_indicators(np.zeros((0, 2)), CORNERS)
    assert (found.hypervolume, found.igd_plus, found.epsilon) == (0.0, math.inf, math.inf)
    assert math.isnan(found.spread)


def test_many_objectives_have_no_hypervolume_but_the_rest() -> None:
    scale = Scale(np.zeros(40), np.ones(40), np.eye(40))
    found = set_indicators(np.full((1, 40), 0.5), scale)
    assert math.isnan(found.hypervolume)
    assert found.epsilon == pytest.approx(0.5)
    assert math.isnan(set_indicators(np.zeros((0, 40)), scale).hypervolume)


def test_the_scale_fills_the_unit_box_and_forgets_units() -> None:
    problem = resolve_problem("CQF")
    scale = scale_of(problem, range(1, 9))
    starts = problem.objectives(torch.stack([problem.start(seed) for seed in range(1, 9)])).numpy()
    everything = np.concatenate([scale.front, scale.scaled(starts)])
    # The ideal point is the front's; the nearest to it and the farthest of all are 0 and 1.
    assert scale.front.min(0).tolist() == [0, 0]
    assert everything.max(0).tolist() == pytest.approx([1, 1], rel=gamma(16))
    ends = starts * 0.5
    for factor in (1.0, 8.0):
        scaled = Scale(scale.ideal * factor, scale.width * factor, scale.front)
        assert set_indicators(ends * factor, scaled) == set_indicators(ends, scale)


def test_a_front_that_is_a_point_has_no_spread() -> None:
    scale = scale_of(resolve_problem("EWQ"), [1])
    assert scale.front.shape == (1, 2)
    found = set_indicators(np.zeros((3, 2)), scale)
    assert math.isnan(found.spread)
    assert found.hypervolume == pytest.approx(1.0, rel=gamma(16))
    assert found.igd_plus == found.epsilon == 0


def test_a_problem_whose_set_is_not_attained_has_no_scale() -> None:
    class Infinite(type(resolve_problem("EWQ"))):
        attained = False

    assert scale_of(Infinite(), [1]) is None


def test_the_table_of_real_runs_counts_ends_and_leaves_the_lost_out() -> None:
    spec = RunSpec("CQF", "UPGrad", 0.3, 1, 200)
    lost = RunSpec("CQF", "Mean", 90.0, 1, 200)
    records = [
        *run_batch([replace(spec, seed=seed) for seed in (1, 2, 3)]),
        *run_batch([replace(lost, seed=seed) for seed in (1, 2, 3)]),
        *run_batch([RunSpec("IWRM-digits", "Mean", 0.1, 1, 0)]),
    ]
    found = results_of(records).table("end_point_sets").set_index("aggregator")
    assert set(found["problem"]) == {"CQF"}
    assert found.loc["UPGrad", ["runs", "ends"]].tolist() == [3, 3]
    assert found.loc["Mean", ["runs", "ends", "hypervolume"]].tolist() == [3, 0, 0]
    # Points of the front: what its 500 points, (1 - cos πk/499)/2, miss by is their spacing, at most π/998.
    assert 0 <= found.loc["UPGrad", "hypervolume"] <= found.loc["UPGrad", "hypervolume_front"] + math.pi / 998
    shuffled = results_of(records[::-1]).table("end_point_sets")
    assert shuffled.set_index("aggregator").equals(found)
