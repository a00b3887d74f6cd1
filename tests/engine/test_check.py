"""The comparison with an ordinary backward pass: every planted fault is found, at the uses that are checked."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from jdbench.engine import Engine, separable
from jdbench.engine.layout_search import distinct_weights
from jdbench.engine.parts import Part, Rows, Target
from jdbench.errors import InputError
from jdbench.shapes import Gramian
from support.engine_agreement import DOUBLE, Drawn, assert_agrees, gradient, normal, squares

Fault = Callable[[dict[Target, Tensor], list[Parameter]], None]


class Small(nn.Module):
    """Three layers; the gradient of the bias of the last is 10⁻⁹ of the others."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.small = nn.Linear(4, 4), nn.Linear(4, 2), nn.Parameter(torch.zeros(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.b(torch.tanh(self.a(x))) + 1e-9 * self.small


def case() -> tuple[Small, Tensor]:
    torch.manual_seed(0)
    return Small().double(), normal(4, 4)


def plant(monkeypatch: pytest.MonkeyPatch, fault: Fault, *, uses: set[int] | None = None) -> None:
    """Put a fault into what the engine finds, at some uses or all; a repeated attempt is the same use."""
    original, seen = separable.instance_parts, []

    def planted(losses: Tensor, graph, trained, **options) -> list[Part]:
        if not any(losses is known for known in seen):
            seen.append(losses)
        parts = original(losses, graph, trained, **options)
        rows = {p: r.clone() for part in parts for p, r in zip(part.parameters, part.rows(), strict=True)}
        if uses is None or len(seen) in uses:
            fault(rows, list(trained))
        return [Rows(rows)]

    monkeypatch.setattr(separable, "instance_parts", planted)


