"""What was learnt is recalled only where it holds: places, pieces and sizes that change from use to use."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from jdbench.engine import Engine, separable
from support.engine_agreement import DOUBLE, assert_agrees, normal, squares

USES = 3
"""Uses that are the same, so that the next one is not checked."""


def agrees_in_turn(model: nn.Module, uses: list[Callable[[], Tensor]]) -> None:
    """One engine agrees at every use, checked and not."""
    for check in ("first", False):
        engine = Engine(model)
        for losses_of in uses:
            assert_agrees(engine, losses_of(), check=check)


@pytest.fixture
def separations(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How often instances were told apart anew."""
    counted: list[int] = []

    def counting(*arguments: object) -> object:
        counted.append(1)
        return separate(*arguments)

    separate = separable.find_layouts
    monkeypatch.setattr(separable, "find_layouts", counting)
    return counted


@pytest.mark.parametrize("sizes", [[(2, 3), (3, 2)], [(1, 3), (2, 3)], [(2, 1), (2, 2)]], ids=str)
def test_instances_between_two_other_axes(sizes: list[tuple[int, int]]) -> None:
    """[p, B, q, n], flattened by the layer: how many of each there are does not follow from their product."""
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    first, other = (
        (lambda x=x: model(x).square().sum((0, 2, 3))) for x in [normal(p, 4, q, 3) for p, q in sizes]
    )
    agrees_in_turn(model, [first] * USES + [other, first])


def pooled(model: nn.Module, counts: list[int]) -> Tensor:
    """Graphs of several nodes, which a sum puts together (as message passing does)."""
    graph = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    nodes = model(normal(sum(counts), 3))
    return squares(torch.zeros(len(counts), 2, dtype=DOUBLE).index_add(0, graph, nodes))


def unpadded(model: nn.Module, counts: list[int]) -> Tensor:
    """Sequences of several lengths without their padding, chosen by a mask."""
    mask = torch.arange(max(counts)) < torch.tensor(counts).unsqueeze(1)
    x = normal(len(counts), max(counts), 3)
    return (
        torch
        .zeros(*mask.shape, 2, dtype=DOUBLE)
        .masked_scatter(mask.unsqueeze(2), model(x[mask]))
        .square()
        .sum((1, 2))
    )


def of_each(counts: list[int]) -> Tensor:
    """Which graph a node belongs to, ``[graphs, nodes]``."""
    graph = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return functional.one_hot(graph, len(counts)).to(DOUBLE).mT.contiguous()


def multiplied(model: nn.Module, counts: list[int]) -> Tensor:
    return (of_each(counts) @ model(normal(sum(counts), 3)).square()).sum(1)


def multiplied_sparsely(model: nn.Module, counts: list[int]) -> Tensor:
    return torch.sparse.mm(of_each(counts).to_sparse(), model(normal(sum(counts), 3)).square()).sum(1)


def masked(model: nn.Module, counts: list[int]) -> Tensor:
    nodes = model(normal(sum(counts), 3)).square().sum(1)
    return torch.stack([torch.where(mine > 0, nodes, 0.0).sum() for mine in of_each(counts)])


def between_pointers(model: nn.Module, counts: list[int]) -> Tensor:
    nodes = model(normal(sum(counts), 3)).square().sum(1)
    up_to = torch.cat([nodes.new_zeros(1), nodes.cumsum(0)])
    ends = torch.tensor(counts).cumsum(0)
    return up_to[ends] - up_to[ends - torch.tensor(counts)]


def reduced(model: nn.Module, counts: list[int]) -> Tensor:
    nodes = model(normal(sum(counts), 3)).square().sum(1)
    return torch.segment_reduce(nodes, "sum", lengths=torch.tensor(counts))


def as_wide_as_the_batch(model: nn.Module, counts: list[int]) -> Tensor:
    """Features as many as graphs, cut, joined and divided into heads: no axis of theirs counts instances."""
    nodes = torch.cat([model(normal(sum(counts), 3)), model(normal(sum(counts), 3))], 1)  # [N, 4]
    nodes = torch.cat([nodes[:, :2], nodes.view(-1, 2, 2).softmax(-1).flatten(1)], 1)
    return (of_each(counts) @ nodes.square()).sum(1)


