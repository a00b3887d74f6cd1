"""Weights that are tied, derived, replaced, copied or frozen, against autograd."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune, weight_norm

from jdbench.engine import Engine
from jdbench.errors import InputError
from support.engine_agreement import Function, assert_agrees, assert_model_agrees, normal, squares


class Language(nn.Module):
    """Embedding and output layer are one matrix."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(words, 4, padding_idx=0), nn.GRU(4, 4, batch_first=True)
        self.head = nn.Linear(4, words, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.rnn(self.embed(words))[0])


@pytest.mark.parametrize("words, length", [(6, 3), (4, 4), (5, 4), (4, 1)])  # noqa: PT006
def test_an_embedding_tied_to_the_output(words: int, length: int) -> None:
    torch.manual_seed(0)
    x = torch.randint(0, words, (4, length + 1))

    def losses_of(model: nn.Module) -> Tensor:
        logits = model(x[:, :-1])
        return functional.cross_entropy(logits.mT, x[:, 1:], reduction="none").sum(1)

    assert_model_agrees(Language(words).double(), losses_of)


def test_weights_tied_transposed_and_in_part() -> None:
    torch.manual_seed(0)
    x = normal(4, 4)
    for f in (
        lambda inner, x: functional.linear(torch.tanh(inner(x)), inner.weight.mT),
        lambda inner, x: inner(torch.tanh(inner(x))) @ inner.weight[:2].mT,
        lambda inner, x: inner(x) @ inner.weight,
        lambda inner, x: inner(x) * inner.bias + inner.weight.diagonal(),
        lambda inner, x: functional.linear(inner(x), inner.weight, inner.bias.flip(0)),
        lambda inner, x: torch.lerp(inner(x), inner.weight, 0.3),  # a row of the weight for every instance
    ):
        assert_model_agrees(Function(nn.Linear(4, 4).double(), f), lambda m: squares(m(x)))


DERIVED = {
    "weight norm": lambda: parametrizations.weight_norm(nn.Linear(4, 4)),
    "weight norm by a hook": lambda: weight_norm(nn.Linear(4, 4)),
    "orthogonal": lambda: parametrizations.orthogonal(nn.Linear(4, 4)),
    "spectral": lambda: parametrizations.spectral_norm(nn.Linear(4, 4)).eval(),
    "pruned": lambda: prune.l1_unstructured(nn.Linear(4, 4), "weight", amount=0.5),
    "pruned by rows": lambda: prune.ln_structured(nn.Linear(4, 4), "weight", 0.5, 2, 0),
    "symmetric": lambda: _parametrized(nn.Linear(4, 4), Symmetric()),
    "low rank": lambda: _parametrized(nn.Linear(4, 4), Residue()),
}


class Symmetric(nn.Module):
    def forward(self, W: Tensor) -> Tensor:
        return W.triu() + W.triu(1).mT


