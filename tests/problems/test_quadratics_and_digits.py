"""The two quadratics keep their contract, and the digits give real instance losses with their Jacobian."""

import pytest
import torch
from torch import Tensor

from jdbench.errors import InputError, UnknownNameError
from jdbench.problem import AnalyticProblem, TrainingProblem, available_problems, resolve_problem, seeded
from jdbench.rounding import gamma

ANALYTIC = ["EWQ", "CQF"]  # what is told of quadratics only; tests/problems/test_zoo.py has what holds for all


@pytest.fixture(params=ANALYTIC)
def problem(request: pytest.FixtureRequest) -> AnalyticProblem:
    resolved = resolve_problem(request.param)
    assert isinstance(resolved, AnalyticProblem)
    return resolved


def points(problem: AnalyticProblem, count: int, seed: int = 0) -> Tensor:
    return 4 * torch.rand(count, problem.n, dtype=torch.float64, generator=seeded(seed)) - 2


def test_the_two_quadratics_and_the_digits_are_announced() -> None:
    assert {"EWQ", "CQF", "IWRM-digits"} <= set(available_problems())


def test_jacobian_is_that_of_automatic_differentiation(problem: AnalyticProblem) -> None:
    for x in points(problem, 20):
        expected = torch.func.jacrev(problem.objectives)(x)
        scale = float(expected.abs().max())
        torch.testing.assert_close(problem.jacobian(x), expected, rtol=0, atol=gamma(16 * problem.n) * scale)


def test_batches_of_points_give_what_each_point_gives(problem: AnalyticProblem) -> None:
    x = points(problem, 6).reshape(2, 3, problem.n)
    for method in (problem.objectives, problem.jacobian, problem.distance):
        loop = torch.stack([torch.stack([method(point) for point in row]) for row in x])
        assert method(x).shape[:2] == (2, 3)
        torch.testing.assert_close(method(x), loop, rtol=gamma(16 * problem.n) * 8, atol=gamma(16 * problem.n))


def test_single_precision_agrees_with_double(problem: AnalyticProblem) -> None:
    x = points(problem, 20)
    for method in (problem.objectives, problem.jacobian):
        low = method(x.float())
        assert low.dtype == torch.float32
        scale = float(method(x).abs().max())
        torch.testing.assert_close(
            low.double(), method(x), rtol=0, atol=16 * gamma(16 * problem.n, torch.float32) * scale
        )


def test_objectives_are_convex_and_smooth_as_claimed(problem: AnalyticProblem) -> None:
    x, y = points(problem, 200, 1), points(problem, 200, 2)
    t = torch.rand(200, 1, dtype=torch.float64, generator=seeded(3))
    if problem.convex:
        middle = problem.objectives(t * x + (1 - t) * y)
        chord = t * problem.objectives(x) + (1 - t) * problem.objectives(y)
        assert bool((middle <= chord + gamma(16 * problem.n) * chord.abs().max()).all())
    if problem.beta is not None:
        change = (problem.jacobian(x) - problem.jacobian(y)).flatten(1).norm(dim=-1)
        length = (x - y).norm(dim=-1)
        assert bool((change <= problem.beta * length * (1 + 8 * gamma(16 * problem.n))).all())


def test_beta_is_attained(problem: AnalyticProblem) -> None:
    """For a quadratic the smallest valid β is the largest singular value of the stacked Hessians."""
    hessians = torch.func.jacrev(problem.jacobian)(torch.zeros(problem.n, dtype=torch.float64))
    stacked = hessians.reshape(-1, problem.n)
    assert problem.beta is not None
    assert problem.beta == pytest.approx(
        float(torch.linalg.matrix_norm(stacked, 2)), rel=16 * gamma(16 * problem.n)
    )


def test_pareto_set_is_stationary_and_has_distance_zero(problem: AnalyticProblem) -> None:
    x = problem.pareto_set(101)
    J = problem.jacobian(x)
    # Two objectives: some w ≥ 0 has Jᵀw = 0 if and only if the gradients are opposed or one is zero.
    norms = J.norm(dim=-1)
    opposed = (J[:, 0] * J[:, 1]).sum(-1) + norms.prod(-1)
    assert bool((opposed.abs() <= 64 * gamma(16 * problem.n) * norms.amax().clamp(min=1) ** 2).all())
    scale = float(problem.objectives(x).abs().max().clamp(min=1))
    assert float(problem.distance(x).max()) <= 64 * gamma(16 * problem.n) * scale


def test_no_point_dominates_the_pareto_set(problem: AnalyticProblem) -> None:
    front = problem.objectives(problem.pareto_set(101))
    candidates = problem.objectives(torch.cat([points(problem, 3000), problem.pareto_set(997)]))
    slack = 64 * gamma(16 * problem.n) * float(front.abs().max().clamp(min=1))
    for value in front:
        assert not bool((candidates < value - slack).all(-1).any())


