"""One engine, used with other batches, lengths, modes and structures in turn."""

import pytest
import torch
from torch import Tensor, nn

from jdbench.engine import Engine
from support.engine_agreement import assert_agrees, assert_rows, normal, squares


def test_batches_of_other_sizes() -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
    model = nn.Sequential(layer, nn.Linear(4, 2)).double()
    engine = Engine(model)
    for instances, length in [
        (4, 3),
        (3, 4),
        (4, 4),
        (2, 4),
        (4, 2),
        (1, 4),
        (8, 4),
        (5, 5),
        (3, 3),
        (2, 1),
        (4, 3),
    ]:
        assert_agrees(engine, squares(model(normal(instances, length, 4))))
        assert_agrees(engine, squares(model(normal(instances, length, 4))), check=False)


class Either(nn.Module):
    """Takes instances first or second, and flattens them away: the same operations."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x.flatten(0, 1)))).view(*x.shape[:2], 2)


@pytest.mark.parametrize("instances, length", [(4, 3), (3, 3), (4, 8)])  # noqa: PT006
@pytest.mark.parametrize("check", ["first", False])
def test_instances_first_and_second_in_turn(instances: int, length: int, check) -> None:
    """Nothing but the end of the graph tells where instances are."""
    torch.manual_seed(0)
    model, x = Either().double(), normal(instances, length, 3)
    engine = Engine(model)
    for first in (True, True, False, True, False, False, True, True, False):
        losses = squares(model(x)) if first else model(x.transpose(0, 1)).square().sum((0, 2))
        assert_agrees(engine, losses, check=check)


class Switched(nn.Module):
    """Another structure at every call."""

    def __init__(self) -> None:
        super().__init__()
        self.scale, self.dropout = nn.Parameter(torch.rand(4)), nn.Dropout(0.5)
        self.a, self.b, self.lstm = nn.Linear(4, 4), nn.Linear(4, 4), nn.LSTM(4, 4, batch_first=True)
        self.kind = 0

    def forward(self, x: Tensor) -> Tensor:
        x = self.dropout(x * self.scale)
        match self.kind:
            case 0:
                return self.a(x)
            case 1:
                return self.b(torch.relu(self.a(x)))
            case 2:
                return self.lstm(x)[0] + self.a(x)
            case 3:
                return self.a(self.a(x))
            case _:
                return self.b(x.transpose(1, 2) @ x) @ self.a.weight


def test_structures_in_turn() -> None:
    torch.manual_seed(0)
    model = Switched().double()
    engine = Engine(model)
    for kind in [0, 1, 2, 3, 4, 0, 0, 2, 1, 4, 4, 3, 2, 1, 0]:
        model.kind = kind
        model.train(kind % 2 == 0)
        assert_agrees(engine, squares(model(normal(3, 4, 4))))


def test_training_and_evaluation_in_turn() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.Dropout(0.3), nn.Flatten(), nn.Linear(8, 2)
    ).double()
    engine, x = Engine(model), normal(4, 1, 3, 3)
    for training in (False, True, False, False, True, False):
        model.train(training)
        model[1].eval()
        assert_agrees(engine, squares(model(x)))


def test_what_is_trained_changes_between_steps() -> None:
    torch.manual_seed(0)
    model, x = (
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 4), nn.Linear(4, 2)).double(),
        normal(4, 4),
    )
    engine = Engine(model)
    for frozen in ((), (0,), (0, 1), (1, 3), (2,), (), (0, 1, 2)):
        for number, layer in enumerate(model):
            layer.requires_grad_(number not in frozen)
        assert_agrees(engine, squares(model(x)))
    model.requires_grad_(True)
    model[2].bias.requires_grad_(False)
    assert_agrees(engine, squares(model(x)))


def test_what_is_trained_changes_between_forward_and_backward() -> None:
    """A parameter counts that is trained as the gradient is asked for and that the graph depends on."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(4, 4)
    engine = Engine(model)
    losses = squares(model(x))
    model[0].weight.requires_grad_(False)
    J = torch.cat([
        torch.stack([torch.autograd.grad(loss, p, retain_graph=True)[0].flatten() for loss in losses])
        for p in (model[0].bias, model[2].weight, model[2].bias)
    ], 1)  # fmt: skip
    assert_rows(engine.jacobian(losses), J)
    losses = squares(model(x))
    model[0].weight.requires_grad_(True)
    with_zeros = engine.jacobian(losses)
    assert not with_zeros[:, :16].any()
    assert_rows(with_zeros[:, 16:], J)


def test_losses_of_other_kinds_in_turn() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4)).double(), normal(4, 4)
    engine = Engine(model)
    for _ in range(3):
        assert_agrees(engine, model(x).square().sum(1))
        assert_agrees(engine, model(x).square())
        assert_agrees(engine, model(x)[:, :2].exp())
        assert_agrees(engine, model(x).square().mean(0), separable=False)


def test_parameters_that_come_and_go() -> None:
    """A head that is replaced, and one more layer."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)).double(), normal(4, 4)
    engine = Engine(model)
    assert_agrees(engine, squares(model(x)))
    model[1] = nn.Linear(4, 3).double()
    assert_agrees(engine, squares(model(x)))
    model.append(nn.Tanh()).append(nn.Linear(3, 3).double())
    assert_agrees(engine, squares(model(x)))
    assert_agrees(engine, squares(model(x)), check=False)


def test_an_engine_built_after_the_forward_pass() -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.LSTM(4, 3, batch_first=True)).double(), normal(4, 5, 4)
    losses = squares(model(x)[0])
    assert_agrees(Engine(model), losses)


def test_two_engines_on_one_model() -> None:
    """One on the whole, one on a part of it."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)).double(), normal(4, 4)
    whole, part = Engine(model), Engine(model[2])
    losses = squares(model(x))
    J = whole.jacobian(losses)
    assert_rows(part.jacobian(losses), J[:, 20:])
