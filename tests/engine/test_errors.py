"""What the engine refuses, with the way out."""

import pytest
import torch
from torch import Tensor, nn

from jdbench.aggregators import Mean
from jdbench.errors import InputError
from jdbench.gramian import Engine
from jdbench.rounding import gamma
from support.engine_agreement import jacobian
from support.small_network import batch, losses_of, network


class Function(nn.Module):
    """A module around a function of the input and an inner module."""

    def __init__(self, inner: nn.Module, f) -> None:
        super().__init__()
        self.inner, self.f = inner, f

    def forward(self, x: Tensor) -> Tensor:
        return self.f(self.inner, x)


def refused(model: nn.Module, x: Tensor, match: str, *, check: bool = False) -> None:
    with Engine(model) as engine:
        losses = model(x).flatten(1).sum(1)
        with pytest.raises(InputError, match=match):
            engine.gramian(losses, check=check)


def test_batch_statistics() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.BatchNorm1d(4)))
    refused(model, torch.randn(5, 3), r"module='1.0'.*eval\(\).*GroupNorm")
    refused(
        nn.Sequential(nn.BatchNorm1d(3, track_running_stats=False), nn.Linear(3, 1)).eval(),
        torch.randn(5, 3),
        "'0'",
    )


def test_frequencies_over_the_batch() -> None:
    refused(nn.Embedding(4, 2, scale_grad_by_freq=True), torch.tensor([0, 1]), "scale_grad_by_freq=False")


def test_an_input_changed_in_place() -> None:
    """Autograd does not mind where the weight is frozen."""

    def change(inner: nn.Module, x: Tensor) -> Tensor:
        x = x * 1
        y = inner(x)
        x.add_(1.0)
        return y

    model = Function(nn.PReLU(), change)
    with Engine(model) as engine:
        losses = model(torch.randn(4, 3)).sum(1)
        with pytest.raises((InputError, RuntimeError), match=r"in.?place"):
            engine.gramian(losses)


def multiplied_by_the_next(y: Tensor) -> Tensor:
    return y * y.roll(1, 0).exp()


@pytest.mark.parametrize("mix", [
    lambda inner, x: inner(x) - inner(x).mean(0),
    lambda inner, x: inner(x).softmax(0),
    lambda inner, x: inner(x).square() / inner(x).square().sum(0),
    lambda inner, x: multiplied_by_the_next(inner(x)),
    lambda inner, x: (x @ x.mT).softmax(1) @ inner(x),
    lambda inner, x: inner(x).cumsum(0),
], ids=["mean", "softmax", "share", "neighbour", "attention", "cumsum"])  # fmt: skip
def test_instances_that_mix(mix) -> None:
    model = Function(nn.Linear(3, 2), mix)
    for check in (False, True):
        refused(model, torch.randn(4, 3), "losses that depend on one instance.*separable=False", check=check)


def test_a_check_lets_separable_losses_pass() -> None:
    model, x = network(), batch()
    with Engine(model) as engine:
        engine.backward(losses_of(model, x), Mean(), check=True)


@pytest.mark.parametrize("shape", ["mean", "cube", "detached"])
def test_losses_of_another_shape(shape: str) -> None:
    model, x = network(), batch()
    with Engine(model) as engine:
        y = model(x)
        losses = {"mean": y.mean(), "cube": y[None], "detached": y.detach().sum(1)}[shape]
        with pytest.raises(InputError, match="losses, required"):
            engine.gramian(losses)


def test_losses_per_task_passed_as_separable() -> None:
    """Six instances, three tasks, and every loss depends on all: what layers give passes for derived."""
    model, x = network(), batch(6)
    losses = model(x).mean(0)
    J = jacobian(losses, model)
    assert (Engine(model).gramian(losses) - J @ J.mT).norm() <= gamma(1000) * J.norm() ** 2


class Wrong:
    """Weights of the wrong number."""

    def weights(self, G: Tensor, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return G[0, 1:]


def test_weights_of_another_shape() -> None:
    model, x = network(), batch()
    with Engine(model) as engine, pytest.raises(InputError, match=r"weights of shape \(5,\)"):
        engine.backward(losses_of(model, x), Wrong())


@pytest.mark.parametrize("separable", [True, False])
@pytest.mark.parametrize("lost", ["freed", "changed"])
def test_a_graph_that_does_not_hold_its_tensors_any_more(lost: str, separable: bool) -> None:
    model, x = network(), batch()
    losses = model(x).square().sum(1)
    if lost == "freed":
        losses.sum().backward()
    else:
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(2)
    with pytest.raises(InputError, match=r"losses, required a graph"):
        Engine(model).gramian(losses, separable=separable)