def test_distance_is_the_least_over_a_fine_sample_of_the_front(problem: AnalyticProblem) -> None:
    x = points(problem, 50)
    front = problem.objectives(problem.pareto_set(200_001))
    sampled = torch.cdist(problem.objectives(x), front).amin(-1)
    spacing = float((front[1:] - front[:-1]).norm(dim=-1).max()) if len(front) > 1 else 0.0
    distance = problem.distance(x)
    assert bool((distance > 0).all())
    slack = 64 * gamma(16 * problem.n) * float(problem.objectives(x).abs().max())
    assert bool((distance <= sampled + slack).all())
    assert bool((distance >= sampled - spacing / 2 - slack).all())


def test_starts_are_the_listed_ones_then_random_and_repeatable(problem: AnalyticProblem) -> None:
    starts = [problem.start(seed) for seed in range(1, 13)]
    assert all(torch.equal(start, problem.start(seed)) for seed, start in enumerate(starts, 1))
    assert len({tuple(start.tolist()) for start in starts}) == 12
    assert all(start.shape == (problem.n,) and start.dtype == torch.float64 for start in starts)


def test_gradients_of_the_paper_at_the_origin() -> None:
    """[JD] Figure 4: the similarity of CQF's gradients is -0.925 at the initial point (0, 0)."""
    J = resolve_problem("CQF").jacobian(torch.zeros(2, dtype=torch.float64))
    assert round(float(torch.cosine_similarity(J[0], J[1], dim=0)), 3) == -0.925


def test_element_wise_quadratic_is_weakly_stationary_on_the_axes_only() -> None:
    """[JD] A.1: its set of weakly Pareto stationary points is the union of the two axes."""
    problem = resolve_problem("EWQ")
    assert float(problem.jacobian(torch.tensor([3.0, 0.0])).norm(dim=-1).min()) == 0.0
    assert float(problem.jacobian(torch.tensor([3.0, 1e-3])).norm(dim=-1).min()) > 0.0


def test_instance_losses_and_jacobian_are_those_of_a_loop_over_instances() -> None:
    problem = resolve_problem("IWRM-digits")
    assert isinstance(problem, TrainingProblem)
    training = problem.training(1)
    x = training.parameters.unsqueeze(0)
    losses, J = training.evaluate(x, 3)
    assert losses.shape == (1, 32)
    assert J.shape == (1, 32, len(training.parameters))
    torch.nn.utils.vector_to_parameters(training.parameters, training.model.module.parameters())
    rows = training.batch(3)
    for i in (0, 17, 31):
        row = rows[i : i + 1]
        loss = torch.nn.functional.cross_entropy(
            training.model.module(training.examples.inputs[row]), training.examples.targets[row]
        )
        gradients = torch.autograd.grad(loss, list(training.model.module.parameters()))
        flat = torch.cat([g.reshape(-1) for g in gradients])
        n = len(flat)
        torch.testing.assert_close(losses[0, i], loss.detach(), rtol=gamma(16 * 64, torch.float32), atol=0)
        atol = gamma(16 * 64, torch.float32) * float(flat.norm())
        torch.testing.assert_close(J[0, i], flat, rtol=0, atol=atol)
        assert n == 3658


def test_seeds_draw_subset_weights_and_batches_and_nothing_else_does() -> None:
    problem = resolve_problem("IWRM-digits")
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = problem.training(1), problem.training(1), problem.training(2)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first.parameters, again.parameters)
    assert torch.equal(first.examples.inputs, again.examples.inputs)
    assert torch.equal(first.batch(40), again.batch(40))
    assert not torch.equal(first.parameters, other.parameters)
    assert not torch.equal(first.examples.targets, other.examples.targets)


def test_an_epoch_visits_every_example_once() -> None:
    training = resolve_problem("IWRM-digits").training(1)
    assert training.steps_per_epoch == 32
    for epoch in (0, 1):
        seen = torch.cat([training.batch(32 * epoch + step) for step in range(32)])
        assert torch.equal(seen.sort().values, torch.arange(1024))
    assert not torch.equal(training.batch(0), training.batch(32))


def test_problem_specs_take_keywords_and_refuse_the_rest() -> None:
    assert resolve_problem("IWRM-digits(batch_size=8)").training(1).batch(0).shape == (8,)
    with pytest.raises(InputError, match="batch_size=0"):
        resolve_problem("IWRM-digits(batch_size=0)")
    with pytest.raises(UnknownNameError, match="did you mean EWQ"):
        resolve_problem("EWK")
    with pytest.raises(InputError, match="required an AnalyticProblem or a TrainingProblem"):
        resolve_problem("jdbench.problem:Evaluation(objectives=1,jacobian=2)")
