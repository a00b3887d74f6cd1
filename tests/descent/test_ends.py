"""How members of a descent end: diverged, failed or at rest, the others going on."""

import torch
from torch import Tensor

from jdbench.aggregators import Mean, UPGrad
from jdbench.descent.loop import DIVERGENCE_THRESHOLD, descend, full_jacobian
from jdbench.descent.optimizers import Descent
from jdbench.problem import Evaluation
from support.analytic_problems import quadratic, rates, starts


def test_a_member_that_diverges_is_left_out_before_the_next_aggregation() -> None:
    problem = quadratic("EWQ")
    sizes: list[int] = []

    class Spy(Mean):
        def __call__(self, J, *, generator=None) -> Tensor:
            sizes.append(len(J))
            assert bool((J.square().sum(-1) <= 4 * DIVERGENCE_THRESHOLD * 5).all())
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
    assert outcome.errors == ["RuntimeError: too steep for me (m=2, n=2)"] * 2 + [""]


def test_an_aggregator_of_ours_that_raises_for_one_member_leaves_the_others_running() -> None:
    problem = quadratic("EWQ")

    class Picky(Mean):
        def __call__(self, J, *, generator=None) -> Tensor:
            if bool((J.norm(dim=(-2, -1)) > 4.4).any()):
                raise RuntimeError("too steep for me")
            return super().__call__(J, generator=generator)

    outcome = descend(starts(problem, 3), full_jacobian(problem), Picky(), Descent(rates(0.1, 0.1, 0.1)), 5)
    assert outcome.states == ["failed", "failed", "finished"]


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
