"""Adversarial trainings: who pulls which way, what is measured, and what becomes of a GAN."""

import math

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import CAGrad, DualProj, Mean, PCGrad, UPGrad
from jdbench.errors import InputError
from jdbench.problem import resolve_problem, seeded
from jdbench.problems.domain_adversarial import shifted
from jdbench.problems.fairness import parity_gap, people
from jdbench.problems.gan import DEVIATION, centres, energy_distance, mixture, modes_covered
from jdbench.problems.task_training import TaskTraining
from jdbench.rounding import gamma
from jdbench.verification.tolerances import binomial_range
from support.trainings import LONGEST, descended, points, training

REVERSALS = ("DomainAdversarial-digits", "AdversarialFairness")


def directional(task: TaskTraining, x: Tensor, direction: Tensor) -> Tensor:
    """Derivatives of both losses along a direction, by central differences in float64, shape [2]."""
    task.model.module.double()
    rows, h = task.batch(0), 1e-6
    with torch.no_grad():
        up, down = (task.objectives(x + s * h * direction, rows) for s in (1, -1))
    return (up - down) / (2 * h)


def in_double(task: TaskTraining) -> TaskTraining:
    """The same training with its data in float64, for differences."""
    for name, value in vars(task).items():
        if isinstance(value, tuple):
            setattr(task, name, _double(value))
    return task


def _double(value):
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    parts = [_double(part) for part in value]
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


@pytest.mark.parametrize("spec", REVERSALS)
def test_each_part_goes_where_its_player_wants(spec: str) -> None:
    """Head and trunk lower the label loss, the adversary lowers its own, the trunk raises that one.

    The losses' slopes by differences along each part of the second row: minus its square norm along the trunk's
    (times 1/λ), its square norm along the adversary's.
    """
    strength = 0.5
    task = in_double(training(f"{spec}(strength={strength})"))
    x = points(task, 2)[1].double()
    J = task.evaluate(x.unsqueeze(0), 0).jacobian[0]
    trunk, head, adversary = (task.model.columns(part) for part in ("trunk", "head", "adversary"))
    assert bool((J[0, adversary] == 0).all())
    assert bool((J[1, head] == 0).all())

    def slopes(part: Tensor, row: int) -> Tensor:
        return directional(task, x, J[row] * part)

    # Central differences: h² times third derivatives of order one, and rounding of losses of order one over h.
    error = 1e-12 + gamma(LONGEST) / 1e-6
    label, both = trunk | head, trunk | adversary
    assert float(slopes(label, 0)[0]) == pytest.approx(float(J[0].square().sum()), abs=error)
    trunk_norm, adversary_norm = (float(J[1, part].square().sum()) for part in (trunk, adversary))
    assert trunk_norm > 100 * error
    assert adversary_norm > 100 * error
    assert float(slopes(trunk, 1)[1]) == pytest.approx(-trunk_norm / strength, abs=error)
    assert float(slopes(adversary, 1)[1]) == pytest.approx(adversary_norm, abs=error)
    # So the row is no gradient: along itself the loss changes by their difference.
    assert float(slopes(both, 1)[1]) == pytest.approx(adversary_norm - trunk_norm / strength, abs=error)


@pytest.mark.parametrize("spec", REVERSALS)
def test_reversal_serves_the_criterion(spec: str) -> None:
    """Against a reversal of almost no strength, under Mean at the same rate: the mean of two seeds."""
    found: list[float] = []
    for keywords in ("", "(strength=0.001)"):
        tasks = [training(spec + keywords, seed) for seed in (1, 2)]
        found.append(sum(float(task.loss(descended(task, 0.2, 4))) for task in tasks) / 2)
    assert found[0] < 0.95 * found[1]


def test_the_target_domain_is_moved_faint_and_noisy() -> None:
    images = torch.rand(400, 1, 8, 8, generator=seeded(1))
    found = shifted(images, seeded(2))
    moved = (found[..., 1:] - 0.4) / 0.4 - images[..., :-1]
    count = moved.numel()
    # Five standard deviations of a mean, and of a standard deviation, of normal noise.
    assert float(moved.mean().abs()) <= 5 * (0.15 / 0.4) / math.sqrt(count)
    assert float(moved.std()) == pytest.approx(0.15 / 0.4, rel=5 / math.sqrt(2 * count))


