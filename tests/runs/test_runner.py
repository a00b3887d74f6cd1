"""Specs become records with the right numbers, here and in other processes; failures stay with their run."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jdbench.aggregators import UPGrad
from jdbench.environment import environment
from jdbench.problem import resolve_problem
from jdbench.rounding import gamma
from jdbench.runs.protocol import Budget, RunSpec, batches, first_round, preset
from jdbench.runs.runner import run_batch, run_batches
from jdbench.workers import local_executor

SPEC = RunSpec("CQF", "UPGrad", 0.2, 1, 30)


def by_hand(spec: RunSpec) -> tuple[np.ndarray, torch.Tensor]:
    problem = resolve_problem(spec.problem)
    x = problem.start(spec.seed)
    path = [x]
    for _ in range(spec.steps):
        x = x - spec.rate * UPGrad()(problem.jacobian(x))
        path.append(x)
    return problem.distance(torch.stack(path)).numpy(), x


def test_an_analytic_record_holds_the_distance_curve_and_its_area() -> None:
    (record,) = run_batch([SPEC])
    distance, _ = by_hand(SPEC)
    # Distances are differences of objective values of order 1.
    assert np.abs(record.curves["distance"] - distance).max() <= gamma(16 * SPEC.steps)
    area = (distance[:-1] + distance[1:]).sum() / 2 / SPEC.steps
    assert record.indicators["area"] == pytest.approx(area, abs=gamma(16 * SPEC.steps))
    assert record.indicators["start"] == pytest.approx(distance[0], abs=gamma(16))
    assert record.state == "finished"
    assert record.curves["steps"].tolist() == list(range(31))
    assert "x" not in record.curves


def test_a_traced_record_holds_the_path() -> None:
    (record,) = run_batch([replace(SPEC, trace=True)])
    _, end = by_hand(SPEC)
    assert record.curves["x"].shape == record.curves["f"].shape == (31, 2)
    assert np.abs(record.curves["x"][-1] - end.numpy()).max() <= gamma(16 * SPEC.steps)
    assert record.indicators["weights"] >= 1


def test_a_record_does_not_depend_on_its_batch() -> None:
    specs = [replace(SPEC, rate=rate, seed=seed) for rate in (0.05, 0.2, 60.0) for seed in (1, 2)]
    for alone, together in zip([run_batch([s])[0] for s in specs], run_batch(specs), strict=True):
        assert alone.spec == together.spec
        assert alone.state == together.state
        if alone.state == "finished":
            assert alone.indicators["area"] == pytest.approx(together.indicators["area"], abs=gamma(16 * 30))
        else:
            assert alone.indicators["area"] == together.indicators["area"] == math.inf


def test_random_aggregators_repeat_themselves() -> None:
    specs = [replace(SPEC, aggregator="GradDrop", seed=seed) for seed in (1, 2)]
    first, second = run_batch(specs), run_batch(specs)
    assert [r.indicators["area"] for r in first] == [r.indicators["area"] for r in second]


def test_a_training_record_holds_losses_of_the_whole_set_and_similarity_to_the_mean() -> None:
    spec = RunSpec("IWRM-digits", "Mean", 0.3, 1, 1)
    (record,) = run_batch([spec])
    training = resolve_problem("IWRM-digits").training(1)
    x = training.parameters.unsqueeze(0)
    assert record.indicators["start"] == pytest.approx(float(training.loss(x)), rel=gamma(64, torch.float32))
    for step in range(32):
        x = x - 0.3 * training.evaluate(x, step).jacobian.mean(-2)
    assert record.indicators["final"] == pytest.approx(
        float(training.loss(x)), rel=gamma(1 << 14, torch.float32)
    )
    assert record.curves["steps"].tolist() == [0, 8, 16, 24, 32]
    assert len(record.curves["cosine"]) == 32
    assert np.abs(record.curves["cosine"] - 1).max() <= gamma(1 << 13, torch.float32)
    assert record.indicators["final"] < record.indicators["start"]


def test_a_diverged_training_is_a_record_too() -> None:
    (record,) = run_batch([RunSpec("IWRM-digits", "PCGrad", 100.0, 1, 1)])
    assert record.state == "diverged"
    assert record.indicators["area"] == math.inf


def test_a_batch_that_raises_gives_failed_records_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stranger.py").write_text(
        "def wrong(J):\n    return J.sum(0)[:1]\n\ndef fine(J):\n    return J.mean(0)\n"
    )
    monkeypatch.chdir(tmp_path)
    specs = [replace(SPEC, aggregator=f"stranger:{name}") for name in ("wrong", "fine")]
    with ThreadPoolExecutor(1) as executor:
        records = [record for _, group in run_batches(batches(specs), executor) for record in group]
    states = {record.spec.aggregator: (record.state, record.error) for record in records}
    assert states["stranger:fine"] == ("finished", "")
    assert states["stranger:wrong"][0] == "failed"
    assert "required a tensor of shape (2,)" in states["stranger:wrong"][1]


def test_a_problem_that_raises_gives_failed_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_problem.py").write_text(
        "from jdbench.problems.quadratic import ElementWiseQuadratic\n"
        "class Broken(ElementWiseQuadratic):\n"
        "    def distance(self, x):\n        raise RuntimeError('no distance')\n"
    )
    monkeypatch.chdir(tmp_path)
    spec = replace(SPEC, problem="broken_problem:Broken")
    with ThreadPoolExecutor(1) as executor:
        ((_, (record,)),) = run_batches([[spec]], executor)
    assert record.state == "failed"
    assert record.error == "RuntimeError: no distance"


def test_another_process_gives_the_same_records() -> None:
    specs = first_round(replace(preset("quick"), analytic=Budget(300, (0.1,), 2)), ["EWQ"], ["MGDA", "RGW"])
    groups = batches(specs)
    with local_executor(1) as executor:
        there = {r.spec: r.indicators["area"] for _, group in run_batches(groups, executor) for r in group}
    here = {r.spec: r.indicators["area"] for group in groups for r in run_batch(group)}
    assert there == here


def test_the_environment_names_versions_and_nothing_private() -> None:
    facts = environment(2)
    assert facts["torch"].startswith("2.")
    assert facts["processes"] == "2, one torch thread each"
    assert not [value for value in facts.values() if "/" in value]


def test_a_random_run_draws_the_same_in_any_batch() -> None:
    spec = replace(SPEC, aggregator="RGW", rate=0.05)
    (alone,) = run_batch([spec])
    together = run_batch([replace(spec, seed=2), spec, replace(spec, rate=90.0)])[1]
    assert alone.indicators["area"] == together.indicators["area"]


def test_an_aggregator_that_returns_nan_has_no_margin_to_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nan_giver.py").write_text("def agg(J):\n    return J.sum(0) * float('nan')\n")
    monkeypatch.chdir(tmp_path)
    (record,) = run_batch([replace(SPEC, aggregator="nan_giver:agg")])
    assert record.state == "diverged"
    assert record.indicators["worst_margin"] == -math.inf
    assert math.isnan(record.indicators["stationarity"])


def test_a_record_holds_the_end_point_and_every_indicator() -> None:
    (record,) = run_batch([SPEC])
    _, end = by_hand(SPEC)
    assert np.abs(record.curves["end_x"] - end.numpy()).max() <= gamma(16 * SPEC.steps)
    f = resolve_problem("CQF").objectives(end)
    assert np.abs(record.curves["end_f"] - f.numpy()).max() <= gamma(16 * SPEC.steps)
    names = {"log_area", "steps_to_1e-1", "seconds_to_1e-5", "stationarity_relative", "rises", "largest_rise"}
    names |= {"mean_cosine", "worst_margin", "path_length", "smoothness", "drift", "decades_median"}
    names |= {"weights_median", "weights_largest", "weights", "decades_largest"}
    assert names <= set(record.indicators)


def test_seconds_to_a_target_are_a_share_of_those_of_the_run() -> None:
    for record in run_batch([replace(SPEC, rate=rate, steps=200) for rate in (0.2, 0.3)]):
        times = [record.indicators[f"seconds_to_1e-{k}"] for k in range(1, 6)]
        steps = [record.indicators[f"steps_to_1e-{k}"] for k in range(1, 6)]
        assert times == sorted(times)
        assert steps == sorted(steps)
        assert math.isfinite(steps[0])
        assert 0 < times[0] <= record.seconds
        assert [math.isfinite(time) for time in times] == [math.isfinite(step) for step in steps]


def test_a_run_that_came_to_rest_has_the_curves_of_one_that_was_computed_to_the_end() -> None:
    spec = replace(SPEC, problem="EWQ", aggregator="Mean", rate=1.0, steps=40, trace=True)
    (record,) = run_batch([spec])
    assert record.indicators["drift"] == 0
    assert not record.curves["x"][1:].any()
    assert record.curves["distance"].shape == (41,)
    assert record.steps_taken == 40
    assert record.indicators["weights_median"] == pytest.approx(0.5**0.5, rel=gamma(16))


def test_a_run_that_diverged_reaches_nothing_even_if_it_passed_by() -> None:
    # The sum of gradients at rate 5 multiplies x by -9.
    (record,) = run_batch([RunSpec("EWQ", "PCGrad", 5.0, 1, 100)])
    assert record.state == "diverged"
    assert record.indicators["log_area"] == math.inf
    assert record.indicators["steps_to_1e-1"] == record.indicators["seconds_to_1e-1"] == math.inf
    assert record.indicators["largest_rise"] > 1
    assert record.indicators["rises"] == 1
    assert "end_f" not in record.curves


def test_a_training_record_holds_its_end() -> None:
    spec = RunSpec("IWRM-digits", "UPGrad", 0.1, 1, 1)
    (record,) = run_batch([spec])
    found = record.indicators
    assert found["best_loss"] <= found["final"] <= found["worst_loss"]
    assert 0 <= found["rises"] <= 1
    assert found["weights_largest"] >= found["weights_median"] > 0
    assert found["decades_largest"] >= found["decades_median"] > 0
    assert record.curves["decades"].shape == record.curves["weights"].shape == (32,)
