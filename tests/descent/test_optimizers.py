"""Optimisers of torch take the aggregation as the gradient; those that cannot serve are refused."""

import pytest
import torch

from jdbench.aggregators import Mean
from jdbench.descent.loop import descend, full_jacobian
from jdbench.descent.optimizers import check_optimizer, make_optimizer
from jdbench.errors import InputError, UnknownNameError
from jdbench.rounding import gamma
from support.analytic_problems import quadratic, rates, starts


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


@pytest.mark.parametrize("spec", ["Muon(lr=3)", "SGD(lr=3)", "SparseAdam"])
def test_optimisers_that_cannot_serve_are_refused_before_anything_runs(spec: str) -> None:
    with pytest.raises(InputError):
        check_optimizer(spec)
