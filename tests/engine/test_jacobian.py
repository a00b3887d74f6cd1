"""The engine's Jacobian is that of automatic differentiation, its columns in the model's order."""

import pytest
import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.gramian import Engine, gramian
from jdbench.problems.networks import NETWORKS
from jdbench.rounding import gamma

SUMMED = 16 * 64
"""Positions that one entry of a gradient sums, at most: 30 × 30."""


def by_autograd(losses: Tensor, model: nn.Module) -> Tensor:
    trained = [p for p in model.parameters() if p.requires_grad]
    rows: list[Tensor] = []
    for loss in losses.reshape(-1):
        found = torch.autograd.grad(loss, trained, retain_graph=True, materialize_grads=True)
        rows.append(torch.cat([g.reshape(-1) for g in found]))
    return torch.stack(rows)


def assert_rows(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    error = (found - expected).norm(dim=-1)
    assert bool((error <= gamma(SUMMED, found.dtype) * expected.norm(dim=-1)).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", NETWORKS)
def test_instances_of_the_papers_networks(name: str, dtype: torch.dtype) -> None:
    network = NETWORKS[name]
    torch.manual_seed(0)
    model = network.build().to(dtype)
    images, labels = torch.randn(3, *network.shape, dtype=dtype), torch.arange(3)
    with Engine(model) as engine:
        losses = nn.functional.cross_entropy(model(images), labels, reduction="none")
        assert_rows(engine.jacobian(losses), by_autograd(losses, model))
        # A second time from the same graph, with memory that was used before.
        assert_rows(engine.jacobian(losses), by_autograd(losses, model))


def small() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.ELU(), nn.Flatten(), nn.Linear(12, 5, bias=False)).double()


def test_tasks_of_instances_come_instance_by_instance() -> None:
    model = small()
    with Engine(model) as engine:
        losses = model(torch.randn(4, 2, 4, 4, dtype=torch.float64)).square()[:, :3]
        J = engine.jacobian(losses)
        assert J.shape == (12, sum(p.numel() for p in model.parameters()))
        assert_rows(J, by_autograd(losses, model))
        G = engine.gramian(losses)
        torch.testing.assert_close(gramian(J), G, rtol=0, atol=gamma(SUMMED) * float(G.diagonal().max()))


def test_losses_that_are_not_separable() -> None:
    model = small()
    with Engine(model) as engine:
        losses = model(torch.randn(4, 2, 4, 4, dtype=torch.float64)).square().mean(0)
        assert_rows(engine.jacobian(losses, separable=False), by_autograd(losses, model))


def test_what_is_not_trained_has_no_columns_and_what_is_not_used_is_zero() -> None:
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "idle": nn.Linear(1, 1), "b": nn.Linear(2, 1)}).double()
    model["a"].bias.requires_grad_(False)
    with Engine(model) as engine:
        losses = model["b"](model["a"](torch.randn(3, 2, dtype=torch.float64))).squeeze(-1)
        J = engine.jacobian(losses)
    assert J.shape == (3, 4 + 2 + 3)
    assert not J[:, 4:6].any()
    assert_rows(J, by_autograd(losses, model))


def test_reduced_losses_are_refused() -> None:
    model = small()
    with Engine(model) as engine, pytest.raises(InputError, match="do not reduce them to a mean"):
        engine.jacobian(model(torch.zeros(1, 2, 4, 4, dtype=torch.float64)).mean())


def test_small_gradients_of_float16_are_not_lost() -> None:
    """Numbers next to underflow do not tell whose they are, but they are there."""
    torch.manual_seed(0)
    first, second = nn.Linear(8, 16).half(), nn.Linear(16, 2).half()
    second.weight.data.mul_(1e-4)
    model = nn.Sequential(first, nn.Tanh(), second)
    losses = model(torch.randn(16, 8).half()).float().square().sum(1)
    rows = [torch.autograd.grad(loss, first.weight, retain_graph=True)[0] for loss in losses]
    expected = torch.stack(rows).flatten(1).float()
    assert 0 < expected.abs().max() < 1e-4
    found = Engine(model).jacobian(losses)[:, : first.weight.numel()].float()
    assert (found - expected).norm() <= 0.05 * expected.norm()
