"""The descent loop: Algorithm 1, its stochastic forms, batches, optimisers and early ends ([JD] 2.1)."""

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import GramianAggregator
from jdbench.aggregators import RGW, CAGrad, DualProj, GradDrop, Mean, PCGrad, UPGrad
from jdbench.descent import DIVERGED, descend, estimated_jacobian, full_jacobian, sub_jacobian
from jdbench.errors import InputError, UnknownNameError
from jdbench.optimizers import Descent, check_optimizer, make_optimizer
from jdbench.problem import AnalyticProblem, Evaluation, resolve_problem, seeded
from jdbench.verification.tolerances import gamma


def quadratic(name: str = "CQF") -> AnalyticProblem:
    problem = resolve_problem(name)
    assert isinstance(problem, AnalyticProblem)
    return problem


def starts(problem: AnalyticProblem, count: int) -> Tensor:
    return torch.stack([problem.start(seed) for seed in range(1, count + 1)])


def rates(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


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


def test_a_member_that_diverges_is_left_out_before_the_next_aggregation() -> None:
    problem = quadratic("EWQ")
    sizes: list[int] = []

    class Spy(Mean):
        def __call__(self, J, *, generator=None) -> Tensor:
            sizes.append(len(J))
            assert bool((J.square().sum(-1) <= 4 * DIVERGED * 5).all())
            return super().__call__(J, generator=generator)

    outcome = descend(starts(problem, 2), full_jacobian(problem), Spy(), Descent(rates(0.1, 100.0)), 60)
    assert outcome.states == ["finished", "diverged"]
    assert outcome.ends[0] == 60
    # x grows by 99 a step: f = x² passes 1e12 times 1 + its start within four steps.
    assert outcome.ends[1] == 4
    assert sizes == [2] * 4 + [1] * 56


def test_infinite_and_nan_objectives_and_jacobians_count_as_divergence() -> None:
    def source(x: Tensor, members: Tensor, step: int) -> Evaluation:
        f = x.square()
        J = torch.diag_embed(2 * x)
        for row, member in enumerate(members.tolist()):
            if step == 3 and member == 0:
                f[row, 0] = torch.nan
            if step == 5 and member == 1:
                J[row, 0, 0] = torch.inf
            if step == 7 and member == 2:
                J[row, 0, 0] = 1e200
        return Evaluation(f, J)

    outcome = descend(torch.ones(4, 2, dtype=torch.float64), source, UPGrad(), Descent(rates(*[0.1] * 4)), 9)
    assert outcome.states == ["diverged", "diverged", "diverged", "finished"]
    assert outcome.ends == [3, 5, 7, 9]


def test_a_stranger_that_raises_ends_its_member_only_and_says_why() -> None:
    problem = quadratic("EWQ")

    def picky(J: Tensor) -> Tensor:
        if float(J.norm()) > 4.4:
            raise RuntimeError("too steep for me")
        return J.mean(0)

    outcome = descend(starts(problem, 3), full_jacobian(problem), picky, Descent(rates(0.1, 0.1, 0.1)), 5)
    assert outcome.states == ["failed", "failed", "finished"]
    assert outcome.errors == ["RuntimeError: too steep for me"] * 2 + [""]


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


def test_ssjd_with_all_rows_and_sejd_without_noise_are_jd() -> None:
    problem = quadratic()
    x, η = starts(problem, 3), rates(0.1, 0.2, 0.3)
    expected = descend(x, full_jacobian(problem), UPGrad(), Descent(η), 20).x
    sub = descend(x, sub_jacobian(problem, 2, seeded(1)), UPGrad(), Descent(η), 20).x
    estimated = descend(x, estimated_jacobian(problem, 0.0, seeded(1)), UPGrad(), Descent(η), 20).x
    assert torch.equal(sub, expected)
    assert torch.equal(estimated, expected)


def test_ssjd_aggregates_rows_of_the_jacobian_each_as_often() -> None:
    problem = quadratic("EWQ")
    source = sub_jacobian(problem, 1, seeded(3))
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    J = problem.jacobian(x)
    drawn = [int(torch.equal(source(x, torch.zeros(1), t).jacobian[0, 0], J[0, 1])) for t in range(400)]
    # 400 fair draws leave 140 to 260 with a chance below 1e-8 (Hoeffding: 2 exp(-2·60²/400) = 3e-8).
    assert 140 <= sum(drawn) <= 260


def test_sejd_estimates_the_jacobian_without_bias() -> None:
    problem = quadratic()
    source = estimated_jacobian(problem, 0.5, seeded(4))
    x = starts(problem, 1)
    draws = torch.stack([source(x, torch.zeros(1), t).jacobian[0] for t in range(4000)])
    error = (draws.mean(0) - problem.jacobian(x)[0]).abs().max()
    # The mean of 4,000 draws of deviation ½ has deviation 0.0079; six of them are passed once in 10⁸.
    assert 0 < float(error) <= 6 * 0.5 / 4000**0.5
    deviation = float(draws.std(0).mean())
    assert abs(deviation - 0.5) <= 6 * 0.5 / 8000**0.5


def test_stochastic_sources_refuse_impossible_options() -> None:
    problem = quadratic()
    with pytest.raises(InputError, match="rows=3, required 1 to m=2"):
        sub_jacobian(problem, 3, seeded(1))
    with pytest.raises(InputError, match="noise=-1"):
        estimated_jacobian(problem, -1.0, seeded(1))


@pytest.mark.parametrize(
    "spec", ["Adam", "SGD(momentum=0.9,nesterov=True)", "Adagrad", "AdamW(weight_decay=0.1)"]
)
def test_torch_optimisers_take_the_aggregation_as_gradient(spec: str) -> None:
    problem = quadratic()
    x, η = starts(problem, 3), rates(0.01, 0.1, 0.3)
    outcome = descend(x, full_jacobian(problem), Mean(), make_optimizer(spec, x, η), 15)
    for i in range(3):
        parameter = torch.nn.Parameter(x[i].clone())
        name, _, rest = spec.partition("(")
        keywords = eval(f"dict({rest[:-1]})") if rest else {}
        optimizer = getattr(torch.optim, name)([parameter], lr=float(η[i]), **keywords)
        for _ in range(15):
            optimizer.zero_grad()
            problem.objectives(parameter).mean().backward()
            optimizer.step()
        torch.testing.assert_close(outcome.x[i], parameter.detach(), rtol=gamma(4000), atol=gamma(4000))


def test_torch_optimisers_leave_members_alone_that_have_ended() -> None:
    problem = quadratic("EWQ")
    x = starts(problem, 2)
    optimizer = make_optimizer("SGD(momentum=0.5)", x, rates(0.1, 90.0))
    outcome = descend(x, full_jacobian(problem), Mean(), optimizer, 50)
    assert outcome.states == ["finished", "diverged"]
    alone = make_optimizer("SGD(momentum=0.5)", x[:1], rates(0.1))
    expected = descend(x[:1], full_jacobian(problem), Mean(), alone, 50)
    torch.testing.assert_close(outcome.x[:1], expected.x, rtol=gamma(4000), atol=gamma(4000))


def test_optimiser_specs_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="did you mean Adam"):
        check_optimizer("Adm")
    with pytest.raises(InputError, match="line-searches"):
        check_optimizer("LBFGS")
    with pytest.raises(InputError, match="required keywords that SGD takes"):
        check_optimizer("SGD(momentun=0.9)")
    check_optimizer("descent")


