"""Performance profiles against a table computed by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from jdbench.analysis.performance_profiles import costs, performance_ratios, positions, profile_areas, profiles
from jdbench.rounding import gamma

COST = "steps_to_1e-3"

# Ratios on P: 1, 2, 8; on Q: 4, 1, never; on R: 1, 1, 2.
HAND = {
    "P": {"A": 10, "B": 20, "C": 80},
    "Q": {"A": 40, "B": 10, "C": math.inf},
    "R": {"A": 5, "B": 5, "C": 10},
}


def selected(table: dict[str, dict[str, float]], seed: int = 1) -> pd.DataFrame:
    return pd.DataFrame([
        {"problem": problem, "aggregator": aggregator, "seed": seed, "state": "finished", COST: float(steps)}
        for problem, row in table.items()
        for aggregator, steps in row.items()
    ])


def share(table: pd.DataFrame, aggregator: str, tau: float) -> float:
    own = table[(table["aggregator"] == aggregator) & (table["tau"] <= tau)]
    return float(own["share"].iloc[-1])


def test_ratios_and_profiles_of_a_3_by_3_table() -> None:
    frame = selected(HAND)
    assert performance_ratios(costs(frame)).to_numpy().tolist() == [[1, 2, 8], [4, 1, math.inf], [1, 1, 2]]
    curves = profiles(frame, tau_max=16)
    expected = {"A": (2 / 3, 2 / 3, 1, 1), "B": (2 / 3, 1, 1, 1), "C": (0, 1 / 3, 1 / 3, 2 / 3)}
    for name, values in expected.items():
        found = [share(curves, name, tau) for tau in (1, 2, 4, 16)]
        assert found == pytest.approx(values, rel=gamma(16))


def test_areas_of_a_3_by_3_table() -> None:
    areas = profile_areas(selected(HAND), tau_max=16).set_index("aggregator")
    # log₂ ratios over 4: A loses 2/4 once, B 1/4 once, C 3/4, 4/4 and 1/4.
    assert areas["area"].tolist() == pytest.approx(
        [11 / 12, 10 / 12, 4 / 12], abs=1e-9
    )  # areas keep nine digits
    assert areas.index.tolist() == ["B", "A", "C"]
    assert areas.loc["A", "fastest"] == pytest.approx(2 / 3)
    assert areas.loc["C", "solved"] == pytest.approx(2 / 3)
    assert areas.loc["C", ["instances", "lost"]].tolist() == [3, 1]


def test_the_area_is_the_integral_of_the_profile() -> None:
    generator = np.random.default_rng(1)
    table = {p: dict(zip("ABC", generator.integers(1, 300, 3).tolist(), strict=True)) for p in "PQRST"}
    frame = selected(table)
    curves = profiles(frame)
    for row in profile_areas(frame).itertuples():
        own = curves[curves["aggregator"] == row.aggregator]
        steps = own["share"].to_numpy()[:-1] * np.diff(np.log2(own["tau"].to_numpy()))
        assert row.area == pytest.approx(steps.sum() / 7, abs=1e-9)  # areas keep nine digits


def test_each_problem_weighs_alike_and_ties_share_their_position() -> None:
    many = pd.concat([selected({"P": {"A": 1, "B": 2}}, seed) for seed in range(1, 9)])
    areas = profile_areas(pd.concat([many, selected({"Q": {"A": 2, "B": 1}})]))
    assert areas["position"].tolist() == ["1=", "1="]
    assert areas["area"].nunique() == 1


def test_runs_that_diverged_never_reach_and_missing_cells_count_as_lost() -> None:
    frame = selected({"P": {"A": 10, "B": 5}, "Q": {"A": 10}})
    frame.loc[1, "state"] = "diverged"
    areas = profile_areas(frame).set_index("aggregator")
    assert areas.loc["A", "area"] == 1
    assert areas.loc["B", ["area", "solved", "lost"]].tolist() == [0, 0, 2]


def test_instances_that_nobody_solves_keep_profiles_below_1() -> None:
    areas = profile_areas(selected({"P": {"A": 1}, "Q": {"A": math.inf}}))
    assert areas["area"].tolist() == [0.5]
    lost = profile_areas(selected({"P": {"A": math.nan, "B": math.inf}}))
    assert lost["area"].tolist() == [0, 0]
    assert lost["position"].tolist() == ["1=", "1="]


def test_a_start_on_the_front_costs_nothing_and_is_no_instance() -> None:
    frame = selected({"P": {"A": 0, "B": 0}, "Q": {"A": 0, "B": math.inf}, "R": {"A": 5, "B": 10}})
    assert performance_ratios(costs(frame)).to_numpy().tolist() == [[1, 2]]
    areas = profile_areas(frame).set_index("aggregator")
    assert areas["fastest"].to_dict() == {"A": 1, "B": 0}
    assert areas["instances"].tolist() == [1, 1]
    assert len(profile_areas(selected({"P": {"A": 0, "B": 0}}))) == 0


def test_without_the_cost_there_are_no_profiles() -> None:
    frame = selected(HAND).drop(columns=COST)
    assert len(profiles(frame)) == len(profile_areas(frame)) == 0
    unmeasured = selected({"P": {"A": math.nan}})
    assert len(profiles(unmeasured)) == len(profile_areas(unmeasured)) == 0


def test_scaling_the_costs_of_a_problem_changes_nothing() -> None:
    scaled = selected(HAND)
    scaled.loc[scaled["problem"] == "P", COST] *= 4
    assert profile_areas(scaled).equals(profile_areas(selected(HAND)))


def test_positions() -> None:
    assert positions([3.0, 1.0, 1.0, 0.0], largest_first=True) == ["1", "2=", "2=", "4"]
    assert positions([0.5]) == ["1"]
