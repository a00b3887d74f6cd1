"""With the mean a CombinedOptimizer is torch's optimiser, whatever the options, groups and precision."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jdbench.aggregators import Mean
from jdbench.momentum import METHODS, CombinedOptimizer
from jdbench.problem import seeded
from jdbench.rounding import gamma
from support.combined_training import SAME, TORCHS, gap, network, ours, same, torchs, train

methods = pytest.mark.parametrize("name", TORCHS)
STEPS = 50

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "HeavyBall": [{"momentum": 0.5}, {"momentum": 0.0}, {"weight_decay": 0.1}],
    "Nesterov": [{"momentum": 0.5}, {"weight_decay": 0.1}],
    "Adam": [{"betas": (0.5, 0.9)}, {"betas": (0.0, 0.0)}, {"eps": 1e-3}, {"weight_decay": 0.1}],
    "AdamW": [{"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.5}, {"weight_decay": 0.0}],
    "NAdam": [{"betas": (0.5, 0.9)}, {"eps": 1e-3}, {"weight_decay": 0.1}, {"momentum_decay": 0.1}],
}


@methods
def test_with_its_defaults_it_is_torchs(name: str) -> None:
    model, expected = network(), network()
    train(model, ours(name, model.parameters()), range(STEPS))
    train(expected, torchs(name, expected.parameters()), range(STEPS))
    assert gap(model, expected) <= SAME
    assert gap(model, network()) > 0.1


@pytest.mark.parametrize(
    ("name", "options"), [(name, o) for name, many in OPTIONS.items() for o in many], ids=str
)
def test_every_option_is_torchs(name: str, options: dict[str, Any]) -> None:
    model, expected = network(), network()
    train(model, ours(name, model.parameters(), **options), range(STEPS))
    train(expected, torchs(name, expected.parameters(), **options), range(STEPS))
    assert gap(model, expected) <= SAME
    plain = network()
    train(plain, ours(name, plain.parameters()), range(STEPS))
    assert gap(model, plain) > 1e-3


@methods
def test_options_of_a_group_are_torchs(name: str) -> None:
    def groups(model: nn.Module) -> list[dict[str, Any]]:
        weight, bias, last_weight, last_bias = model.parameters()
        strength = {"momentum": 0.5} if name in ("HeavyBall", "Nesterov") else {"betas": (0.5, 0.9)}
        return [
            {"params": [weight, last_bias], "weight_decay": 0.5},
            {"params": [bias], "lr": 0.001, **strength},
            {"params": last_weight, "lr": 0.0},
        ]

    model, expected = network(), network()
    train(model, ours(name, groups(model)), range(STEPS))
    train(expected, torchs(name, groups(expected)), range(STEPS))
    assert gap(model, expected) <= SAME
    assert torch.equal(list(model.parameters())[2], list(network().parameters())[2])


@methods
def test_the_mean_goes_the_way_of_every_aggregator(name: str) -> None:
    """An aggregator of somebody else, called with two rows at each sum, makes torch's optimiser too."""
    calls: list[torch.Size] = []

    def mean(J: Tensor) -> Tensor:
        calls.append(J.shape)
        return J.mean(0)

    model, expected = network(), network()
    train(model, ours(name, model.parameters(), mean), range(STEPS))
    train(expected, torchs(name, expected.parameters()), range(STEPS))
    assert gap(model, expected) <= SAME
    sums = {"Nesterov": 2 * STEPS - 1, "NAdam": 2 * STEPS - 1}.get(name, STEPS - 1)
    assert calls == [torch.Size([2, sum(p.numel() for p in model.parameters())])] * sums


def test_the_aggregator_may_be_given_itself() -> None:
    model, other = network(), network()
    train(model, ours("Adam", model.parameters(), Mean()), range(5))
    train(other, ours("Adam", other.parameters(), "Mean"), range(5))
    assert same(model, other)


def steps_of(make: Callable[[nn.Parameter], torch.optim.Optimizer], x: Tensor, gradients: Tensor) -> Tensor:
    """Where the gradients lead from x."""
    p = nn.Parameter(x.clone())
    optimizer = make(p)
    for g in gradients:
        p.grad = g.to(p.dtype, copy=True)
        optimizer.step()
    return p.detach()


@methods
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
def test_in_less_precision_it_is_torchs_to_rounding(name: str, dtype: torch.dtype) -> None:
    steps, n = 8, 30
    # Squares that float16 holds, and exact signs.
    size = 1 + 3 * torch.rand(steps, n, generator=seeded(1))
    g = (size * torch.sign(torch.randn(steps, n, generator=seeded(2)))).to(dtype)
    x = torch.ones(n, dtype=dtype)
    options: dict[str, Any] = {"lr": 2.0**-6} | ({"weight_decay": 0.0} if name == "AdamW" else {})
    own = steps_of(lambda p: CombinedOptimizer([p], METHODS[name], aggregator="Mean", **options), x, g)
    expected = steps_of(lambda p: TORCHS[name]([p], **options), x, g)
    assert own.dtype == dtype
    # Along the way of a gradient to the last point torch rounds the first moment once a step, the second twice
    # (of which a root keeps half), the point twice, the denominator three times; ours rounds each state once.
    # All terms without their cancellation are those of |g| from 0.
    largest = (
        x.double() + steps_of(lambda p: TORCHS[name]([p], **options), torch.zeros(n).double(), g.abs()).abs()
    )
    assert bool(((own.double() - expected.double()).abs() <= gamma(8 * steps + 10, dtype) * largest).all())
    assert bool((own - x).abs().max() > 0.05)


def test_half_precise_squares_that_underflow_are_no_division_by_zero() -> None:
    """In float16 the square would be 0, and so would 1e-8."""
    x, g = torch.ones(4, dtype=torch.float16), torch.full((3, 4), 1e-5, dtype=torch.float16)
    moved = steps_of(lambda p: ours("Adam", [p], lr=0.125), x, g)
    # What is kept of the second moment is 0, so that of t equal squares the last one alone is in the mean.
    furthest = 0.125 * (1 + 2**0.5 + 3**0.5)
    # The first moment is a small multiple of float16's least number, here 16 times it or more.
    assert bool(((x - moved) <= furthest * (1 + 1 / 16)).all())
    assert bool(((x - moved) >= 0.125).all())
