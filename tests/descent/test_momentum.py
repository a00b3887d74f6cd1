"""Momentum combined by an aggregator: torch's methods with Mean, no conflict with UPGrad ([JD] Section 3)."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import Mean
from jdbench.descent.loop import descend, full_jacobian
from jdbench.descent.optimizers import TorchOptimizer, check_optimizer, make_optimizer
from jdbench.errors import InputError, UnknownNameError
from jdbench.momentum import METHODS, CombinedOptimizer, Momentum
from jdbench.problem import AnalyticProblem, resolve_problem, seeded
from jdbench.rounding import gamma
from jdbench.verification.predicates import non_conflicting
from jdbench.verification.tolerances.margins import direction

STEPS, MEMBERS, N = 40, 3, 12
RATES = torch.tensor([0.5, 0.1, 0.02], dtype=torch.float64)

SAME = {
    "HeavyBall(aggregator='Mean',momentum=0.8)": "SGD(momentum=0.8)",
    "Nesterov(aggregator='Mean',momentum=0.8)": "SGD(momentum=0.8,nesterov=True)",
    "Adam(aggregator='Mean',betas=(0.8,0.99),eps=1e-6)": "Adam(betas=(0.8,0.99),eps=1e-6)",
    "AdamW(aggregator='Mean',weight_decay=0.1)": "AdamW(weight_decay=0.1)",
    "NAdam(aggregator='Mean',momentum_decay=0.01)": "NAdam(momentum_decay=0.01)",
}
"""Ours, combined by the mean, and torch's."""

pairs = pytest.mark.parametrize(("ours", "torchs"), SAME.items(), ids=[name.partition("(")[0] for name in SAME])
methods = pytest.mark.parametrize("name", METHODS)


def spec(name: str, aggregator: str = "UPGrad") -> str:
    return f"{name}(aggregator={aggregator!r})"


@pytest.fixture(autouse=True)
def torchs_scalars_in_double() -> Iterator[None]:
    """NAdam of torch keeps the product of its μ in the default dtype; in float32 it errs by 6e-8 a step."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def gradients(seed: int = 0) -> Tensor:
    """Gradients that often turn against the past ones, shape ``[STEPS, MEMBERS, N]``."""
    drawn = torch.randn(STEPS, MEMBERS, N, dtype=torch.float64, generator=seeded(seed))
    return drawn + 2 * torch.sign(
        torch.randn(STEPS, MEMBERS, 1, dtype=torch.float64, generator=seeded(seed + 1))
    )


def path(spec: str, gradients: Tensor, x: Tensor) -> Tensor:
    """The points after each step, shape ``[STEPS, MEMBERS, N]``."""
    optimizer = make_optimizer(spec, x, RATES)
    points: list[Tensor] = []
    for g in gradients:
        x = optimizer.step(x, g, torch.arange(MEMBERS))
        points.append(x)
    return torch.stack(points)


@pairs
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_combined_by_the_mean_it_is_torchs(ours: str, torchs: str, dtype: torch.dtype) -> None:
    g = gradients().to(dtype)
    x = torch.ones(MEMBERS, N, dtype=dtype)
    expected = path(torchs, g, x)
    # All terms of all sums, without their cancellation, are those of a run on |g| from 0: it ends as far away
    # as rounding can count. Twenty operations bring a term from one step to the next.
    largest = x + path(torchs.replace("0.1)", "0.0)"), g.abs(), torch.zeros_like(x)).abs()
    error = (path(ours, g, x) - expected).abs()
    assert bool((error <= gamma(20 * STEPS, dtype) * largest).all())
    assert bool((expected - x).abs().amax((1, 2)).gt(1e-3).all())


@pairs
def test_so_it_is_along_a_descent(ours: str, torchs: str) -> None:
    problem = resolve_problem("CQF")
    assert isinstance(problem, AnalyticProblem)
    x = torch.stack([problem.start(seed) for seed in (1, 2, 3)])
    rates = torch.tensor([0.01, 0.05, 0.1], dtype=torch.float64)
    combined = descend(x, full_jacobian(problem), Mean(), make_optimizer(ours, x, rates), 30)
    summed = descend(x, full_jacobian(problem), Mean(), make_optimizer(torchs, x, rates), 30)
    torch.testing.assert_close(combined.x, summed.x, rtol=gamma(8000), atol=gamma(8000))


def rows_of_the_step(name: str, g: Tensor, before: dict[str, Tensor], after: dict[str, Tensor]) -> Tensor:
    """The gradient and the momentum that a step claims not to conflict with."""
    momentum = {"HeavyBall": before.get("b"), "Nesterov": after.get("b"), "NAdam": after.get("m")}
    return torch.stack([g, momentum.get(name, before.get("m"))], -2)


def worst_margin(name: str, aggregator: str) -> tuple[float, float]:
    """The least margin of a step against gradient and momentum, in the step's metric, and its tolerance."""
    x = torch.zeros(MEMBERS, N, dtype=torch.float64)
    optimizer = make_optimizer(
        f"{name}(aggregator={aggregator!r}" + (",weight_decay=0)" if name == "AdamW" else ")"),
        x,
        torch.ones(MEMBERS, dtype=torch.float64),
    )
    assert isinstance(optimizer, Momentum)
    worst, slack, v = torch.inf, 0.0, torch.zeros_like(x)
    for t, g in enumerate(gradients(3), 1):
        before = {key: whole.clone() for key, whole in optimizer.state.items()}
        step = -optimizer.step(x, g, torch.arange(MEMBERS))
        J = rows_of_the_step(name, g, before, optimizer.state)
        if "m" in before:
            v = 0.999 * v + 0.001 * g.square()
            root = ((v / (1 - 0.999**t)).sqrt() + 1e-8).sqrt()
            J, step = J / root.unsqueeze(-2), step * root
        worst = min(worst, float(non_conflicting(J, step).min()))
        slack = max([slack, *(direction(J[i], step[i], torch.float64) for i in range(MEMBERS))])
    return worst, slack