@pytest.mark.parametrize("bias", [0.0, 1.0, 2.0])
def test_the_labels_are_as_biased_as_documented(bias: float) -> None:
    sample = people(100_000, bias, seeded(3))
    for group, sign in ((0, -1), (1, 1)):
        labels = sample.labels[sample.groups == group]
        rate = 0.5 * (1 + math.erf(sign * bias / 2 / math.sqrt(1.25) / math.sqrt(2)))
        low, high = binomial_range(len(labels), rate)
        assert low <= int(labels.sum()) <= high


def test_a_classifier_of_biased_labels_repeats_the_bias_and_one_of_fair_labels_does_not() -> None:
    gaps = {}
    for bias in (0.0, 1.0):
        task = training(f"AdversarialFairness(bias={bias},strength=0.001)")
        accuracy, gaps[bias] = task.held_out(descended(task, 0.4, 4))[0].tolist()
        assert accuracy > 0.75
    # A gap of two groups of about 1024 has a deviation of at most 0.022 by chance alone.
    assert gaps[0.0] < 0.11 < 0.25 < gaps[1.0]


def test_the_parity_gap_is_that_of_means() -> None:
    groups = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0])
    chances = torch.tensor([[0.0, 1.0, 1.0, 1.0, 0.25], [1.0, 1.0, 0.0, 0.0, 0.0]])
    assert parity_gap(chances, groups).tolist() == [0.25, 1.0]


def test_energy_distance_by_hand_and_its_zero() -> None:
    made, real = torch.tensor([[[0.0, 0.0], [3.0, 4.0]]]), torch.tensor([[0.0, 0.0]])
    # 2 · mean(0, 5) - mean(0, 5, 5, 0) - 0
    assert energy_distance(made, real).tolist() == [2.5]
    sample = mixture(64, seeded(1))
    assert energy_distance(sample.unsqueeze(0), sample).tolist() == pytest.approx(
        [0.0], abs=gamma(64, sample.dtype)
    )


def test_the_mixture_covers_its_modes_and_a_part_of_it_covers_less() -> None:
    sample = mixture(1024, seeded(1))
    three = centres()[:3].repeat(100, 1)
    nowhere = torch.zeros(300, 2)
    assert modes_covered(torch.stack([sample[:300], three, nowhere])).tolist() == [8, 3, 0]
    nearest = torch.cdist(sample, centres()).amin(-1)
    # E‖ε‖² = 2σ²; five standard deviations, 2σ² each, of a mean of 1024. Centres are 7σ apart.
    mean = float(nearest.square().mean())
    assert mean == pytest.approx(2 * DEVIATION**2, rel=5 / math.sqrt(1024))


def test_players_of_the_game_never_conflict() -> None:
    """Orthogonal rows: projections change nothing; conflict-averse and surgical updates are the mean's too."""
    task = training("GAN-ring")
    J = task.evaluate(points(task, 4), 0).jacobian
    assert bool(((J[:, 0] * J[:, 1]) == 0).all())
    mean = Mean()(J)
    for aggregator in (UPGrad(), DualProj()):
        assert_parallel(aggregator(J), mean)
    for matrix in J:
        assert_parallel(PCGrad()(matrix, generator=seeded(1)), matrix.mean(0))
    assert not torch.allclose(CAGrad(c=0.5)(J), mean)


def assert_parallel(a: Tensor, b: Tensor) -> None:
    cosines = torch.cosine_similarity(a.double(), b.double(), dim=-1)
    assert bool((1 - cosines <= gamma(LONGEST, a.dtype)).all())


def test_descent_of_both_losses_by_all_parameters_makes_no_generator() -> None:
    """What the class says of the second reading: each loss falls, and the points go away from the mixture."""
    for aggregator in (Mean(), UPGrad()):
        task = training("GAN-ring(rows='all')")
        start = task.parameters.unsqueeze(0)
        end = descended(task, 0.4, 4, aggregator)
        assert float(task.loss(end)) > 4 * float(task.loss(start))
        assert float(task.held_out(end)[0, 0]) == 0
    assert float(task.losses(start)[0, 1]) > float(task.losses(end)[0, 1])


def test_the_game_covers_modes() -> None:
    task = training("GAN-ring")
    start, end = task.held_out(task.parameters.unsqueeze(0))[0], task.held_out(descended(task, 0.4, 4))[0]
    assert float(start[0]) == 0
    assert float(end[0]) >= 6


@pytest.mark.parametrize(
    "spec",
    [
        "DomainAdversarial-digits(strength=0.0)",
        "AdversarialFairness(strength=-1.0)",
        "AdversarialFairness(bias=-1.0)",
        "GAN-ring(rows='both')",
    ],
)
def test_unusable_keywords_are_refused(spec: str) -> None:
    with pytest.raises(InputError, match="required"):
        resolve_problem(spec)
