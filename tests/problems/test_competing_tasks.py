"""The dials of competing tasks are exact, and turn the aggregators as theory says."""

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import aggregate, resolve
from jdbench.aggregators import Mean, UPGrad
from jdbench.errors import InputError
from jdbench.problem import resolve_problem
from jdbench.roster import LEADERBOARD
from jdbench.rounding import gamma
from support.trainings import points, training

DIALS = (1.0, 0.5, 0.0, -0.3, -0.6, -0.9, -1.0)
N = 793
SEEDS = range(1, 6)


def jacobian(cosine: float, scale: float = 1.0, seed: int = 1) -> Tensor:
    task = training(f"CompetingTasks(cosine={cosine},scale={scale})", seed)
    return task.evaluate(task.parameters.unsqueeze(0), 0).jacobian[0]


def cosine(a: Tensor, b: Tensor) -> float:
    return float(a @ b / (a.norm() * b.norm()))


# The targets are solved for with inner products of length n of gradients, themselves sums over 256 examples,
# and the second gradient is then a mixture of two that may be 1/√(1 - ρ²) times longer, ρ the cosine of the
# natural targets' gradients; 20 covers ρ up to 0.9987.
DIAL_ERROR = 20 * gamma(N + 16 * 256)


@pytest.mark.parametrize("scale", [1.0, 10.0, 0.01])
@pytest.mark.parametrize("dial", DIALS)
def test_the_dials_are_what_is_measured_at_the_start(dial: float, scale: float) -> None:
    for seed in SEEDS:
        J = jacobian(dial, scale, seed)
        assert cosine(J[0], J[1]) == pytest.approx(dial, abs=DIAL_ERROR)
        assert float(J[1].norm() / J[0].norm()) == pytest.approx(scale, rel=DIAL_ERROR)


@pytest.mark.parametrize("scale", [1.0, 10.0])
@pytest.mark.parametrize("spec", LEADERBOARD)
def test_aligned_tasks_leave_every_aggregator_one_direction(spec: str, scale: float) -> None:
    """At 1 both tasks are one task: directions agree up to length, at the start and anywhere else."""
    task = training(f"CompetingTasks(cosine=1.0,scale={scale})")
    aggregator = resolve(spec).aggregator
    for J in task.evaluate(points(task, 3), 0).jacobian:
        found = aggregate(aggregator, J, generator=torch.Generator().manual_seed(0))
        # Parallel up to the rounding of both rows: what they differ by is all that could turn the sum.
        assert 1 - cosine(found, J.mean(0)) <= DIAL_ERROR


@pytest.mark.parametrize("dial", DIALS[:-1])
def test_equal_norms_and_two_tasks_leave_upgrad_on_the_mean(dial: float) -> None:
    """By symmetry; at -1 both are zero."""
    for seed in SEEDS:
        J = jacobian(dial, 1.0, seed)
        # What is left of opposed gradients is small beside them, and so is the digit count of its direction.
        assert 1 - cosine(UPGrad()(J), Mean()(J)) <= DIAL_ERROR / (1 + dial)


def test_opposed_tasks_of_equal_norm_leave_mean_and_upgrad_nothing() -> None:
    J = jacobian(-1.0)
    assert float(Mean()(J).norm()) <= DIAL_ERROR * float(J.norm())


def test_unequal_norms_and_conflict_turn_upgrad_away_from_the_mean() -> None:
    """Rows 1:10. Projecting each gradient onto the orthogonal complement of the other gives the cosine."""
    found: list[float] = []
    for dial in DIALS[:-1]:
        J = jacobian(dial, 10.0)
        found.append(cosine(UPGrad()(J), Mean()(J)))
        assert found[-1] == pytest.approx(_by_hand(dial, 10.0), abs=10 * DIAL_ERROR)
    assert found[:3] == pytest.approx([1.0, 1.0, 1.0], abs=DIAL_ERROR)
    assert all(later < earlier for earlier, later in pairwise(found[2:]))
    assert found[3] < 0.99
    assert found[-1] < 0.5


def _by_hand(c: float, s: float) -> float:
    """The cosine in the plane of g₁ = (1, 0) and g₂ = s(c, √(1 - c²))."""
    first, second = (1.0, 0.0), (s * c, s * math.sqrt(1 - c * c))
    summed = torch.tensor([first, second], dtype=torch.float64).sum(0)
    if c < 0:
        projected = (1 - c * c, -c * math.sqrt(1 - c * c)), (0.0, s * math.sqrt(1 - c * c))
        return cosine(torch.tensor(projected, dtype=torch.float64).sum(0), summed)
    return 1.0


def test_the_criterion_is_the_distance_to_the_segment_of_compromises() -> None:
    task = training("CompetingTasks(cosine=-0.5,scale=10.0)")
    x = points(task, 4)
    with torch.no_grad():
        h = torch.stack([task.output(point, task.inputs) for point in x])
    shares = torch.linspace(0, 1, 2001, dtype=torch.float64).unsqueeze(-1)
    segment = (1 - shares) * task.targets[0] + shares * task.targets[1]
    sampled = torch.cdist(h, segment).amin(-1) / math.sqrt(h.shape[1])
    found = task.loss(x)
    assert bool((found <= sampled * (1 + gamma(16 * 256))).all())
    # Off the nearest sample by at most half their spacing.
    spacing = float((segment[1] - segment[0]).norm()) / math.sqrt(h.shape[1])
    assert bool((found >= sampled - spacing / 2).all())


def test_the_start_is_a_compromise_where_tasks_are_opposed() -> None:
    task = training("CompetingTasks(cosine=-1.0)")
    assert float(task.loss(task.parameters.unsqueeze(0))) <= DIAL_ERROR


def test_measures_start_at_one() -> None:
    task = training("CompetingTasks")
    start = task.held_out(task.parameters.unsqueeze(0))
    assert torch.equal(start, torch.ones(1, 2, dtype=torch.float64))


def test_variants_list_several_dials_and_are_specs() -> None:
    variants = type(resolve_problem("CompetingTasks")).variants
    dials = [(p.cosine, p.scale) for p in (resolve_problem(f"CompetingTasks{v}") for v in variants)]
    assert len({c for c, _ in dials}) >= 4
    assert {s for _, s in dials} == {1.0, 10.0}


@pytest.mark.parametrize("keywords", ["cosine=1.5", "cosine=float('nan')", "scale=0.0", "scale=-1.0"])
def test_dials_out_of_range_are_refused(keywords: str) -> None:
    if "nan" in keywords:
        from jdbench.problems.competing_tasks import CompetingTasks

        with pytest.raises(InputError, match="cosine=nan"):
            CompetingTasks(cosine=math.nan)
        return
    with pytest.raises(InputError, match=f"{keywords}, required"):
        resolve_problem(f"CompetingTasks({keywords})")
