"""Stochastic descent: rows and noise drawn, and a batch of draws that is a loop over its members."""

import pytest
import torch

from jdbench.aggregator import GramianAggregator
from jdbench.aggregators import RGW, GradDrop, PCGrad, UPGrad
from jdbench.descent.loop import descend, estimated_jacobian, full_jacobian, sub_jacobian
from jdbench.descent.optimizers import Descent
from jdbench.errors import InputError
from jdbench.problem import seeded
from jdbench.rounding import gamma
from support.analytic_problems import quadratic, rates, starts


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
