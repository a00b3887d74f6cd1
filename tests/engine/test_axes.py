"""Instances along any axis, in any order: first, flattened, in turns, sorted, one by one; B = 1, 2, T."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from jdbench.engine import Check, Engine
from support.engine_agreement import (
    DOUBLE,
    Function,
    assert_agrees,
    assert_model_agrees,
    jacobian,
    normal,
    squares,
)

B = 4


class Attending(nn.Module):
    """Attention with a mask that has no instances, ``[T, T]``, and a scale of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.query, self.key, self.value = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (self.query(x * self.scale) @ self.key(x).mT + mask).softmax(-1) @ self.value(x)


@pytest.mark.parametrize("length", [1, 3, B, 5, 2 * B])
def test_a_mask_without_instances(length: int) -> None:
    torch.manual_seed(0)
    x, mask = normal(B, length, 4), torch.full((length, length), -1e9, dtype=DOUBLE).triu(1)
    assert_model_agrees(Attending().double(), lambda m: squares(m(x, mask)))


class Distances(nn.Module):
    """Distances from anchors, which have no instances."""

    def __init__(self) -> None:
        super().__init__()
        self.metric = nn.Parameter(torch.rand(3))

    def forward(self, x: Tensor, anchors: Tensor) -> Tensor:
        return ((x[:, None] - anchors) * self.metric).square().sum(-1)


@pytest.mark.parametrize("anchors", [1, 3, B, 2 * B])
def test_a_table_as_long_as_the_batch(anchors: int) -> None:
    x, table = normal(B, 3), normal(anchors, 3, seed=2)
    assert_model_agrees(Distances().double(), lambda m: squares(m(x, table)))


@pytest.mark.parametrize("rows", [3, B, 2 * B])
def test_a_matrix_of_parameters_as_long_as_the_batch(rows: int) -> None:
    """A table looked up by its positions, codebooks, prototypes, queries of a detector."""
    torch.manual_seed(0)
    table, x = nn.Embedding(rows, 3).double(), normal(B, 3)
    for f in (
        lambda inner, x: (x[:, None] + inner(torch.arange(rows))).square(),
        lambda inner, x: torch.cdist(x[:, None], inner.weight[None].expand(len(x), -1, -1)),
        lambda inner, x: x @ inner.weight.mT,
        lambda inner, x: (x @ inner.weight.mT).softmax(-1) @ inner.weight,
        lambda inner, x: inner.weight[None] * x[:, None].exp(),
    ):
        assert_model_agrees(Function(table, f), lambda m: squares(m(x)))


def test_a_table_that_goes_with_the_instances_one_by_one() -> None:
    """Row b of the table goes with instance b, as a table of users does where each is in the batch once."""
    torch.manual_seed(0)
    x = normal(5, 5, 3)
    model = Function(nn.Embedding(5, 3).double(), lambda inner, x: (x * inner(torch.arange(5))).square())
    assert_model_agrees(model, lambda m: squares(m(x)))
    model = Function(nn.Embedding(5, 3).double(), lambda inner, x: (x[:, 0] * inner(torch.arange(5))).square())
    assert_model_agrees(model, lambda m: squares(m(x)))
    model = Function(nn.Embedding(5, 3).double(), lambda inner, x: (x[:, 0] * inner.weight).square())
    assert_model_agrees(model, lambda m: squares(m(x)))


