"""What `Engine.backward` takes: specs, anything with weights, callables of J, TorchJD's; losses in a row."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jdbench.aggregator import resolve
from jdbench.aggregators import CAGrad, GradDrop, UPGrad
from jdbench.engine import Engine
from jdbench.errors import InputError, NonFiniteError
from jdbench.rounding import gamma
from support.engine_agreement import DOUBLE, assert_combined, gradient, jacobian


def case(instances: int = 4) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    return model, torch.randn(instances, 6, dtype=DOUBLE)


def losses_of(model: nn.Module, x: Tensor) -> Tensor:
    return model(x).square().sum(1)


def backward(aggregator: Any) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return J, what `backward` puts in ``.grad``, and the weights it returns."""
    model, x = case()
    losses = losses_of(model, x)
    J = jacobian(losses, model)
    w = Engine(model).backward(losses, aggregator, generator=torch.Generator().manual_seed(0))
    return J, gradient(model), w


def room(J: Tensor) -> Tensor:
    return gamma(1000 * J.shape[1]) * J.norm(dim=1).sum()


@pytest.mark.parametrize("spec, aggregator", [("UPGrad", UPGrad()), ("CAGrad(c=0.4)", CAGrad(c=0.4))])  # noqa: PT006
def test_a_spec_is_the_aggregator_that_it_names(spec: str, aggregator: Any) -> None:
    J, found, w = backward(spec)
    _, expected, weights = backward(aggregator)
    assert w is not None
    assert weights is not None
    assert torch.equal(found, expected)
    assert torch.equal(w, weights)
    assert (found - aggregator(J)).norm() <= room(J)


@pytest.mark.parametrize(
    "call", [lambda J: J.sum(0), lambda J: -2 * J[1], GradDrop()], ids=["sum", "row", "draws"]
)
def test_a_callable_of_j_gives_the_direction(call: Callable[..., Tensor]) -> None:
    J, found, w = backward(call)
    seeded = {"generator": torch.Generator().manual_seed(0)} if isinstance(call, GradDrop) else {}
    assert w is None
    assert (found - call(J, **seeded)).norm() <= room(J)


@pytest.mark.parametrize("name", ["UPGrad", "MGDA", "Mean", "ConFIG", "TrimmedMean(trim_number=1)"])
def test_aggregators_of_torchjd(name: str) -> None:
    """Those that need G alone get it, the others J: bit for bit what the engine says."""
    pytest.importorskip("torchjd.aggregation")
    theirs = resolve(f"torchjd.aggregation:{name}").aggregator
    model, x = case()
    engine, losses = Engine(model), losses_of(model, x)
    G, J = engine.gramian(losses), engine.jacobian(losses)
    w = engine.backward(losses, theirs)
    if hasattr(theirs, "gramian_weighting"):
        assert w is not None
        assert torch.equal(w, theirs.gramian_weighting(G))
        assert_combined(gradient(model), J, w)
    else:
        assert w is None
        assert torch.equal(gradient(model), theirs(J))


@pytest.mark.parametrize("name", ["UPGradWeighting", "MeanWeighting", "SumWeighting"])
def test_weightings_of_torchjd(name: str) -> None:
    peers = pytest.importorskip("torchjd.aggregation")
    weighting = getattr(peers, name)()
    model, x = case()
    engine, losses = Engine(model), losses_of(model, x)
    G, J = engine.gramian(losses), engine.jacobian(losses)
    w = engine.backward(losses, weighting)
    assert w is not None
    assert torch.equal(w, weighting(G if isinstance(weighting, peers.UPGradWeighting) else J))
    assert_combined(gradient(model), J, w)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (3, "aggregator=3, required an aggregator"),
        (None, "aggregator=None, required"),
        ("NoSuch", "NoSuch"),
        (lambda J: J, r"required a tensor of shape"),
        (lambda J: J[:, 0], r"required a tensor of shape"),
    ],
    ids=["number", "None", "unknown", "matrix", "column"],
)
def test_what_is_no_aggregator(wrong: object, match: str) -> None:
    model, x = case()
    with pytest.raises(InputError, match=match):
        Engine(model).backward(losses_of(model, x), wrong)
    assert all(p.grad is None for p in model.parameters())


def test_losses_in_a_sequence() -> None:
    """Numbers are instances, tensors [B] are tasks, and with separable=False anything is a row."""
    model, x = case()
    engine = Engine(model)
    G = engine.gramian(losses_of(model, x))
    one_by_one = engine.gramian([losses_of(model, row[None]).squeeze() for row in x])
    assert (one_by_one - G).norm() <= gamma(1000) * G.norm()
    outputs = model(x).square()
    assert torch.equal(engine.gramian(list(outputs.T)), engine.gramian(outputs))
    two = (outputs.mean(), outputs.sum(1).amax())
    J = jacobian(torch.stack(two), model)
    found = engine.gramian(two, separable=False)
    assert (found - J @ J.mT).norm() <= gamma(1000) * found.norm()


@pytest.mark.parametrize("shapes", [[], [(2,), (3,)], [(2,), ()]], ids=str)
def test_sequences_of_losses_that_do_not_fit(shapes: list[tuple[int, ...]]) -> None:
    model, _ = case()
    losses = [torch.zeros(shape, requires_grad=True) * 1 for shape in shapes]
    with pytest.raises(InputError, match="losses, required tensors of one shape"):
        Engine(model).gramian(losses)


@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_graddrop_says_where_a_number_is_none(bad: str) -> None:
    J = torch.ones(2, 3, 4)
    J[1, 2, 0] = float(bad)
    with pytest.raises(NonFiniteError, match=r"J\[1, 2, 0\]="):
        GradDrop()(J)
