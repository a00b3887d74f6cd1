"""Trainings of several tasks and of adversaries: Jacobians, seeds, batches, criteria and baselines."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jdbench.problem import available_problems, resolve_problem
from jdbench.problems import gradient_reversal
from jdbench.problems.task_training import TaskTraining
from jdbench.rounding import gamma
from support.trainings import LONGEST, SPECS, descended, points, training, written_out


def close_to_written_out(task: TaskTraining) -> None:
    x, step = points(task, 2), 3
    values, J = task.evaluate(x, step)
    assert J.shape == (2, values.shape[1], len(task.parameters))
    rows = task.batch(step)
    for k in range(2):
        expected, gradients = written_out(task, x[k], rows)
        unit = gamma(max(LONGEST, 16 * len(rows)), x.dtype)
        torch.testing.assert_close(values[k], expected, rtol=unit, atol=unit)
        for row, gradient in zip(J[k], gradients, strict=True):
            torch.testing.assert_close(row, gradient, rtol=0, atol=unit * float(1 + gradient.norm()))


def test_problems_are_announced_with_their_families() -> None:
    families = {
        name: problem.family for name in available_problems() if (problem := resolve_problem(name)) is not None
    }
    for spec in SPECS:
        adversarial = spec.startswith(("Domain", "Adversarial", "GAN"))
        assert families[spec.partition("(")[0]] == ("adversarial" if adversarial else "multi-task")


@pytest.mark.parametrize("spec", SPECS)
def test_losses_and_jacobian_are_those_of_the_module_and_a_backward_pass_each(spec: str) -> None:
    close_to_written_out(training(spec))


def test_a_reversal_that_forgets_the_sign_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gradient_reversal, "reverse", lambda features, strength: strength * features)
    with pytest.raises(AssertionError, match="not close"):
        close_to_written_out(training("AdversarialFairness(strength=1.0)"))


def test_a_game_that_keeps_the_other_players_columns_is_caught() -> None:
    task = training("GAN-ring")
    task.kept = task.kept.flip(0)
    with pytest.raises(AssertionError, match="not close"):
        close_to_written_out(task)


@pytest.mark.parametrize("spec", SPECS)
def test_a_batch_of_models_gives_what_each_gives(spec: str) -> None:
    task = training(spec)
    x = points(task, 3)
    both = task.evaluate(x, 1), task.losses(x), task.loss(x), task.held_out(x)
    for k in range(3):
        one = x[k : k + 1]
        alone = task.evaluate(one, 1), task.losses(one), task.loss(one), task.held_out(one)
        assert torch.equal(both[0].objectives[k], alone[0].objectives[0])
        assert torch.equal(both[0].jacobian[k], alone[0].jacobian[0])
        for many, single in zip(both[1:], alone[1:], strict=True):
            unit = gamma(LONGEST, x.dtype)
            torch.testing.assert_close(many[k], single[0], rtol=unit, atol=unit)


@pytest.mark.parametrize("spec", SPECS)
def test_the_seed_draws_everything_and_nothing_else_does(spec: str) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = training(spec, 1), training(spec, 1), training(spec, 2)
    assert torch.equal(torch.get_rng_state(), before)
    x = first.parameters.unsqueeze(0)
    assert torch.equal(x[0], again.parameters)
    assert not torch.equal(x[0], other.parameters)
    for step in (0, first.steps_per_epoch + 1):
        assert torch.equal(first.evaluate(x, step).jacobian, again.evaluate(x, step).jacobian)
    assert torch.equal(first.held_out(x), again.held_out(x))
    assert not torch.equal(first.losses(x), other.losses(x))


@pytest.mark.parametrize("spec", SPECS)
def test_an_epoch_visits_every_example_once(spec: str) -> None:
    task = training(spec)
    if task.batch_size == task.size:
        assert torch.equal(task.batch(0), torch.arange(task.size))
        return
    orders = [
        torch.cat([task.batch(epoch * task.steps_per_epoch + k) for k in range(task.steps_per_epoch)])
        for epoch in (0, 1)
    ]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(task.size))
    assert not torch.equal(*orders)


@pytest.mark.parametrize("spec", SPECS)
def test_measures_say_what_held_out_data_gives(spec: str) -> None:
    problem, task = resolve_problem(spec), training(spec)
    x = points(task, 2)
    found = task.held_out(x)
    assert found.shape == (2, len(problem.measures))
    assert bool(found.isfinite().all())
    for column, measure in zip(found.mT, problem.measures, strict=True):
        assert bool((column >= 0).all())
        if "accuracy" in measure.name or measure.name == "parity gap":
            assert bool((column <= 1).all())


@pytest.mark.parametrize(
    ("spec", "rate", "share"),
    [
        ("MultiDigits", 0.2, 0.4),
        ("Linnerud", 0.2, 0.7),
        ("DiabetesPanel", 0.2, 0.8),
        ("CompetingTasks(cosine=0.0)", 0.2, 0.8),
        ("DomainAdversarial-digits", 0.2, 0.9),
        ("AdversarialFairness", 0.2, 0.8),
        ("GAN-ring", 0.4, 0.2),
    ],
)
def test_mean_makes_the_criterion_small(spec: str, rate: float, share: float) -> None:
    """Each share is a milestone of four epochs that the first seed passes with a margin."""
    task = training(spec)
    start, end = task.loss(task.parameters.unsqueeze(0)), task.loss(descended(task, rate, 4))
    assert 0 < float(end) < share * float(start)


def test_sums_of_rows_are_what_the_usual_trainings_take() -> None:
    """Gradient reversal by one backward pass of the sum of both losses gives the sum of the rows."""
    task = training("DomainAdversarial-digits")
    x = points(task, 2)[1]
    leaf = x.clone().requires_grad_()
    rows = task.batch(0)
    (usual,) = torch.autograd.grad(task.objectives(leaf, rows).sum(), leaf)
    J = task.evaluate(x.unsqueeze(0), 0).jacobian[0]
    assert_near(J.sum(0), usual)


def assert_near(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=0, atol=gamma(LONGEST, a.dtype) * float(b.norm()))


def test_stored_baselines_name_their_command_and_cover_every_measure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever images are here: of others than the stored ones there would be no baseline."""
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path))
    from importlib.resources import files

    from jdbench.problems.baselines import problems
    from jdbench.problems.single_task import COMMAND

    content = json.loads(files("jdbench.problems").joinpath("baselines.json").read_text("utf-8"))
    assert content["command"] == COMMAND
    for problem in problems():
        assert set(content["baselines"][problem.key]) == {measure.name for measure in problem.measures}
        assert all(measure.baseline is not None for measure in problem.measures)


def test_a_baseline_trained_anew_is_the_stored_one() -> None:
    """Float64, and 64 steps that contract: a start moved by ε moves this measure by less than ε/50.

    So each step adds the rounding of its gradient, sums over 20 examples in 16 layers there and back.
    (Linnerud's trainings end at the edge of stability, which can make 10⁴ of a rounding.)
    """
    from jdbench.problems.regressions import DiabetesPanel
    from jdbench.problems.single_task import train_alone

    problem = DiabetesPanel()
    task = problem.TARGETS.index("progression")
    assert train_alone(problem, task) == pytest.approx(problem.measures[task].baseline, rel=gamma(64 * 16 * 20))