@pytest.mark.parametrize(
    "gather",
    [
        pooled, unpadded, multiplied, multiplied_sparsely, masked, between_pointers, reduced,
        as_wide_as_the_batch,
    ],
)  # fmt: skip
def test_places_that_data_tell(gather: Callable[[nn.Module, list[int]], Tensor]) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    same, other = (lambda: gather(model, [3, 3, 3, 3])), (lambda: gather(model, [2, 4, 1, 5]))
    agrees_in_turn(model, [same] * USES + [other])


@pytest.mark.parametrize("how", ["indexed", "selected", "rolled", "taken"])
def test_permutations_that_change(how: str) -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 4).double(), nn.Linear(4, 2).double()
    model = nn.Sequential(first, second)

    def losses_of(order: Tensor) -> Tensor:
        h = torch.tanh(first(normal(5, 3)))
        if how == "rolled":
            return squares(second(h.roll(int(order[0]), 0)).roll(-int(order[0]), 0))
        pick = {
            "indexed": lambda t, i: t[i],
            "selected": lambda t, i: t.index_select(0, i),
            "taken": lambda t, i: t.take_along_dim(i.unsqueeze(1), 0),
        }[how]
        return squares(pick(second(pick(h, order)), order.argsort()))

    orders = [torch.arange(5)] * USES + [torch.tensor([2, 0, 1, 4, 3]), torch.tensor([1, 2, 3, 4, 0])]
    agrees_in_turn(model, [lambda order=order: losses_of(order) for order in orders])


def test_tokens_in_an_order_that_changes() -> None:
    """Places of [B·T] are picked as those of [B] are."""
    torch.manual_seed(0)
    first, second = nn.Linear(3, 4).double(), nn.Linear(4, 2).double()

    def losses_of(order: Tensor) -> Tensor:
        h = torch.tanh(first(normal(4, 3, 3))).flatten(0, 1)[order]
        return second(h)[order.argsort()].view(4, 3, 2).square().sum((1, 2))

    orders = [torch.arange(12)] * USES + [torch.randperm(12), torch.randperm(12)]
    agrees_in_turn(nn.Sequential(first, second), [lambda order=order: losses_of(order) for order in orders])


def test_pieces_that_change() -> None:
    """Pairs lie in halves of a batch at some uses, beside each other at others."""
    torch.manual_seed(0)
    model, B = nn.Linear(3, 2).double(), 4

    def halves() -> Tensor:
        h = model(normal(2 * B, 3))
        return (h[:B] * h[B:]).square().sum(1)

    def beside() -> Tensor:
        h = model(normal(2 * B, 3))
        return (h[0::2] * h[1::2]).square().sum(1)

    agrees_in_turn(model, [halves] * USES + [beside, halves, beside])


def by_selecting(h: Tensor, order: list[int]) -> list[Tensor]:
    return [h[i] for i in order]


def by_unbinding(h: Tensor, order: list[int]) -> list[Tensor]:
    rows = h.unbind(0)
    return [rows[i] for i in order]


def by_splitting(h: Tensor, order: list[int]) -> list[Tensor]:
    rows = h.split(1)
    return [rows[i] for i in order]


@pytest.mark.parametrize("rows", [by_selecting, by_unbinding, by_splitting])
def test_loops_over_instances_in_another_order(rows: Callable[[Tensor, list[int]], list[Tensor]]) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()

    def losses_of(order: list[int]) -> Tensor:
        return torch.stack([row.square().sum() for row in rows(model(normal(4, 3)), order)])

    same, other = (lambda: losses_of([0, 1, 2, 3])), (lambda: losses_of([3, 1, 2, 0]))
    agrees_in_turn(model, [same] * USES + [other, same])


def in_the_middle(model: nn.Module, use: int) -> Tensor:
    p, q = [(2, 3), (3, 2), (4, 5)][use % 3]
    return model(normal(p, 4, q, 3)).square().sum((0, 2, 3))


