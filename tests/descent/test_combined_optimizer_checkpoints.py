"""A training with a CombinedOptimizer goes on bit for bit: saved and loaded, pickled, copied."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.momentum import CombinedOptimizer
from support.combined_training import SAME, TORCHS, gap, network, ours, same, torchs, train


@pytest.fixture
def doubles() -> Iterator[None]:
    """Torch's NAdam keeps a product in the default dtype, and changes it to that of a parameter when loaded."""
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


methods = pytest.mark.parametrize("name", TORCHS)
aggregators = pytest.mark.parametrize("aggregator", ["Mean", "UPGrad", "RGW", "GradDrop", "PCGrad"])


class Tiring:
    """An aggregator that remembers: the mean, divided by the number of calls so far."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, J: Tensor) -> Tensor:
        self.calls += 1
        return J.mean(0) / self.calls


def grouped(model: nn.Module, name: str, aggregator: Any = "UPGrad", **keywords: Any) -> CombinedOptimizer:
    weight, bias, *rest = model.parameters()
    groups: list[dict[str, Any]] = [
        {"params": [weight, bias], "weight_decay": 0.1, "lr": 0.01},
        {"params": rest},
    ]
    return ours(name, groups, aggregator, **keywords)


@methods
@aggregators
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_loaded_in_another_process_it_goes_on_bit_for_bit(
    name: str, aggregator: str, dtype: torch.dtype
) -> None:
    model = network(dtype)
    optimizer = grouped(model, name, aggregator)

    def steps(model: nn.Module, optimizer: torch.optim.Optimizer, first: int, last: int) -> None:
        for step in range(first, last):
            optimizer.zero_grad()
            for place, p in enumerate(model.parameters()):
                if place != step % 5:  # each has no gradient now and then
                    p.grad = torch.sin(p.detach() * 3 + step + place)
            optimizer.step()

    steps(model, optimizer, 0, 6)
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    saved = torch.load(io.BytesIO(file.getvalue()), weights_only=True)
    other = network(dtype)
    again = grouped(other, name, aggregator, lr=123.0)  # the rate is loaded too
    other.load_state_dict(saved["model"])
    again.load_state_dict(saved["optimizer"])
    steps(model, optimizer, 6, 15)
    steps(other, again, 6, 15)
    assert same(model, other)
    assert again.param_groups[1]["lr"] == 0.02


@methods
def test_half_precise_state_is_loaded_as_it_was(name: str) -> None:
    p = nn.Parameter(torch.linspace(-1, 1, 5).bfloat16())
    optimizer = ours(name, [p], "UPGrad")
    for _ in range(3):
        p.grad = p.detach() + 0.3
        optimizer.step()
    q = nn.Parameter(p.detach().clone())
    again = ours(name, [q], "UPGrad")
    again.load_state_dict(optimizer.state_dict())
    for opt, r in ((optimizer, p), (again, q)):
        for _ in range(5):
            r.grad = r.detach() - 0.3
            opt.step()
    assert torch.equal(p, q)


@methods
@pytest.mark.parametrize("aggregator", ["UPGrad", "RGW", Tiring()], ids=["UPGrad", "RGW", "remembering"])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda both: pickle.loads(pickle.dumps(both))], ids=["deepcopy", "pickle"]
)
def test_copied_with_its_model_it_goes_on_bit_for_bit(
    name: str, aggregator: Any, copied: Callable[[Any], tuple[nn.Module, CombinedOptimizer]]
) -> None:
    model = network()
    optimizer = grouped(model, name, aggregator)
    train(model, optimizer, range(5))
    other, again = copied((model, optimizer))
    train(model, optimizer, range(5, 10))
    after_five = copy.deepcopy(other)
    train(other, again, range(5, 10))
    assert same(model, other)
    assert not same(model, after_five)


def test_an_aggregator_that_remembers_is_the_optimisers_own() -> None:
    aggregator = Tiring()
    for _ in range(2):
        model = network()
        train(model, ours("HeavyBall", model.parameters(), aggregator), range(3))
        assert aggregator.calls == 0


@methods
@pytest.mark.usefixtures("doubles")
def test_an_optimiser_that_was_loaded_takes_another_group(name: str) -> None:
    model, expected = network(), network()
    for net, make in ((model, ours), (expected, torchs)):
        first = make(name, net[2].parameters())
        train(net, first, range(3))
        opt = make(name, net[2].parameters())
        opt.load_state_dict(first.state_dict())
        opt.add_param_group({"params": list(net[0].parameters()), "weight_decay": 0.1})
        net.zero_grad()
        train(net, opt, range(3, 20))
    assert gap(model, expected) <= SAME


@methods
def test_random_draws_differ_from_step_to_step_and_by_seed(name: str) -> None:
    ends: list[nn.Module] = []
    for seed in (0, 0, 1):
        model = network()
        train(model, ours(name, model.parameters(), "RGW", seed=seed), range(6))
        ends.append(model)
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])
    seeds: list[int] = []

    def drawing(J: Tensor) -> Tensor:
        seeds.append(int(torch.randint(2**40, ())))
        return J.mean(0)

    train(network(), ours(name, (model := network()).parameters(), drawing), [])
    train(model, ours(name, model.parameters(), drawing), range(6))
    assert len(seeds) == len(set(seeds)) >= 5


@pytest.mark.parametrize("name", ["Adam", "AdamW", "NAdam"])
@pytest.mark.usefixtures("doubles")
def test_a_checkpoint_of_torchs_goes_on(name: str) -> None:
    """Its state has the same names; from there another aggregator may go on."""
    model, expected = network(), network()
    reference = torchs(name, expected.parameters(), weight_decay=0.1)
    train(expected, reference, range(5))
    model.load_state_dict(expected.state_dict())
    optimizer = ours(name, model.parameters())
    optimizer.load_state_dict(reference.state_dict())
    train(model, optimizer, range(5, 50))
    train(expected, reference, range(5, 50))
    assert gap(model, expected) <= SAME


def state_after_a_step(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, Any]:
    train(model, optimizer, [0])
    return optimizer.state_dict()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda m: ours("HeavyBall", m.parameters()), "required group 0 of Adam, got one without betas, eps"),
        (lambda m: torch.optim.SGD(m.parameters(), 0.1), "without betas, eps"),
        (lambda m: torch.optim.Adam(m.parameters(), maximize=True), "got one with maximize"),
        (lambda m: torch.optim.Adam(m.parameters(), amsgrad=True), "got one with amsgrad"),
        (lambda m: torch.optim.AdamW(m.parameters()), "got one with decoupled_weight_decay"),
        (lambda m: ours("NAdam", m.parameters()), "got another mu_product"),
        (lambda m: ours("Adam", list(m.parameters())[:2] * 1), "different|match the size"),
    ],
    ids=["heavy ball", "sgd", "maximize", "amsgrad", "decoupled", "nadam", "fewer"],
)
def test_the_state_of_another_method_is_refused_and_changes_nothing(make: Any, message: str) -> None:
    saved = state_after_a_step(make(model := network()), model)
    optimizer = ours("Adam", (model := network()).parameters())
    before = copy.deepcopy(state_after_a_step(optimizer, model))
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert str(after) == str(before)


def test_buffers_of_another_shape_are_refused() -> None:
    saved = state_after_a_step(ours("Adam", (model := network()).parameters()), model)
    saved["state"][1]["exp_avg"] = torch.zeros(4)
    with pytest.raises(InputError, match=r"shape \(5,\).*got another exp_avg, load it into"):
        ours("Adam", network().parameters()).load_state_dict(saved)
