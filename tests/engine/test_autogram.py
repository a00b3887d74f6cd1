"""The engine against TorchJD: Gramians of autogram, multi-task gradients of autojac."""

import pytest
import torch
from torch import Tensor, nn

from jdbench.aggregators import Mean, UPGrad
from jdbench.errors import InputError
from jdbench.gramian import Engine
from jdbench.rounding import gamma
from support.engine_agreement import DOUBLE, gradient
from support.small_network import batch, losses_of, network

autogram = pytest.importorskip("torchjd.autogram")
autojac = pytest.importorskip("torchjd.autojac")


def sequence() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(4, 2, 6, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.Embedding(5, 4), layer, nn.Linear(4, 2)).double(), torch.randint(0, 5, (4, 3))


def convolutions() -> tuple[nn.Module, Tensor]:
    return network(), batch()


@pytest.mark.parametrize("case", [sequence, convolutions])
def test_gramians_of_autogram(case) -> None:
    model, x = case()
    with Engine(model) as engine:
        G = engine.gramian(model(x).flatten(1).square().sum(1))
    peer = autogram.Engine(model, batch_dim=0)
    theirs = peer.compute_gramian(model(x).flatten(1).square().sum(1))
    n = sum(p.numel() for p in model.parameters())
    norms = G.diagonal().sqrt()
    assert ((G - theirs).abs() <= gamma(100 * n) * norms.outer(norms)).all()


def heads() -> tuple[nn.Module, nn.Module, list[nn.Module], Tensor]:
    torch.manual_seed(0)
    trunk = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 4))
    own = [nn.Linear(4, 1), nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))]
    model = nn.ModuleList([trunk, *own]).double()
    return model, trunk, own, torch.randn(6, 3, dtype=DOUBLE)


def task_losses(features: Tensor, own: list[nn.Module]) -> list[Tensor]:
    return [head(features).square().mean() for head in own]


def test_heads_get_the_gradient_of_their_task_as_in_mtl_backward() -> None:
    model, trunk, own, x = heads()
    features = trunk(x)
    autojac.mtl_backward(task_losses(features, own), features=features)
    # TorchJD leaves the rows in .jac for an aggregator to come; the heads' gradients are in .grad.
    rows = torch.cat([p.jac.flatten(1) for p in trunk.parameters()], 1)
    w = UPGrad().weights(rows @ rows.mT)
    expected = torch.cat([rows.mT @ w, *[p.grad.flatten() for head in own for p in head.parameters()]])
    model.zero_grad()
    with Engine(model) as engine:
        ours = engine.backward(torch.stack(task_losses(trunk(x), own)), UPGrad(), heads=own)
    n = len(expected)
    assert (ours - w).norm() <= gamma(1000 * n) * w.norm()
    assert (gradient(model) - expected).norm() <= gamma(1000 * n) * expected.norm()


def test_heads_may_be_parameters() -> None:
    model, trunk, own, x = heads()
    with Engine(model) as engine:
        engine.backward(torch.stack(task_losses(trunk(x), own)), Mean(), heads=own)
        expected = gradient(model)
        model.zero_grad()
        engine.backward(
            torch.stack(task_losses(trunk(x), own)), Mean(), heads=[list(h.parameters()) for h in own]
        )
    assert torch.equal(gradient(model), expected)


@pytest.mark.parametrize("wrong", ["fewer", "foreign", "shared"])
def test_heads_that_do_not_fit(wrong: str) -> None:
    model, trunk, own, x = heads()
    given = {"fewer": own[:1], "foreign": [own[0], nn.Linear(1, 1)], "shared": [own[0], own[0]]}[wrong]
    with Engine(model) as engine, pytest.raises(InputError, match="heads, required"):
        engine.backward(torch.stack(task_losses(trunk(x), own)), Mean(), heads=given)


def test_losses_of_the_same_model_twice() -> None:
    """The engine leaves nothing in the graph that a later pass would trip over."""
    model, x = network(), batch()
    with Engine(model) as engine:
        losses = losses_of(model, x)
        assert torch.equal(engine.gramian(losses), engine.gramian(losses))