def in_halves(model: nn.Module, use: int) -> Tensor:
    B = 4 + use % 3
    first, second = model(normal(2 * B, 3)).chunk(2)
    return (first * second).sum(1)


def in_pieces(model: nn.Module, use: int) -> Tensor:  # noqa: ARG001
    return torch.stack([piece.square().sum() for piece in model(normal(12, 3)).chunk(4)])


def stacked(model: nn.Module, use: int) -> Tensor:
    return torch.stack([model(normal(4, 3)) for _ in range(5 + use % 4)], 1).square().sum((1, 2))


def normalized(model: nn.Module, use: int) -> Tensor:
    """The normalization has three outputs; one batch has as many instances."""
    return squares(functional.group_norm(model(normal(3 + 2 * (use % 2), 3)).square(), 1))


@pytest.mark.parametrize("losses_of", [in_the_middle, in_halves, in_pieces, stacked, normalized])
def test_sizes_that_the_graph_explains_are_recalled(
    losses_of: Callable[[nn.Module, int], Tensor], separations: list[int]
) -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2).double()
    engine = Engine(model)
    for use in range(12):
        assert_agrees(engine, losses_of(model, use), check=False)
    assert len(separations) <= 3


@pytest.mark.parametrize("masked", ["last", "first"])
def test_a_step_whose_gradient_is_zero_is_no_reason_to_begin_again(masked: str, separations: list[int]) -> None:
    torch.manual_seed(0)
    cell, out = nn.RNNCell(3, 4).double(), nn.Linear(4, 1).double()
    model, engine = nn.ModuleList([cell, out]), None
    engine = Engine(model)
    keep = torch.ones(6, dtype=DOUBLE)
    keep[-1 if masked == "last" else 0] = 0.0
    for use in range(10):
        x, h, total = normal(6, 5, 3), torch.zeros(5, 4, dtype=DOUBLE), []
        for step in x:
            h = cell(step, h)
            total.append(out(h).squeeze(1))
        if use == 8:  # the masked step has a gradient now
            keep = torch.ones(6, dtype=DOUBLE)
        assert_agrees(engine, (torch.stack(total, 1) * keep).square().sum(1), check=False)
    assert len(separations) <= 3


def test_one_engine_forgets_structures_that_were_not_met_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jdbench.engine.known_graphs.STRUCTURES", 2)
    model = nn.Linear(3, 2).double()
    engine = Engine(model)
    uses = [lambda y: y.square(), lambda y: y.sin(), lambda y: y.exp(), lambda y: y.cos()]
    for f in uses * 2:
        assert_agrees(engine, f(model(normal(4, 3))).sum(1))
        assert len(engine._known._structures) <= 2


class Keeping(torch.autograd.Function):
    """3w, from a function that keeps its argument under a name that leaves use."""

    @staticmethod
    def forward(ctx, w: Tensor) -> Tensor:
        ctx.variable = w
        return 3 * w

    @staticmethod
    def backward(ctx, g: Tensor) -> Tensor:  # noqa: ARG004
        return 3 * g


LOOKALIKES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "a normalised parameter": lambda p, v: functional.layer_norm(p, (4,), v),
    "look-ups scaled by their frequency": lambda p, v: functional.embedding(  # noqa: ARG005
        torch.tensor([[0, 1, 1], [1, 1, 2], [0, 0, 3], [2, 1, 0]]), p, scale_grad_by_freq=True
    ).square().sum((1, 2)),
    "a function that keeps its argument": lambda p, v: squares(normal(4, 4) @ Keeping.apply(p) * v),
}  # fmt: skip


@pytest.mark.parametrize("name", LOOKALIKES)
def test_operations_that_look_like_those_with_a_closed_form(name: str) -> None:
    torch.manual_seed(0)
    model = nn.ParameterDict({"p": torch.randn(4, 4, dtype=DOUBLE), "v": torch.rand(4, dtype=DOUBLE)})
    for check in ("first", False):
        assert_agrees(Engine(model), LOOKALIKES[name](model["p"], model["v"]), check=check)