def test_an_aggregator_of_ours_that_raises_for_one_member_leaves_the_others_running() -> None:
    problem = quadratic("EWQ")

    class Picky(Mean):
        def __call__(self, J, *, generator=None) -> Tensor:
            if bool((J.norm(dim=(-2, -1)) > 4.4).any()):
                raise RuntimeError("too steep for me")
            return super().__call__(J, generator=generator)

    outcome = descend(starts(problem, 3), full_jacobian(problem), Picky(), Descent(rates(0.1, 0.1, 0.1)), 5)
    assert outcome.states == ["failed", "failed", "finished"]


@pytest.mark.parametrize("spec", ["Muon(lr=3)", "SGD(lr=3)", "SparseAdam"])
def test_optimisers_that_cannot_serve_are_refused_before_anything_runs(spec: str) -> None:
    with pytest.raises(InputError):
        check_optimizer(spec)


def test_members_at_rest_are_computed_no_further_and_end_where_they_would_have() -> None:
    problem = quadratic("EWQ")
    x = starts(problem, 3)
    seen = {True: 0, False: 0}
    ends = {}
    for rest in (True, False):

        def watch(step, x, members, evaluation, direction, rest=rest) -> None:  # noqa: ARG001
            seen[rest] += len(members)

        # At rate ½ on (x₁², x₂²) the sum of gradients leads to the origin in one step, and leaves it there.
        outcome = descend(
            x,
            full_jacobian(problem),
            lambda J: J.sum(0),
            Descent(rates(0.5, 0.1, 0.5)),
            9,
            watch=watch,
            rest=rest,
        )
        assert outcome.states == ["finished"] * 3
        assert outcome.ends == [9] * 3
        ends[rest] = outcome.x
    assert torch.equal(ends[True], ends[False])
    assert seen == {False: 30, True: 10 + 2 + 2}


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


@pytest.mark.parametrize("aggregator", [RGW(), PCGrad(), GradDrop()], ids=repr)
def test_a_batch_of_draws_is_a_loop_over_its_members(aggregator) -> None:
    """More steps than a block of draws holds, and one member that ends on the way."""
    problem = quadratic()
    x, η = starts(problem, 3), rates(0.05, 60.0, 0.1)
    together = descend(
        x, full_jacobian(problem), aggregator, Descent(η), 70, generators=[seeded(i) for i in range(3)]
    )
    assert together.states == ["finished", "diverged", "finished"]
    for i in (0, 2):
        one = slice(i, i + 1)
        alone = descend(x[one], full_jacobian(problem), aggregator, Descent(η[one]), 70, generators=[seeded(i)])
        # 70 steps, each a contraction but for the rounding of a Gramian and its solver.
        torch.testing.assert_close(alone.x, together.x[one], rtol=gamma(2000), atol=gamma(2000))


@pytest.mark.parametrize("aggregator", [RGW(), PCGrad(), GradDrop()], ids=repr)
def test_draws_made_beforehand_are_those_of_the_generator(aggregator) -> None:
    J = torch.randn(5, 3, 4, dtype=torch.float64, generator=seeded(1))
    draws = aggregator.draw(J.shape, device=J.device, generator=seeded(2))
    if isinstance(aggregator, GramianAggregator):
        G = J @ J.mT
        assert torch.equal(aggregator.weights(G, draws=draws), aggregator.weights(G, generator=seeded(2)))
    else:
        assert torch.equal(aggregator(J, draws=draws), aggregator(J, generator=seeded(2)))
