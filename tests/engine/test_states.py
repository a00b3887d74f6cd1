"""State and random numbers of any kind: right, and left as the forward pass left them."""

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm

from jdbench.engine import Engine
from support.engine_agreement import (
    Drawn,
    assert_agrees,
    assert_combined,
    assert_model_agrees,
    gradient,
    jacobian,
    normal,
    squares,
)


class Counting(nn.Module):
    """Counts its calls in a buffer and computes with the count."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(4))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x * self.weight * self.calls


class Remembering(nn.Module):
    """Keeps its hidden state from batch to batch, cut off from the graph, as truncated backpropagation does."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.start, self.hidden = nn.GRUCell(4, 4), nn.Parameter(torch.zeros(4)), None

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.cell(x, self.start.expand(len(x), 4) if self.hidden is None else self.hidden)
        self.hidden = hidden.detach()
        return hidden


class RunningScale(nn.Module):
    """Divides by a running mean of sizes, without a gradient through it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4)
        self.register_buffer("size", torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        with torch.no_grad():
            self.size.lerp_(y.abs().mean(0), 0.5)
        return y / self.size


@pytest.mark.parametrize("module", [Counting, Remembering, RunningScale])
def test_modules_that_change_as_they_are_called(module: type[nn.Module]) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), module(), nn.Linear(4, 2)).double(), normal(4, 4)
    assert_model_agrees(model, lambda m: squares(m(x)))
    assert_model_agrees(model, lambda m: (m(x), squares(m(x + 1)))[1])


@pytest.mark.parametrize(
    "norm", [spectral_norm, parametrizations.spectral_norm], ids=["hook", "parametrization"]
)
@pytest.mark.parametrize("training", [False, True])
def test_spectral_norm_between_steps(norm: Callable[[nn.Module], nn.Module], training: bool) -> None:
    """Each forward pass in training goes one step on with the power iteration."""
    torch.manual_seed(0)
    model = nn.Sequential(norm(nn.Linear(4, 5)), nn.Tanh(), nn.Linear(5, 2)).double().train(training)
    engine, x = Engine(model), normal(4, 4)
    for step in range(3):
        assert_agrees(engine, squares(model(x)))
        with torch.no_grad():
            for p in model.parameters():
                p.add_(normal(*p.shape, seed=step))


GENERATOR = torch.Generator()


def uniform() -> float:
    return torch.rand([]).item()


DRAWS: dict[str, Callable[[], float]] = {
    "torch": uniform,
    "random": random.random,
    "numpy": np.random.random,
    "own": lambda: torch.rand([], generator=GENERATOR).item(),
}


class LayerDrop(nn.Module):
    """Leaves out layers at random."""

    def __init__(self, draw: Callable[[], float]) -> None:
        super().__init__()
        self.token, self.draw = nn.Parameter(torch.zeros(4)), draw
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(5))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.token
        for layer in self.layers:
            if self.draw() < 0.5:
                x = x + torch.tanh(layer(x))
        return x


@pytest.mark.parametrize("draw", DRAWS)
def test_layers_left_out_at_random(draw: str) -> None:
    model = nn.Sequential(LayerDrop(DRAWS[draw]), nn.Linear(4, 2)).double()
    engine, x = Engine(model), normal(4, 4)
    for seed in range(5):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        GENERATOR.manual_seed(seed)
        losses, state = squares(model(x)), GENERATOR.get_state()
        assert_agrees(engine, losses)
        assert torch.equal(GENERATOR.get_state(), state)


MASKS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch": lambda x: torch.rand_like(x) < 0.5,
    "bernoulli": lambda x: torch.bernoulli(torch.full_like(x, 0.5)),
    "numpy": lambda x: torch.from_numpy(np.random.rand(*x.shape) < 0.5),  # noqa: NPY002
    "random": lambda x: torch.tensor([random.random() < 0.5 for _ in range(x.numel())]).view(x.shape),
    "own": lambda x: torch.rand(x.shape, generator=GENERATOR) < 0.5,
}


class Gated(nn.Module):
    """x + α · masked f(x), α zero at first: the mask does not show in the output, only in the gradient of α."""

    def __init__(self, mask: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.gate, self.inner, self.mask = nn.Parameter(torch.zeros(())), nn.Linear(4, 4), mask

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(self.inner(x))
        return x + self.gate * (y * self.mask(y))


@pytest.mark.parametrize("check", ["first", False])
@pytest.mark.parametrize("mask", MASKS)
def test_a_gate_that_is_zero_before_a_random_mask(mask: str, check) -> None:
    """ReZero: the gate opens with the second step, when everything behind it begins to have a gradient."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), Gated(MASKS[mask]), Gated(MASKS[mask]), nn.Linear(4, 2)).double()
    engine, optimizer, x = Engine(model), torch.optim.SGD(model.parameters(), 0.1), normal(4, 4)
    for _ in range(5):
        assert_agrees(engine, squares(model(x)), check=check)
        optimizer.step()
    assert float(model[1].gate) != 0


