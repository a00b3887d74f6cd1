"""What the engine is given that it cannot use is refused in its own words, before anything is computed."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jdbench.aggregators import UPGrad
from jdbench.engine import Engine
from jdbench.errors import InputError
from support.engine_agreement import DOUBLE, squares


def case() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return nn.Linear(3, 2).double(), torch.randn(4, 3, dtype=DOUBLE)


@pytest.mark.parametrize(
    "model", [None, [nn.Linear(1, 1)], nn.Linear, "model"], ids=["None", "list", "class", "text"]
)
def test_what_is_no_model(model: Any) -> None:
    with pytest.raises(InputError, match=r"model, required a torch\.nn\.Module"):
        Engine(model)


def test_a_model_without_trained_parameters() -> None:
    model, x = case()
    model.requires_grad_(False)
    with pytest.raises(InputError, match="model, required trained parameters"):
        Engine(model).backward(squares(model(x.requires_grad_())), "Mean")


@pytest.mark.parametrize(
    "losses", [None, [1.0, 2.0], "losses", {"a": 1}, [[torch.ones(1)]], iter([])],
    ids=["None", "floats", "text", "dict", "nested", "iterator"],
)  # fmt: skip
def test_what_is_no_losses(losses: Any) -> None:
    model, _ = case()
    with pytest.raises(InputError, match="losses, required a tensor or a list of tensors"):
        Engine(model).gramian(losses)


def test_complex_losses() -> None:
    model, x = case()
    with pytest.raises(InputError, match="losses, required real numbers"):
        Engine(model).gramian(torch.complex(squares(model(x)), torch.ones(4, dtype=DOUBLE)))


@pytest.mark.parametrize("check", ["always", "never", "First", None, 2])
def test_checks_of_another_name(check: Any) -> None:
    model, x = case()
    with pytest.raises(InputError, match=r"check=.*required 'first', True or False"):
        Engine(model).gramian(squares(model(x)), check=check)


@pytest.mark.parametrize("heads", [3, [None, None], [[1.0], []]], ids=["number", "Nones", "numbers"])
def test_what_is_no_heads(heads: Any) -> None:
    model, x = case()
    with pytest.raises(InputError, match="heads, required"):
        Engine(model).backward(model(x).mean(0), UPGrad(), heads=heads)


def test_a_graph_that_is_gone() -> None:
    model, x = case()
    losses = squares(model(x))
    losses.sum().backward()
    with pytest.raises(InputError, match="losses, required a graph"):
        Engine(model).gramian(losses)


def test_a_class_is_called_to_get_the_aggregator() -> None:
    model, x = case()
    w = Engine(model).backward(squares(model(x)), UPGrad)
    assert w is not None
    assert torch.equal(w, Engine(model).backward(squares(model(x)), UPGrad()))


def test_weights_may_take_g_alone() -> None:
    class Even:
        def weights(self, G: Tensor) -> Tensor:
            return torch.full((len(G),), 0.5)

    model, x = case()
    w = Engine(model).backward(squares(model(x)), Even())
    assert w is not None
    assert w.tolist() == [0.5] * 4
