"""Learning-rate selection and reruns, as printed in [JD] Appendices D.1 and D.2, and what identifies a run."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from jdbench.analysis.problem_results import standard_error
from jdbench.errors import InputError, UnknownNameError
from jdbench.rounding import gamma
from jdbench.runs.protocol import (
    COARSE_RATES,
    FACTOR,
    RunSpec,
    batches,
    first_round,
    preset,
    refined_rates,
    second_round,
)
from jdbench.runs.record import logged_steps, mean_over_run


def test_coarse_rates_are_22_from_1e_5_to_100_by_a_third_of_a_decade() -> None:
    assert len(COARSE_RATES) == 22
    assert COARSE_RATES[0] == pytest.approx(1e-5, rel=gamma(8))
    assert COARSE_RATES[-1] == pytest.approx(100, rel=gamma(8))
    for low, high in itertools.pairwise(COARSE_RATES):
        assert high / low == pytest.approx(10 ** (1 / 3), rel=gamma(16))


def test_refined_rates_span_the_best_two_widened_on_both_sides() -> None:
    areas = {rate: abs(math.log10(rate) + 1.1) for rate in COARSE_RATES}  # best: 10^-1, then 10^(-4/3)
    rates = refined_rates(areas, 50)
    assert len(rates) == 50
    assert rates[0] == pytest.approx(10 ** (-4 / 3) / FACTOR, rel=gamma(64))
    assert rates[-1] == pytest.approx(10**-1 * FACTOR, rel=gamma(64))
    exponents = np.diff(np.log10(rates))
    assert exponents == pytest.approx(np.full(49, exponents[0]), rel=gamma(2000))


def test_refined_rates_need_not_come_from_neighbours_and_rank_divergence_last() -> None:
    rates = refined_rates({0.001: 2.0, 0.01: math.inf, 0.1: 1.0, 1.0: math.inf}, 5)
    assert rates[0] == pytest.approx(0.001 / FACTOR, rel=gamma(64))
    assert rates[-1] == pytest.approx(0.1 * FACTOR, rel=gamma(64))
    assert refined_rates({0.1: 1.0}, 50) == []
    assert refined_rates({0.1: 1.0, 0.2: 1.0}, 0) == []


def test_paper_preset_takes_72_rates_and_8_seeds() -> None:
    protocol = preset("paper")
    first = first_round(protocol, ["IWRM-digits"], ["Mean"])
    assert len(first) == 22 * 8
    second = second_round(protocol, dict.fromkeys(first, 1.0))
    assert len(second) == 50 * 8
    assert {spec.seed for spec in first} == set(range(1, 9))


def test_second_round_refines_each_seed_by_its_own_areas() -> None:
    protocol = replace(preset("paper").with_seeds(2), refined=2)
    first = first_round(protocol, ["EWQ"], ["Mean"])
    areas = {spec: abs(math.log10(spec.rate) + spec.seed) for spec in first}
    low = {spec.seed: spec.rate for spec in reversed(second_round(protocol, areas))}
    assert low[1] > low[2]


def test_first_round_adds_a_traced_run_at_theorem_1s_rate() -> None:
    specs = [s for s in first_round(preset("quick"), ["EWQ"], ["Mean"]) if s.trace]
    assert {s.rate for s in specs} == {1 / (2 * math.sqrt(2))}
    assert len(specs) == 8
    with_adam = replace(preset("quick"), optimizer="Adam")
    assert not [s for s in first_round(with_adam, ["EWQ"], ["Mean"]) if s.trace]


def test_names_given_twice_are_run_once() -> None:
    once = first_round(preset("quick"), ["EWQ"], ["Mean"])
    assert first_round(preset("quick"), ["EWQ", "EWQ"], ["Mean", "Mean"]) == once


def test_batches_hold_all_rates_and_seeds_of_an_analytic_problem_and_one_training() -> None:
    specs = first_round(preset("quick"), ["EWQ", "IWRM-digits"], ["Mean", "UPGrad"])
    groups = batches(specs)
    assert sorted(spec.key for group in groups for spec in group) == sorted(spec.key for spec in specs)
    sizes = {group[0].problem: {len(g) for g in groups if g[0].problem == group[0].problem} for group in groups}
    assert sizes == {"EWQ": {22 * 8, 8}, "IWRM-digits": {1}}


def test_a_run_is_known_by_everything_that_defines_it() -> None:
    spec = RunSpec("EWQ", "Mean", 0.1, 1, 100)
    others = [
        replace(spec, problem="CQF"),
        replace(spec, aggregator="UPGrad"),
        replace(spec, rate=0.2),
        replace(spec, seed=2),
        replace(spec, steps=101),
        replace(spec, optimizer="Adam"),
        replace(spec, trace=True),
    ]
    assert len({s.key for s in [spec, *others]}) == 8
    assert RunSpec("EWQ", "Mean", 0.1, 1, 100).key == spec.key


def test_presets_and_seeds_are_checked() -> None:
    with pytest.raises(UnknownNameError, match=r"preset='quik'.*did you mean quick"):
        preset("quik")
    with pytest.raises(InputError, match="seeds=0"):
        preset("quick").with_seeds(0)
    assert preset("quick").with_seeds(2).training.seeds == 2
    assert preset("quick").with_seeds(None) == preset("quick")


def test_standard_error_of_the_mean_is_that_of_appendix_d_2() -> None:
    values = [1.0, 2.0, 4.0, 5.0, 7.0, 7.0, 8.0, 14.0]
    mean = sum(values) / 8
    expected = 1 / math.sqrt(8) * math.sqrt(sum((v - mean) ** 2 for v in values) / 7)
    assert standard_error(values) == pytest.approx(expected, rel=gamma(64))
    assert math.isnan(standard_error([1.0]))
    assert math.isnan(standard_error([1.0, math.inf]))


def test_area_is_the_mean_over_the_run() -> None:
    assert mean_over_run(np.array([0.0, 1.0, 3.0]), np.array([4.0, 2.0, 0.0])) == pytest.approx((3 + 2) / 3)
    assert mean_over_run(np.array([0.0]), np.array([4.0])) == 4.0


def test_logged_steps_hold_both_ends_and_thin_out() -> None:
    assert logged_steps(5).tolist() == [0, 1, 2, 3, 4, 5]
    steps = logged_steps(1000)
    assert steps[0] == 0
    assert steps[-1] == 1000
    assert len(steps) <= 101
    assert (np.diff(steps) > 0).all()
