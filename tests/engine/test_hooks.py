"""Custom functions and hooks, against autograd; a gradient is what they make of it."""

import contextlib

import pytest
import torch
from torch import Tensor, nn

from jdbench.engine import Engine
from jdbench.errors import InputError
from support.engine_agreement import (
    DOUBLE,
    Function,
    assert_model_agrees,
    assert_rows,
    normal,
    squares,
)


class Straight(torch.autograd.Function):
    """Rounds forwards; backwards the n-th call multiplies by n: a custom function with state."""

    calls = 0

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        Straight.calls += 1
        ctx.calls = Straight.calls
        return x.round()

    @staticmethod
    def backward(ctx, delta: Tensor) -> Tensor:
        return delta * ctx.calls


def test_a_custom_function_that_counts_its_calls() -> None:
    torch.manual_seed(0)
    model = Function(nn.Linear(4, 4).double(), lambda inner, x: inner(Straight.apply(3 * inner(x))))
    x = normal(4, 4)
    assert_model_agrees(model, lambda m: squares(m(x)))


class Owned(torch.autograd.Function):
    """A product with a parameter, inside a custom function that saves what it needs."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx, delta: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        return delta @ weight.mT, x.flatten(0, -2).mT @ delta.flatten(0, -2)


@pytest.mark.parametrize("shape", [(4, 3), (4, 4, 3), (4, 5, 3)], ids=str)
def test_a_custom_function_that_takes_a_parameter(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model, x = (
        Function(nn.Linear(3, 3).double(), lambda inner, x: Owned.apply(inner(x), inner.weight)),
        normal(*shape),
    )
    assert_model_agrees(model, lambda m: squares(m(x)))


def test_hooks_on_what_flows_back() -> None:
    """Gradients are what the hooks make of them, as in any backward pass."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(4, 4)
    model[0].register_full_backward_hook(
        lambda _, taken, __: tuple(None if g is None else 2 * g for g in taken)
    )
    model[2].register_full_backward_hook(
        lambda _, taken, __: tuple(None if g is None else -3 * g for g in taken)
    )

    def losses_of(model: nn.Module) -> Tensor:
        y = model[0](x)
        y.register_hook(lambda g: g * 5)
        return squares(model[2](model[1](y)))

    assert_model_agrees(model, lambda m: squares(m(x)))
    assert_model_agrees(model, losses_of)


def test_a_hook_that_is_not_linear_gives_each_row_its_own() -> None:
    """With gradients cut off, Jᵀw is not the gradient of wᵀf; the rows are those of one pass each."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).double(), normal(4, 4)
    y = model[0](x)
    y.register_hook(lambda g: g.clamp(-1, 1))
    losses = squares(model[1](y))
    rows = [torch.autograd.grad(loss, list(model.parameters()), retain_graph=True) for loss in losses]
    J = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
    with contextlib.suppress(InputError):  # refused by name, as below
        assert_rows(Engine(model).jacobian(losses), J)


def test_a_hook_that_is_not_linear_is_refused() -> None:
    """With gradients squared or cut off, Jᵀw is not the gradient of wᵀf."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).double(), normal(4, 4)
    y = model[0](x)
    y.register_hook(lambda g: g.square())
    with pytest.raises(InputError, match=r"module='0'.*separable=False"):
        Engine(model).gramian(squares(model[1](y)))


def test_a_hook_on_a_parameter_sees_the_gradient_once() -> None:
    torch.manual_seed(0)
    model, x, seen = nn.Linear(4, 2).double(), normal(4, 4), []
    model.weight.register_hook(lambda g: seen.append(g.clone()))
    engine = Engine(model)
    with torch.random.fork_rng():
        engine.backward(squares(model(x)), _Ones(), check=False)
    assert len(seen) == 1
    assert torch.equal(seen[0], model.weight.grad)


class _Ones:
    def weights(self, G: Tensor, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return torch.ones(len(G), dtype=DOUBLE)
