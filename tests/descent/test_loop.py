"""The descent loop: Algorithm 1, members that advance together, and what is seen of each step ([JD] 2.1)."""

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import CAGrad, DualProj, Mean, PCGrad, UPGrad
from jdbench.descent.loop import descend, full_jacobian
from jdbench.descent.optimizers import Descent
from jdbench.problem import Evaluation
from jdbench.rounding import gamma
from support.analytic_problems import quadratic, rates, starts


def single(x: Tensor, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
    """The objective ½‖x‖²: m = 1."""
    return Evaluation(x.square().sum(-1, keepdim=True) / 2, x.unsqueeze(-2))


# CAGrad is not the identity of one row: the best d of the ball around g is (1 + c)g.
@pytest.mark.parametrize("aggregator", [Mean(), UPGrad(), DualProj(), CAGrad(c=0), PCGrad()], ids=repr)
def test_gradient_descent_is_the_case_of_one_objective(aggregator) -> None:
    x = torch.tensor([[1.0, -2.0]], dtype=torch.float64)
    outcome = descend(x, single, aggregator, Descent(rates(0.1)), 10)
    torch.testing.assert_close(outcome.x, x * 0.9**10, rtol=gamma(200), atol=0)
    assert torch.equal(x, torch.tensor([[1.0, -2.0]], dtype=torch.float64))


def test_each_step_is_that_of_algorithm_1() -> None:
    problem = quadratic()
    x = problem.start(2)
    outcome = descend(x.unsqueeze(0), full_jacobian(problem), UPGrad(), Descent(rates(0.2)), 25)
    for _ in range(25):
        x = x - 0.2 * UPGrad()(problem.jacobian(x))
    torch.testing.assert_close(outcome.x[0], x, rtol=gamma(2000), atol=gamma(2000))
    assert outcome.ends == [25]


def test_rates_and_starts_that_advance_together_end_where_each_ends_alone() -> None:
    problem = quadratic()
    x = starts(problem, 4)
    η = rates(0.01, 0.1, 0.3, 50.0)
    together = descend(x, full_jacobian(problem), UPGrad(), Descent(η), 40)
    for i in range(4):
        alone = descend(x[i : i + 1], full_jacobian(problem), UPGrad(), Descent(η[i : i + 1]), 40)
        assert together.states[i] == alone.states[0]
        assert together.ends[i] == alone.ends[0]
        if together.states[i] == "finished":
            torch.testing.assert_close(together.x[i], alone.x[0], rtol=gamma(4000), atol=gamma(4000))


def test_a_stranger_gets_one_matrix_at_a_time_and_ends_where_ours_does() -> None:
    problem = quadratic()

    def mean(J: Tensor) -> Tensor:
        assert J.shape == (2, 2)
        return J.mean(0)

    x, η = starts(problem, 3), rates(0.1, 0.2, 0.3)
    theirs = descend(x, full_jacobian(problem), mean, Descent(η), 20)
    ours = descend(x, full_jacobian(problem), Mean(), Descent(η), 20)
    torch.testing.assert_close(theirs.x, ours.x, rtol=gamma(2000), atol=gamma(2000))


def test_watch_sees_every_step_and_the_end() -> None:
    problem = quadratic()
    seen: list[tuple[int, bool]] = []

    def watch(step, x, members, evaluation, direction) -> None:
        assert len(x) == len(members) == len(evaluation.objectives) == 1
        seen.append((step, direction is None))

    descend(starts(problem, 1), full_jacobian(problem), Mean(), Descent(rates(0.1)), 3, watch=watch)
    assert seen == [(0, False), (1, False), (2, False), (3, True)]


def test_weights_are_seen_once_a_step_and_make_the_direction() -> None:
    problem = quadratic()
    seen: list[Tensor] = []
    found: list[Tensor] = []

    def watch(step, x, members, evaluation, direction) -> None:  # noqa: ARG001
        if direction is not None:
            found.append((evaluation.jacobian.mT @ seen[step].unsqueeze(-1)).squeeze(-1) - direction)

    descend(
        starts(problem, 3),
        full_jacobian(problem),
        UPGrad(),
        Descent(rates(0.1, 0.2, 0.3)),
        8,
        watch=watch,
        weighed=lambda step, members, weights: seen.append(weights),  # noqa: ARG005
    )
    assert len(seen) == 8
    assert seen[0].shape == (3, 2)
    # Gradients of norms below 8, weights below 100: two products of two terms.
    assert float(torch.stack(found).abs().max()) <= 800 * gamma(8)