def a_thousandth(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    rows[trained[-1]][1] *= 1.001


def another_sign(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    rows[trained[1]].neg_()


def signs_of_instances(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    for p in trained:
        rows[p][2].neg_()


def instances_swapped(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    for p in trained:
        rows[p] = rows[p][[1, 0, *range(2, len(rows[p]))]]


def instances_shifted(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    rows[trained[1]] = rows[trained[1]].roll(1, 0)


def entries_swapped(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    """G stays as it is."""
    rows[trained[1]] = rows[trained[1]].flip(1)


def the_small_one_lost(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    rows.pop(next(p for p in trained if p.shape == (2,) and float(rows[p].abs().max()) < 1e-6))


def the_small_one_negated(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    rows[next(p for p in trained if p.shape == (2,) and float(rows[p].abs().max()) < 1e-6)].neg_()


def not_a_number(rows: dict[Target, Tensor], trained: list[Parameter]) -> None:
    rows[trained[1]][0] = torch.nan


FAULTS: list[Fault] = [
    a_thousandth, another_sign, signs_of_instances, instances_swapped, instances_shifted, entries_swapped,
    the_small_one_lost, the_small_one_negated, not_a_number,
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("check", ["first", True])
def test_faults_are_found_and_named(monkeypatch: pytest.MonkeyPatch, fault: Fault, check) -> None:
    model, x = case()
    plant(monkeypatch, fault)
    with pytest.raises(InputError, match=r"(parameter='\w|G, required).*separable=False"):
        Engine(model).gramian(squares(model(x)), check=check)
    Engine(model).gramian(squares(model(x)), check=False)  # which promises nothing


def test_the_parameter_that_differs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = case()
    plant(monkeypatch, the_small_one_lost)
    with pytest.raises(InputError, match="parameter='small', required the gradient of an ordinary"):
        Engine(model).gramian(squares(model(x)))


@pytest.mark.parametrize("use", range(1, 10))
def test_uses_that_are_checked(monkeypatch: pytest.MonkeyPatch, use: int) -> None:
    """1, 2, 4, 8 of a structure by default; each with ``check=True``."""
    model, x = case()
    plant(monkeypatch, instances_swapped, uses={use})
    engine = Engine(model)
    for _ in range(use - 1):
        engine.gramian(squares(model(x)))
    losses = squares(model(x))
    if use in {1, 2, 4, 8}:
        with pytest.raises(InputError, match="parameter="):
            engine.gramian(losses)
    else:
        engine.gramian(losses)
        with pytest.raises(InputError, match="parameter="):
            engine.gramian(losses, check=True)


def test_a_new_structure_is_checked_whatever_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = case()
    for change in ("rank", "training", "frozen", "tasks", "dtype", "twice"):
        with monkeypatch.context() as patch:
            plant(patch, instances_swapped, uses={4})
            engine = Engine(model.double().train().requires_grad_(True))
            for _ in range(3):
                engine.gramian(squares(model(x)))
            match change:
                case "rank":
                    losses = squares(model(normal(4, 3, 4)))
                case "training":
                    losses = squares(model.eval()(x))
                case "frozen":
                    model.a.weight.requires_grad_(False)
                    losses = squares(model(x))
                case "tasks":
                    losses = model(x).square()
                case "dtype":
                    losses = squares(model.float()(x.float()))
                case _:
                    losses = squares(model(x)) + squares(model(x + 1))
            with pytest.raises(InputError, match="parameter="):
                engine.gramian(losses)


class WrongGramian(Part):
    """The rows are right, and their Gramian has two entries too large by a thousandth."""

    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def parameters(self) -> tuple[Target, ...]:
        return self._part.parameters

    def gramian(self) -> Gramian:
        G = self._part.gramian()
        G[0, 1] *= 1.001
        G[1, 0] *= 1.001
        return G

    def gradient(self, w: Tensor) -> list[Tensor]:
        return self._part.gradient(w)

    def rows(self) -> list[Tensor]:
        return self._part.rows()

    def bounds(self) -> list[Tensor]:
        return self._part.bounds()


def test_a_gramian_that_is_not_that_of_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = case()
    original = separable.instance_parts
    monkeypatch.setattr(
        separable, "instance_parts", lambda *a, **k: [WrongGramian(part) for part in original(*a, **k)]
    )
    with pytest.raises(InputError, match="G, required wᵀGw"):
        Engine(model).gramian(squares(model(x)))


def test_weights_that_tell_instances_apart() -> None:
    """Powers of two, which round nothing, with both signs, and no two instances of a few alike."""
    generator = torch.Generator().manual_seed(0)
    for size in (2, 3, 7, 14):
        w = distinct_weights(torch.Size([size]), generator)
        assert torch.equal(torch.frexp(w.abs()).mantissa, torch.full((size,), 0.5, dtype=DOUBLE))
        assert len(w.unique()) == size
    many = distinct_weights(torch.Size([1000]), generator)
    assert len(many.unique()) == 14
    assert 300 < int((many > 0).sum()) < 700
    assert not torch.equal(many, distinct_weights(torch.Size([1000]), generator))


def test_a_check_costs_the_values_nothing() -> None:
    """The same numbers, the graph used up or kept as without it."""
    model, x = case()
    found: list[Tensor] = []
    for check in (True, False, "first"):
        model.zero_grad()
        engine, losses = Engine(model), squares(model(x))
        w = engine.backward(losses, Drawn(), check=check)
        found.append(torch.cat([w, gradient(model)]))
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1.0, 1e12, 1e30])
def test_losses_of_any_size_pass(scale: float) -> None:
    model, x = case()
    assert_agrees(Engine(model), scale * squares(model(x)), check=True)


def test_losses_of_very_different_sizes_pass() -> None:
    model, x = case()
    scales = torch.tensor([1e-12, 1.0, 1e-6, 1e6], dtype=DOUBLE)
    assert_agrees(Engine(model), scales * squares(model(x)), check=True)


@pytest.mark.parametrize("dtype", [torch.float32, DOUBLE], ids=str)
def test_gradients_that_cancel_pass(dtype: torch.dtype) -> None:
    """What is zero but for rounding differs from pass to pass: a bias before a normalization, a key's bias."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 6, 0.0, batch_first=True)
    model, x = (
        nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), layer, nn.LayerNorm(4), nn.Linear(4, 2)).to(dtype),
        None,
    )
    x = normal(4, 5, 4, dtype=dtype)
    engine = Engine(model)
    for _ in range(3):
        engine.backward(squares(model(x)), "Mean", check=True)


@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_losses_that_have_diverged_are_no_fault_of_the_engine(value: float) -> None:
    """As in any backward pass, what is no number comes out as it is."""
    model, x = case()
    x[1, 0] = value
    engine = Engine(model)
    G = engine.gramian(squares(model(x)))
    assert not G[1].isfinite().any()
    assert_agrees(engine, squares(model(normal(4, 4, seed=3))))
