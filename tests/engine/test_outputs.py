"""Modules with several outputs: ones that depend on each other, handed-through inputs, changes in place."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from support.engine_agreement import DOUBLE, Function, assert_model_agrees, normal, squares


class Unrolled(nn.Module):
    """A cell whose states go round: the cell state is an ancestor of the hidden one."""

    def __init__(self, cell: nn.Module, steps: int) -> None:
        super().__init__()
        self.cell, self.head, self.steps = cell, nn.Linear(4, 2), steps

    def forward(self, x: Tensor) -> Tensor:
        state = None
        for step in range(self.steps):
            state = self.cell(x * (step + 1), state)
        hidden = state[0] if isinstance(state, tuple) else state
        return self.head(hidden)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
@pytest.mark.parametrize("cell", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_cells_that_are_unrolled(cell: type[nn.Module], steps: int, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = normal(4, 3, dtype=dtype)
    assert_model_agrees(Unrolled(cell(3, 4), steps).to(dtype), lambda m: squares(m(x)), dtype=dtype)


class FeaturesAndLogits(nn.Module):
    """The second output is computed from the first."""

    def __init__(self) -> None:
        super().__init__()
        self.token, self.body, self.head = nn.Parameter(torch.randn(3)), nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.tanh(self.body(x + self.token))
        return features, self.head(features)


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_a_loss_on_features_and_on_logits(weight: float) -> None:
    torch.manual_seed(0)
    x, labels = normal(4, 3), torch.tensor([0, 1, 1, 0])

    def losses_of(model: nn.Module) -> Tensor:
        features, logits = model(x)
        return functional.cross_entropy(logits, labels, reduction="none") + weight * squares(features)

    assert_model_agrees(FeaturesAndLogits().double(), losses_of)


class Encoder(nn.Module):
    """Tokens, and what is pooled from them."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.positions, self.pool = nn.Parameter(torch.randn(length, 4)), nn.Linear(4, 4)
        self.layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        tokens = self.layer(x + self.positions)
        return {"tokens": tokens, "pooled": torch.tanh(self.pool(tokens[:, 0]))}


@pytest.mark.parametrize("length", [3, 4])
def test_a_task_on_each_output(length: int) -> None:
    torch.manual_seed(0)
    x = normal(4, length, 4)

    def losses_of(model: nn.Module) -> Tensor:
        out = model(x)
        return torch.stack([squares(out["tokens"]), out["pooled"].sum(1)], 1)

    assert_model_agrees(Encoder(length).double(), losses_of)


class Adapter(nn.Module):
    """Returns its very input while it is off."""

    def __init__(self, on: bool) -> None:
        super().__init__()
        self.scale, self.down, self.on = nn.Parameter(torch.ones(4)), nn.Linear(4, 4), on

    def forward(self, x: Tensor) -> Tensor:
        return x + self.scale * self.down(x) if self.on else x


class Skipped(nn.Module):
    def __init__(self, on: bool) -> None:
        super().__init__()
        self.before, self.adapter, self.after, self.skip = (
            nn.Linear(4, 4), Adapter(on), nn.Linear(4, 2), nn.Linear(4, 2),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return self.after(self.adapter(self.before(x))) + self.skip(x)


@pytest.mark.parametrize("on", [False, True])
@pytest.mark.parametrize("beside", [False, True], ids=["in a chain", "beside a skip connection"])
def test_an_input_that_is_handed_through(on: bool, beside: bool) -> None:
    torch.manual_seed(0)
    chain = nn.Sequential(nn.Linear(4, 4), Adapter(on), nn.Identity(), nn.Dropout(0.0), nn.Linear(4, 2))
    x = normal(4, 4)
    assert_model_agrees((Skipped(on) if beside else chain).double(), lambda m: squares(m(x)))


class AddNorm(nn.Module):
    """Returns a sum and its normalization; the sum may be the input itself."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4))

    def forward(self, x: Tensor, residual: Tensor | None = None) -> tuple[Tensor, Tensor]:
        residual = x if residual is None else x + residual
        return residual * torch.rsqrt(residual.square().mean(-1, keepdim=True) + 1e-6) * self.weight, residual


class PreNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.first, self.mix = nn.Linear(4, 4), AddNorm(), nn.Linear(4, 4)
        self.second, self.head = AddNorm(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        y, residual = self.first(self.embed(x))
        y, residual = self.second(torch.tanh(self.mix(y)), residual)
        return self.head(y) + residual[..., :2]


@pytest.mark.parametrize("length", [0, 3, 4])
def test_a_residual_that_goes_along(length: int) -> None:
    torch.manual_seed(0)
    x = normal(4, length, 4) if length else normal(4, 4)
    assert_model_agrees(PreNorm().double(), lambda m: squares(m(x)))


IN_PLACE: list[Callable[[nn.Module, Tensor], Tensor]] = [
    lambda inner, x: inner(x).relu_(),
    lambda inner, x: inner(x).add_(x),
    lambda inner, x: inner(x).mul_(2.0).add_(inner(x)),
    lambda inner, x: inner(x.clone().mul_(3.0)),
    lambda inner, x: inner(x).clone().index_fill_(1, torch.tensor([0]), 0.0),
    lambda inner, x: torch.zeros(len(x), 8, dtype=x.dtype).index_copy_(1, torch.arange(4), inner(x)),
]


@pytest.mark.parametrize("f", IN_PLACE, ids=["relu", "add", "twice", "input", "fill", "copy"])
def test_outputs_changed_in_place(f: Callable[[nn.Module, Tensor], Tensor]) -> None:
    torch.manual_seed(0)
    x = normal(4, 4)
    assert_model_agrees(Function(nn.Linear(4, 4).double(), f), lambda m: squares(m(x)))


def written(inner: nn.Module, x: Tensor) -> Tensor:
    out = x.new_zeros(len(x), 2, 4)
    out[:, 0] = inner(x)
    out[:, 1] = inner(out[:, 0] * x)
    return out


def test_an_output_that_is_written_slice_by_slice() -> None:
    torch.manual_seed(0)
    x = normal(4, 4)
    assert_model_agrees(Function(nn.Linear(4, 4).double(), written), lambda m: squares(m(x)))


@pytest.mark.parametrize("split", [
    lambda y: y.chunk(2, 1), lambda y: y.split([1, 3], 1),
    lambda y: y.unbind(1), lambda y: y.tensor_split(3, 1),
], ids=["chunk", "split", "unbind", "tensor_split"])  # fmt: skip
def test_outputs_that_are_views_of_one(split: Callable[[Tensor], tuple[Tensor, ...]]) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).double(), normal(4, 4)

    def losses_of(model: nn.Module) -> Tensor:
        first, *_, last = split(model[0](x))
        return squares(model[1](functional.pad(first.reshape(4, -1), (0, 4))[:, :4])) + last.reshape(4, -1).sum(
            1
        )

    assert_model_agrees(model, losses_of)


def test_outputs_of_which_one_is_not_used() -> None:
    torch.manual_seed(0)
    x = normal(4, 5, 3)
    for number in (0, 1):
        model = nn.LSTM(3, 4, batch_first=True).double()
        assert_model_agrees(
            model, lambda m, n=number: squares(m(x)[0] if n == 0 else m(x)[1][1].transpose(0, 1))
        )