class Residue(nn.Module):
    """A parametrization with parameters of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.A, self.B = nn.Parameter(torch.randn(4, 1)), nn.Parameter(torch.randn(1, 4))

    def forward(self, W: Tensor) -> Tensor:
        return W + self.A @ self.B


def _parametrized(module: nn.Module, parametrization: nn.Module) -> nn.Module:
    parametrize.register_parametrization(module, "weight", parametrization)
    return module


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("derived", DERIVED)
@pytest.mark.parametrize("shape", [(4, 4), (4, 3, 4)], ids=str)
def test_weights_that_are_derived(derived: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    x = normal(*shape)
    for twice in (False, True):
        layer = DERIVED[derived]()
        model = nn.Sequential(nn.Linear(4, 4), layer, nn.Tanh(), layer if twice else nn.Linear(4, 2)).double()
        assert_model_agrees(model, lambda m: squares(m(x)))
        with parametrize.cached():
            assert_agrees(Engine(model), squares(model(x)))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("change", ["pruned", "normalised", "closure", "data", "another parameter"])
def test_a_layer_that_changes_once_the_engine_is_there(change: str) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(4, 4)
    engine = Engine(model)
    for _ in range(3):
        assert_agrees(engine, squares(model(x)))
    match change:
        case "pruned":
            prune.l1_unstructured(model[0], "weight", amount=0.5)
        case "normalised":
            parametrizations.weight_norm(model[0])
        case "closure":
            forward = model[0].forward
            model[0].forward = lambda x: 3 * forward(x) @ model[0].weight
        case "data":
            model[0].weight.data = normal(4, 4, seed=5)
        case _:
            model[0].weight = nn.Parameter(normal(4, 4, seed=6))
    for _ in range(3):
        assert_agrees(engine, squares(model(x)))


def test_data_written_between_forward_and_backward() -> None:
    """Autograd does not see it, and takes what is there at the time: so does the engine."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(4, 4)
    engine = Engine(model)
    for _ in range(3):
        losses = squares(model(x))
        model[2].weight.data.mul_(1.5)
        assert_agrees(engine, losses)


def test_a_copy_and_its_original_in_one_loss() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(4, 4)
    engine = Engine(model)
    assert_agrees(engine, squares(model(x)))
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin[0].weight.add_(1.0)
    assert_agrees(engine, squares(model(x) - twin(x)))
    assert_agrees(engine, squares(model(x) - twin(x).detach()))
    assert_agrees(Engine(twin), squares(model(x) - twin(x)))


def test_the_twin_of_a_model_learns_nothing() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 2).double()
    engine, twin = Engine(model), copy.deepcopy(model)
    losses = squares(model(normal(4, 4)) - twin(normal(4, 4, seed=2)))
    engine.backward(losses, "Mean")
    assert twin.weight.grad is None
    assert model.weight.grad is not None


def test_parts_that_are_frozen() -> None:
    torch.manual_seed(0)
    x = normal(4, 1, 4, 4)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.GroupNorm(1, 2), nn.Conv2d(2, 3, 2), nn.Flatten(), nn.Linear(12, 2)
    )
    model.double()
    names = [name for name, _ in model.named_parameters()]
    for left in names:
        for name, p in model.named_parameters():
            p.requires_grad_(name == left)
        assert_model_agrees(model, lambda m: squares(m(x)))


def test_parameters_without_entries() -> None:
    """A set of features that is switched off."""
    torch.manual_seed(0)
    model, x = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Linear(0, 2)}).double(), normal(4, 4)
    assert_model_agrees(model, lambda m: squares(m["a"](x) + m["b"](x[:, :0])))
    assert_model_agrees(model, lambda m: squares(m["b"](x[:, :0]) + 1))


def test_complex_parameters() -> None:
    """Right, or refused by name: autograd's gradients of complex numbers are conjugates."""
    torch.manual_seed(0)
    model, x = nn.Linear(3, 2).to(torch.complex128), normal(4, 3)
    losses = model(x.to(torch.complex128)).abs().square().sum(1)
    with pytest.raises(InputError, match=r"weight.*complex"):
        Engine(model).gramian(losses)


def test_chains_of_what_follows_from_parameters_alone() -> None:
    """Their signatures are numbers: as trees they would grow with every use of the one before."""
    torch.manual_seed(0)
    model = nn.ParameterDict({"w": torch.rand(3, 3, dtype=torch.float64)})

    def balanced(steps: int) -> Tensor:
        w = model["w"].exp()
        for _ in range(steps):
            w = w / w.sum(0, keepdim=True)
            w = w / w.sum(1, keepdim=True)
        return squares(normal(4, 3) @ w)

    for check in ("first", False):
        assert_agrees(Engine(model), balanced(60), check=check)
    scaled = model["w"]
    for _ in range(2000):
        scaled = scaled * 1.0001
    assert_agrees(Engine(model), squares(normal(4, 3) @ scaled))