@methods
def test_with_upgrad_the_step_conflicts_with_neither_gradient_nor_momentum(name: str) -> None:
    worst, slack = worst_margin(name, "UPGrad")
    assert worst >= -slack
    assert slack < 1e-9
    # The sum conflicts on the same gradients, by far more than rounding.
    assert worst_margin(name, "Mean")[0] < -1e-3


@pytest.mark.parametrize("name", ["Adam", "AdamW"])
def test_the_metric_is_needed_for_the_step_of_adams_kind_to_lower_the_linear_model(name: str) -> None:
    """Rows aggregated as they are and scaled afterwards can conflict."""
    m, g, D = torch.tensor([[9.0, 9.0]]), torch.tensor([[-8.0, 1.0]]), torch.tensor([[0.1, 10.0]])
    optimizer = make_optimizer(spec(name), torch.zeros(1, 2), torch.ones(1))
    assert isinstance(optimizer, Momentum)
    member = torch.zeros(1, dtype=torch.int64)
    assert float((g * optimizer.combine(g, m, member, D) / D).sum()) >= 0
    assert float((m * optimizer.combine(g, m, member, D) / D).sum()) >= 0
    plain = optimizer.combine(g, m, member) / D
    assert float(torch.minimum((g * plain).sum(), (m * plain).sum())) < 0


@methods
@pytest.mark.parametrize("aggregator", ["MGDA", "UPGrad", "RGW"])
def test_the_first_step_is_that_of_the_gradient_alone(name: str, aggregator: str) -> None:
    """MGDA of a gradient and a zero momentum would be 0, for good."""
    g, x = gradients()[:1], torch.zeros(MEMBERS, N, dtype=torch.float64)
    if name in ("Nesterov", "NAdam"):  # their first step combines the gradient with itself, scaled
        assert bool((path(spec(name, aggregator), g, x) * g < 0).all())
    else:
        error = (path(spec(name, aggregator), g, x) - path(spec(name, "Mean"), g, x)).abs()
        assert bool((error <= gamma(32) * RATES.unsqueeze(-1) * g[0].abs().clamp(min=1)).all())


@methods
@pytest.mark.parametrize("aggregator", ["UPGrad", "RGW", "tests.descent.test_momentum:stranger"])
def test_members_move_as_each_alone(name: str, aggregator: str) -> None:
    g, x = gradients(), torch.zeros(MEMBERS, N, dtype=torch.float64)
    together = path(spec(name, aggregator), g, x)
    optimizer = make_optimizer(spec(name, aggregator), x[1:2], RATES[1:2])
    alone = x[1:2]
    for gradient in g:
        alone = optimizer.step(alone, gradient[1:2], torch.zeros(1, dtype=torch.int64))
    torch.testing.assert_close(together[-1, 1:2], alone, rtol=gamma(64 * STEPS), atol=gamma(64 * STEPS))


