"""Parameters that a CombinedOptimizer leaves alone, gets later or cannot move."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.problem import seeded
from support.combined_training import SAME, TORCHS, gap, loss, network, ours, same, torchs, train

methods = pytest.mark.parametrize("name", TORCHS)
aggregators = pytest.mark.parametrize("aggregator", ["Mean", "UPGrad", "RGW"])


def snapshot(module: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in module.parameters()]


@methods
@aggregators
def test_what_is_frozen_neither_moves_nor_decays(name: str, aggregator: str) -> None:
    model = network()
    model[0].requires_grad_(False)
    before = snapshot(model[0])
    train(model, ours(name, model.parameters(), aggregator, weight_decay=0.1), range(5))
    assert all(torch.equal(p, q) for p, q in zip(model[0].parameters(), before, strict=True))
    # The rest moves as if the frozen layer were not there.
    alone = network()
    alone[0].requires_grad_(False)
    train(alone, ours(name, alone[2].parameters(), aggregator, weight_decay=0.1), range(5))
    assert same(model, alone)


@methods
@pytest.mark.parametrize("emptied", [True, False], ids=["grad is None", "an old grad is left"])
def test_frozen_after_some_steps_and_thawed(name: str, emptied: bool) -> None:
    model, expected = network(), network()
    optimizer, reference = (
        ours(name, model.parameters(), weight_decay=0.1),
        torchs(name, expected.parameters(), weight_decay=0.1),
    )
    for net, opt in ((model, optimizer), (expected, reference)):
        train(net, opt, range(4))
        net[0].requires_grad_(False)
        if emptied or net is expected:
            opt.zero_grad()
    frozen, kept = snapshot(model[0]), copy.deepcopy(optimizer.state[model[0].weight])
    for step in range(4, 8):
        for net, opt in ((model, optimizer), (expected, reference)):
            for p in net[2].parameters():
                p.grad = None
            loss(net, step).backward()
            opt.step()
    assert all(torch.equal(p, q) for p, q in zip(model[0].parameters(), frozen, strict=True))
    assert {k: str(v) for k, v in optimizer.state[model[0].weight].items()} == {
        k: str(v) for k, v in kept.items()
    }
    for net, opt in ((model, optimizer), (expected, reference)):
        net[0].requires_grad_(True)
        train(net, opt, range(8, 16))
    assert gap(model, expected) <= SAME


@methods
def test_without_a_gradient_now_and_then_each_parameter_counts_its_own_steps(name: str) -> None:
    """Momentum and corrections of a parameter stand still while it has no gradient, as in torch."""
    model, expected = network(), network()
    for net, opt in (
        (model, ours(name, model.parameters(), weight_decay=0.1)),
        (expected, torchs(name, expected.parameters(), weight_decay=0.1)),
    ):
        for step in range(50):
            opt.zero_grad()
            loss(net, step).backward()
            for place, p in enumerate(net.parameters()):
                if (step + place) % 3 == 0 or (place == 2 and step < 20):
                    p.grad = None
            opt.step()
    assert gap(model, expected) <= SAME


@aggregators
def test_momentum_without_a_gradient_has_no_part_in_the_rows(aggregator: str) -> None:
    """With the old momentum of p among the rows, q would move otherwise."""
    generator = seeded(4)
    old, new = (torch.randn(6, 3, dtype=torch.float64, generator=generator) for _ in range(2))

    def moved(with_p: bool) -> Tensor:
        p, q = (nn.Parameter(torch.zeros(3, dtype=torch.float64)) for _ in range(2))
        optimizer = ours("HeavyBall", [p, q] if with_p else [q], aggregator)
        if with_p:
            p.grad = old[0] * 100
            optimizer.step()
            p.grad = None
        for g in new:
            q.grad = g.clone()
            optimizer.step()
        return q.detach()

    if aggregator == "RGW":  # draws differ, as more steps were taken
        assert not torch.equal(moved(True), moved(False))
    else:
        assert torch.equal(moved(True), moved(False))


def test_a_gradient_of_zeros_is_a_gradient() -> None:
    p = nn.Parameter(torch.ones(2))
    optimizer = ours("AdamW", [p], weight_decay=0.5)
    p.grad = torch.zeros(2)
    optimizer.step()
    assert bool((p == 1 - 0.02 * 0.5).all())


@methods
def test_a_group_added_later_begins_without_momentum(name: str) -> None:
    model, expected = network(), network()
    for net, opt in (
        (model, ours(name, model[2].parameters())),
        (expected, torchs(name, expected[2].parameters())),
    ):
        train(net, opt, range(5))
        group = {"params": net[0].parameters(), "lr": 0.005, "weight_decay": 0.1}
        opt.add_param_group(group)
        for p in net[0].parameters():
            p.grad = None
        train(net, opt, range(5, 50))
    assert gap(model, expected) <= SAME


def test_the_callers_group_is_left_as_it_was() -> None:
    model = network()
    group = {"params": model[0].weight}
    ours("Adam", [group]).add_param_group(other := {"params": [model[0].bias], "lr": 0.1})
    assert list(group) == ["params"]
    assert list(other) == ["params", "lr"]


def test_named_parameters_keep_their_names() -> None:
    model = network()
    optimizer = ours("Adam", model.named_parameters())
    train(model, optimizer, range(2))
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == [n for n, _ in model.named_parameters()]


def test_a_sparse_gradient_is_refused_before_anything_moves() -> None:
    table, weight = nn.Embedding(10, 3, sparse=True), nn.Linear(3, 1)
    optimizer = ours("Adam", [*weight.parameters(), *table.parameters()])
    before = snapshot(weight)
    weight(table(torch.tensor([1, 2]))).sum().backward()
    with pytest.raises(
        InputError, match=r"gradient of parameter 2 of group 0, required a dense one, .*sparse=False"
    ):
        optimizer.step()
    assert all(torch.equal(p, q) for p, q in zip(weight.parameters(), before, strict=True))
    assert not any(optimizer.state.values())


@methods
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_spoils_what_it_spoils_with_torch(name: str, bad: float) -> None:
    def moved(make: Any) -> Tensor:
        p = nn.Parameter(torch.ones(3, dtype=torch.float64))
        optimizer = make(name, [p])
        for g in ([1.0, -2.0, 3.0], [bad, 1.0, 1.0], [1.0, 1.0, -1.0]):
            p.grad = torch.tensor(g, dtype=torch.float64)
            optimizer.step()
        return p.detach()

    own, expected = moved(ours), moved(torchs)
    assert torch.equal(own[:1].isfinite(), expected[:1].isfinite())
    torch.testing.assert_close(own[1:], expected[1:], rtol=SAME, atol=0)


def test_a_closure_is_evaluated_with_gradients_and_its_value_returned() -> None:
    model, other = network(), network()
    optimizer = ours("Adam", model.parameters(), "UPGrad")

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(model, 0)
        value.backward()
        return value

    with torch.no_grad():
        value = optimizer.step(closure)
    train(other, ours("Adam", other.parameters(), "UPGrad"), [0])
    assert torch.equal(value, loss(network(), 0))
    assert same(model, other)
