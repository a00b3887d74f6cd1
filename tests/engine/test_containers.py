"""What carries tensors between modules: containers of every kind, attributes, closures, calls within calls."""

import collections
import dataclasses
import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from support.engine_agreement import assert_model_agrees, normal, squares


@dataclasses.dataclass
class Batch:
    x: Tensor


class Named(NamedTuple):
    x: Tensor


class Slots:
    __slots__ = ("x",)

    def __init__(self, x: Tensor) -> None:
        self.x = x


class Lazy:
    """Computes what it carries when it is asked for it."""

    def __init__(self, x: Tensor) -> None:
        self._x = x

    @functools.cached_property
    def x(self) -> Tensor:
        return self._x * 1


def generated(x: Tensor) -> Iterator[Tensor]:
    yield x


CONTAINERS: dict[str, tuple[Callable[[Tensor], Any], Callable[[Any], Tensor]]] = {
    "dict": (lambda x: {"x": x}, lambda c: c["x"]),
    "UserDict": (lambda x: collections.UserDict(x=x), lambda c: c["x"]),
    "OrderedDict": (lambda x: collections.OrderedDict(x=x), lambda c: c["x"]),
    "mapping proxy": (lambda x: types.MappingProxyType({"x": x}), lambda c: c["x"]),
    "dataclass": (Batch, lambda c: c.x),
    "named tuple": (Named, lambda c: c.x),
    "namespace": (lambda x: types.SimpleNamespace(x=x), lambda c: c.x),
    "slots": (Slots, lambda c: c.x),
    "lazy": (Lazy, lambda c: c.x),
    "list of lists": (lambda x: [[x], []], lambda c: c[0][0]),
    "deque": (lambda x: collections.deque([x]), lambda c: c[0]),
    "set": (lambda x: {x}, lambda c: next(iter(c))),
    "generator": (generated, lambda c: next(c)),
    "closure": (lambda x: lambda: x, lambda c: c()),
    "partial": (lambda x: functools.partial(torch.mul, x), lambda c: c(1.0)),
    "view": (lambda x: x[:], lambda c: c),
    "nested": (
        lambda x: torch.nested.as_nested_tensor(list(x)),
        lambda c: torch.nested.to_padded_tensor(c, 0.0),
    ),
}


class Scaling(nn.Module):
    """Has a parameter of its own, and reads its input from a container."""

    def __init__(self, read: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.weight, self.read = nn.Parameter(torch.rand(4)), read

    def forward(self, container: Any) -> Tensor:
        return self.read(container) * self.weight


class Carrying(nn.Module):
    def __init__(self, wrap: Callable[[Tensor], Any], read: Callable[[Any], Tensor]) -> None:
        super().__init__()
        self.first, self.second, self.wrap = nn.Linear(4, 4), Scaling(read), wrap

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.wrap(self.first(x)))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("container", CONTAINERS)
def test_inputs_in_a_container(container: str) -> None:
    torch.manual_seed(0)
    x = normal(4, 3, 4) if container == "nested" else normal(4, 4)
    assert_model_agrees(Carrying(*CONTAINERS[container]).double(), lambda m: squares(m(x)))


class Modulated(nn.Module):
    """Its condition is set as an attribute before it is called, as features are modulated (FiLM)."""

    def __init__(self) -> None:
        super().__init__()
        self.gain, self.condition = nn.Parameter(torch.rand(4)), None

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gain * self.condition


class Conditioned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.condition, self.body, self.film = nn.Linear(4, 4), nn.Linear(4, 4), Modulated()

    def forward(self, x: Tensor) -> Tensor:
        self.film.condition = self.condition(x)
        return self.film(self.body(x))


class Stashing(nn.Module):
    """Keeps what a hook has seen, and adds it later: feature extraction by hooks."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)), nn.Linear(8, 2)
        self.seen: list[Tensor] = []
        self.body[1].register_forward_hook(lambda _, __, output: self.seen.append(output))

    def forward(self, x: Tensor) -> Tensor:
        self.seen.clear()
        y = self.body(x)
        return self.head(torch.cat([y, self.seen[0]], 1))


class Replaced(nn.Module):
    """A hook that replaces the output, and one that replaces the input."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.first.register_forward_hook(lambda _, args, output: output * args[0])
        self.second.register_forward_pre_hook(lambda _, args: (args[0] + 1,))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class Recursive(nn.Module):
    """Calls itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.inner, self.drop = nn.Parameter(torch.ones(4)), nn.Linear(4, 4), nn.Dropout(0.3)

    def forward(self, x: Tensor, depth: int = 2) -> Tensor:
        return self.drop(torch.tanh(self.inner((self(x, depth - 1) if depth else x) * self.weight)))


class Listed(nn.Module):
    """Parameters in lists and dicts of a module without any of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.prompts = nn.ParameterList([torch.randn(4) for _ in range(2)])
        self.named = nn.ParameterDict({"scale": torch.randn(4)})
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x * self.prompts[0] + self.prompts[1] * self.named["scale"])


class Methods(nn.Module):
    """Called by other methods than forward, and through functions of its parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.inner = nn.Embedding(5, 4), nn.Linear(4, 4)

    def encode(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.inner.weight.clone(), bias=self.inner.bias)

    def decode(self, x: Tensor) -> Tensor:
        return x @ self.table.weight.mT

    def forward(self, x: Tensor) -> Tensor:
        return self.decode(torch.tanh(self.encode(x)))


class Branching(nn.Module):
    """Other ways for other inputs, as the data decide."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.a(row) if row.sum() > 0 else torch.tanh(self.b(row)) for row in x])


class Idle(nn.Module):
    """Calls a layer in vain, and one without gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.idle = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        self.idle(x)
        with torch.no_grad():
            shift = self.idle(x)
        return self.used(x) + shift + self.idle(x).detach()


MODELS = [Conditioned, Stashing, Replaced, Recursive, Listed, Methods, Branching, Idle]


@pytest.mark.parametrize("model", MODELS)
def test_ways_past_the_arguments(model: type[nn.Module]) -> None:
    torch.manual_seed(0)
    x = normal(4, 4)
    assert_model_agrees(model().double(), lambda m: squares(m(x)))
    above = nn.Sequential(nn.Linear(4, 4), model(), nn.Tanh()).double()
    assert_model_agrees(above, lambda m: squares(m(x)))


def test_what_is_around_the_model_is_left_alone() -> None:
    """An encoder below and a head above that train by themselves, inputs that require gradients."""
    torch.manual_seed(0)
    encoder, model, head = (nn.Linear(4, 4).double() for _ in range(3))
    x = normal(4, 4).requires_grad_()
    for inputs in (x, encoder(x), encoder(x.detach())):
        assert_model_agrees(model, lambda m, inputs=inputs: squares(head(torch.tanh(m(inputs)))))
    assert x.grad is None
    assert all(p.grad is None for module in (encoder, head) for p in module.parameters())