class TimeFirst(nn.Module):
    """Sequences first, instances second."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.rnn, self.b = nn.Linear(3, 4), nn.GRU(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.rnn(torch.tanh(self.a(x)))[0])


@pytest.mark.parametrize("instances", [1, 2, 3, 7])
@pytest.mark.parametrize("length", [1, 2, 3, 6])
def test_sequences_first(length: int, instances: int) -> None:
    torch.manual_seed(0)
    x = normal(length, instances, 3)
    assert_model_agrees(TimeFirst().double(), lambda m: m(x).square().sum((0, 2)))


@pytest.mark.parametrize("seed", range(15))
def test_two_instances_in_turns(seed: int) -> None:
    """Where instances are few, no chance may make one look like another."""
    torch.manual_seed(0)
    model, x = nn.GRU(3, 4).double(), normal(5, 2, 3)
    for k in range(4):
        engine = Engine(model)
        engine._known.generator.manual_seed(4 * seed + k)
        assert_agrees(engine, model(x)[0].square().sum((0, 2)), check=False)


class Pooled(nn.Module):
    """A layer on all positions of all instances at once."""

    def __init__(self, there: Callable[[Tensor], Tensor], back: Callable[[Tensor, int], Tensor]) -> None:
        super().__init__()
        self.a, self.b, self.there, self.back = nn.Linear(3, 4), nn.Linear(4, 2), there, back

    def forward(self, x: Tensor) -> Tensor:
        return self.back(self.b(torch.tanh(self.a(self.there(x)))), len(x))


FLATTENED: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor, int], Tensor]]] = {
    "blocks": (lambda x: x.flatten(0, 1), lambda y, n: y.view(n, -1)),
    "turns": (lambda x: x.transpose(0, 1).flatten(0, 1), lambda y, n: y.view(-1, n, 2).transpose(0, 1)),
    "turns of blocks": (
        lambda x: x.unflatten(1, (-1, 2)).transpose(0, 1).flatten(0, 2),
        lambda y, n: y.view(-1, n, 2, 2).transpose(0, 1),
    ),
    "backwards": (lambda x: x.flatten(0, 1).flip(0), lambda y, n: y.flip(0).view(n, -1)),
    "last": (lambda x: x.permute(1, 0, 2), lambda y, _: y.permute(1, 0, 2)),
    "one by one": (lambda x: torch.stack(list(x.flip(0))), lambda y, _: torch.stack(list(y.flip(0)))),
}


@pytest.mark.parametrize("length", [2, B, 6])
@pytest.mark.parametrize("order", FLATTENED)
def test_positions_of_all_instances_at_once(order: str, length: int) -> None:
    torch.manual_seed(0)
    x = normal(B, length, 3)
    assert_model_agrees(Pooled(*FLATTENED[order]).double(), lambda m: squares(m(x)))


def test_a_layer_called_instance_by_instance() -> None:
    torch.manual_seed(0)
    for size in (3, B):
        model, x = nn.Linear(size, size).double(), normal(B, size)
        assert_model_agrees(model, lambda m, x=x: squares(torch.stack([m(row) for row in x])))
        assert_model_agrees(model, lambda m, x=x: torch.stack([m(row).square().sum() for row in x]))
        assert_model_agrees(model, lambda m, x=x: squares(torch.cat([m(row[None]) for row in x])))


@pytest.mark.parametrize("experts", [2, 3])
def test_tokens_that_go_to_experts(experts: int) -> None:
    torch.manual_seed(0)
    x, chosen = normal(B, 5, 3), torch.randint(0, experts, (B, 5))
    model = nn.ModuleList(nn.Linear(3, 2) for _ in range(experts)).double()

    def losses_of(model: nn.Module) -> Tensor:
        out = x.new_zeros(B, 5, 2)
        for number, expert in enumerate(model):
            out[chosen == number] = expert(x[chosen == number])
        return squares(out)

    assert_model_agrees(model, losses_of)


def test_instances_that_are_sorted_or_chosen() -> None:
    torch.manual_seed(0)
    x, order = normal(B, 3), torch.tensor([2, 0, 3, 1])
    for f in (
        lambda inner, x: inner(x[order])[order.argsort()],
        lambda inner, x: inner(x)[order],
        lambda inner, x: torch.cat([inner(x[:1]), inner(x[1:])]),
        lambda inner, x: torch.cat([inner(x[1:]), inner(x[:1])]).roll(1, 0),
        lambda inner, x: (
            inner(x) * inner(x).flip(0)
        ),  # each loss depends on two instances, each call on one loss
    ):
        assert_model_agrees(Function(nn.Linear(3, 3).double(), f), lambda m: squares(m(x)))


@pytest.mark.parametrize("instances", [1, 2, 3])
@pytest.mark.parametrize("tasks", [0, 1, 2, 3])
def test_few_instances_and_tasks(instances: int, tasks: int) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(2, 3, 2), nn.Flatten(), nn.Linear(6, max(1, tasks)), nn.Tanh()).double()
    x = normal(instances, 2, 3)
    assert_model_agrees(model, lambda m: m(x) if tasks else m(x).squeeze(1))


def test_instances_without_a_gradient() -> None:
    """Losses that are clipped, masked or zero."""
    torch.manual_seed(0)
    x, series = normal(6, 3), normal(5, 6, 3)
    for kept in ([0], [5], [0, 1], [1, 4], [0, 1, 2, 3, 4]):
        mask = torch.zeros(6, dtype=DOUBLE)
        mask[kept] = 1
        model = nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 2)).double()
        assert_model_agrees(model, lambda m, mask=mask: squares(m(x)) * mask)
        model = TimeFirst().double()
        assert_model_agrees(model, lambda m, mask=mask: m(series).square().sum((0, 2)) * mask)


@pytest.mark.parametrize("check", ["first", False])
def test_one_instance_that_has_diverged_among_places_in_any_order(check: Check) -> None:
    """What is no number is what autograd has none for: it multiplies by zero, and zero times NaN is NaN."""
    torch.manual_seed(0)
    model, tokens = nn.Linear(3, 2).double(), normal(8, 3)
    owner = torch.tensor([2, 0, 1, 0, 3, 3, 2, 1])
    scale = torch.tensor([1.0, 1.0, float("nan"), 1.0], dtype=DOUBLE)
    losses = squares(torch.zeros(4, 2, dtype=DOUBLE).index_add(0, owner, model(tokens))) * scale
    rows, J = Engine(model).jacobian(losses, check=check), jacobian(losses, model)
    assert J.isnan().any()
    assert torch.equal(rows.isnan(), J.isnan())
