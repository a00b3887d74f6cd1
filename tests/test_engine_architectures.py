"""The engine's Gramian and gradient against the explicit Jacobian, on random architectures."""

import torch
from architectures import Architecture, architectures
from hypothesis import HealthCheck, given, settings
from torch import Tensor, nn

from jdbench.gramian import Engine
from jdbench.verification.tolerances import gamma

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


class Drawn:
    """An aggregator whose weights are -2, -1, 1, 2, … whatever the Gramian."""

    def weights(self, G: Tensor, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return torch.tensor([-2.0, 1.0, -1.0, 2.0], dtype=torch.float64).repeat(len(G))[: len(G)]


def jacobian(losses: Tensor, model: nn.Module) -> Tensor:
    parameters = [p for p in model.parameters() if p.requires_grad]
    rows: list[Tensor] = []
    for loss in losses.flatten():
        grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        rows.append(torch.cat([
            (torch.zeros_like(p) if g is None else g).flatten().double()
            for p, g in zip(parameters, grads, strict=True)
        ]))  # fmt: skip
    return torch.stack(rows)


def gradient(model: nn.Module) -> Tensor:
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().double() for p in trained])


def outputs(case: Architecture, per_task: bool, dtype: torch.dtype = torch.float64) -> Tensor:
    x = case.x.to(dtype) if case.x.is_floating_point() else case.x
    y = case.model.to(dtype)(x)
    return y * 2 if per_task else y.sum(1)


@given(architectures(exact=True))
@settings(max_examples=200, deadline=None, suppress_health_check=QUIET)
def test_integer_architectures_have_exactly_the_explicit_gramian_and_gradient(case: Architecture) -> None:
    for per_task in (False, True):
        with Engine(case.model) as engine:
            losses = outputs(case, per_task)
            J = jacobian(losses, case.model)
            assert float(J.square().sum(1).max()) < 2**53
            assert torch.equal(engine.gramian(losses, check=True), J @ J.mT)
            case.model.zero_grad()
            w = engine.backward(losses, Drawn())
        assert w.shape == losses.shape
        assert torch.equal(gradient(case.model), J.mT @ w.flatten())


def conditioning(case: Architecture, per_task: bool) -> tuple[Tensor, Tensor]:
    """Return J, and how far rounding moves its rows, in unit roundoffs: measured in float32.

    One sample of the rounding errors of a chain of layers, not a bound: hence the factor of 64 on it. The
    floor of one roundoff an entry, n‖gᵢ‖, and 16 of the loss's own conditioning cover what happens to be exact.
    """
    J = jacobian(outputs(case, per_task), case.model)
    narrow = jacobian(outputs(case, per_task, torch.float32), case.model)
    case.model.double()
    moved = (narrow - J).norm(dim=1) / torch.finfo(torch.float32).eps
    return J, 64 * moved + J.shape[1] * J.norm(dim=1)


@given(architectures(exact=False))
@settings(max_examples=200, deadline=None, suppress_health_check=QUIET)
def test_architectures_have_the_explicit_gramian_and_gradient(case: Architecture) -> None:
    for per_task in (False, True):
        parameters = [p.detach().clone() for p in case.model.parameters()]
        J, moved = conditioning(case, per_task)
        for p, value in zip(case.model.parameters(), parameters, strict=True):
            p.data = value  # the trip through float32 has rounded them
        with Engine(case.model) as engine:
            losses = outputs(case, per_task)
            J = jacobian(losses, case.model)
            norms, error = J.norm(dim=1), gamma(1) * moved
            G = engine.gramian(losses)
            room = error[:, None] * norms + norms[:, None] * error + error[:, None] * error
            assert ((G - J @ J.mT).abs() <= room).all()
            case.model.zero_grad()
            w = engine.backward(losses, Drawn())
        assert (gradient(case.model) - J.mT @ w.flatten()).norm() <= (w.flatten().abs() * error).sum() * 2