def stranger(J: Tensor) -> Tensor:
    assert J.shape == (2, N)
    return J[0] + 0.1 * torch.rand(()) * J[1]


@methods
def test_members_that_ended_keep_what_they_had(name: str) -> None:
    x = torch.zeros(MEMBERS, N, dtype=torch.float64)
    optimizer = make_optimizer(spec(name), x, RATES)
    assert isinstance(optimizer, Momentum)
    g = gradients()
    optimizer.step(x, g[0], torch.arange(MEMBERS))
    kept = {key: whole[1].clone() for key, whole in optimizer.state.items()}
    optimizer.step(x[[0, 2]], g[1, [0, 2]], torch.tensor([0, 2]))
    assert all(torch.equal(whole[1], kept[key]) for key, whole in optimizer.state.items())
    assert optimizer.state["t"].tolist() == [2, 1, 2]


@methods
def test_gradients_beyond_all_bounds_give_a_divergence_and_no_exception(name: str) -> None:
    x = torch.zeros(MEMBERS, N, dtype=torch.float32)
    optimizer = make_optimizer(spec(name), x, RATES)
    for size in (1.0, -1e30, 1e30):
        x = optimizer.step(x, gradients()[0].float() * size, torch.arange(MEMBERS))
    assert x.shape == (MEMBERS, N)


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        ("HeavyBall(momentum=1.0)", InputError, "momentum=1.0, required a number below 1"),
        ("Adam(aggregator='UPGrad',eps=0)", InputError, "eps=0, required a positive"),
        ("AdamW(aggregator='UPGrad',weight_decay=-1)", InputError, "weight_decay=-1"),
        ("NAdam(aggregator='UPGrd')", UnknownNameError, "did you mean UPGrad"),
        ("HeavyBal", UnknownNameError, "did you mean HeavyBall"),
        ("Adam(aggregator='UPGrad',amsgrad=True)", InputError, "required keywords that Adam takes"),
        ("Nesterov(lr=1)", InputError, "required no lr"),
    ],
)
def test_bad_specs_are_refused(bad: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_optimizer(bad)


def test_torchs_own_stay_torchs_without_an_aggregator() -> None:
    x = torch.zeros(1, 2)
    assert isinstance(make_optimizer("Adam", x, torch.ones(1)), TorchOptimizer)
    assert isinstance(make_optimizer("Adam(aggregator='Mean')", x, torch.ones(1)), Momentum)


def loss_after(optimizer: torch.optim.Optimizer, model: torch.nn.Module, steps: int) -> float:
    inputs = torch.randn(8, 3, dtype=torch.float64, generator=seeded(5))
    for _ in range(steps):
        optimizer.zero_grad()
        loss = model(inputs).square().mean()
        loss.backward()
        optimizer.step()
    return loss.item()


def network() -> torch.nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 1)).double()


@pairs
def test_in_a_training_loop_it_is_torchs_with_the_mean(ours: str, torchs: str) -> None:
    model, expected = network(), network()
    name, _, rest = ours.partition("(")
    keywords = eval(f"dict({rest}")
    optimizer = CombinedOptimizer(model.parameters(), METHODS[name], lr=0.05, **keywords)
    name, _, rest = torchs.partition("(")
    reference = getattr(torch.optim, name)(expected.parameters(), lr=0.05, **eval(f"dict({rest}"))
    loss_after(optimizer, model, 25)
    loss_after(reference, expected, 25)
    for p, q in zip(model.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=gamma(16000), atol=gamma(16000))


@methods
def test_a_training_loop_goes_on_from_its_state_dict(name: str) -> None:
    model, other = network(), network()
    optimizer = CombinedOptimizer(model.parameters(), METHODS[name], lr=0.05, aggregator="UPGrad")
    loss_after(optimizer, model, 5)
    other.load_state_dict(model.state_dict())
    again = CombinedOptimizer(other.parameters(), METHODS[name], lr=0.05, aggregator="UPGrad")
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert loss_after(optimizer, model, 5) == loss_after(again, other, 5)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True))
    optimizer.param_groups[0]["lr"] = 0.0
    before = [p.clone() for p in model.parameters()]
    loss_after(optimizer, model, 1)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