@pytest.mark.parametrize("check", ["first", False])
@pytest.mark.parametrize("mask", MASKS)
def test_gates_that_open_where_the_graph_is_not_kept(mask: str, check) -> None:
    """As in training: one backward pass a step, after which the graph is gone."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), Gated(MASKS[mask]), Gated(MASKS[mask]), nn.Linear(4, 2)).double()
    nn.init.zeros_(model[3].weight)
    engine, optimizer, x = Engine(model), torch.optim.SGD(model.parameters(), 0.1), normal(4, 4)
    for _ in range(6):
        losses = squares(model(x) + 1)
        J = jacobian(losses, model)
        optimizer.zero_grad()
        w = engine.backward(losses, Drawn(), check=check)
        assert_combined(gradient(model), J, w)
        optimizer.step()
    assert float(model[1].gate) != 0


class LowRank(nn.Module):
    """A frozen layer with a trained product BA beside it, B zero at first (LoRA)."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 4).requires_grad_(False)
        self.A, self.B = nn.Parameter(torch.randn(2, 4)), nn.Parameter(torch.zeros(4, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + torch.from_numpy(np.random.rand(*x.shape) < 0.7) * x @ self.A.mT @ self.B.mT  # noqa: NPY002


class Bottleneck(nn.Module):
    """An adapter whose way up is zero at first."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(4, 2), nn.Linear(2, 4)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.up(torch.relu(self.down(x)))


@pytest.mark.parametrize("check", ["first", False])
@pytest.mark.parametrize("adapter", [LowRank, Bottleneck])
@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (4, 3, 4)], ids=str)
def test_adapters_that_start_at_zero(adapter: type[nn.Module], shape: tuple[int, ...], check) -> None:
    torch.manual_seed(0)
    frozen = nn.Linear(4, 4).requires_grad_(False)
    model = nn.Sequential(frozen, adapter(), nn.ReLU(), adapter()).double()
    engine, optimizer, x = Engine(model), torch.optim.SGD(model.parameters(), 0.05), normal(*shape)
    for _ in range(5):
        assert_agrees(engine, squares(model(x)), check=check)
        optimizer.step()


def test_gates_that_open_one_after_another() -> None:
    """Where nothing below has ever had a gradient, nothing is learnt that could be wrong later."""
    torch.manual_seed(0)
    layers = [Gated(MASKS["numpy"]) for _ in range(3)]
    model, x = nn.Sequential(nn.Embedding(5, 4), *layers, nn.Linear(4, 2)).double(), torch.arange(4) % 3
    engine = Engine(model)
    nn.init.zeros_(model[4].weight)
    for opened in range(6):
        assert_agrees(engine, squares(model(x) + 1), check=False)
        with torch.no_grad():
            if opened < 3:
                layers[2 - opened].gate.fill_(0.5)
            else:
                model[4].weight.normal_()
                model[4].weight[opened - 3 :] = 0.0
