"""Whether an engine says what `torch.autograd.grad` says loss by loss, and leaves all else as it was."""

import random
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from jdbench.engine import Check, Engine
from jdbench.rounding import gamma

DOUBLE = torch.float64


class Drawn:
    """An aggregator whose weights are -2, -1, 1, 2, … whatever the Gramian."""

    def weights(self, G: Tensor, *, generator: torch.Generator | None = None) -> Tensor:  # noqa: ARG002
        return torch.tensor([-2.0, 1.0, -1.0, 2.0], dtype=DOUBLE).repeat(len(G))[: len(G)]


def jacobian(losses: Tensor, model: nn.Module) -> Tensor:
    """The gradients of all losses, in float64, one `autograd.grad` each."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    rows: list[Tensor] = []
    for loss in losses.flatten():
        grads = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        rows.append(torch.cat([
            (torch.zeros_like(p) if g is None else g.to_dense() if g.is_sparse else g).flatten().double()
            for p, g in zip(parameters, grads, strict=True)
        ]))  # fmt: skip
    return torch.stack(rows)


def gradient(model: nn.Module) -> Tensor:
    """What is in ``.grad``, in float64."""
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten().double() for p in trained])


def kept(model: nn.Module) -> list[object]:
    """All that a forward pass may leave behind and the engine must not move: values, modes, random states."""
    generators = [
        g for module in model.modules() for g in vars(module).values() if isinstance(g, torch.Generator)
    ]
    attributes = [t for module in model.modules() for t in vars(module).values() if isinstance(t, Tensor)]
    tensors = [*model.parameters(), *model.buffers(), *attributes]
    tensors += [torch.get_rng_state(), *(g.get_state() for g in generators)]
    _, keys, *rest = np.random.get_state()  # noqa: NPY002
    return [
        *(t.detach().cpu().double().tolist() for t in tensors),
        [module.training for module in model.modules()], [p.requires_grad for p in model.parameters()],
        list(keys), rest, random.getstate(), torch.is_grad_enabled(), torch.get_default_dtype(),
    ]  # fmt: skip


def assert_rows(rows: Tensor, J: Tensor, dtype: torch.dtype = DOUBLE) -> None:
    """Rows are those of J, up to 100 roundings an entry relative to each row's norm."""
    room = gamma(100 * J.shape[1], dtype)
    assert ((rows - J).norm(dim=1) <= room * J.norm(dim=1)).all(), "Jacobian"


def assert_combined(direction: Tensor, J: Tensor, w: Tensor, dtype: torch.dtype = DOUBLE) -> None:
    """A direction is Jᵀw, up to as many roundings of every weighted row."""
    room = gamma(100 * J.shape[1], dtype)
    assert (direction - J.mT @ w).norm() <= room * (w.abs() * J.norm(dim=1)).sum(), "gradient"


def assert_agrees(
    engine: Engine,
    losses: Tensor,
    *,
    check: Check = "first",
    separable: bool = True,
    dtype: torch.dtype = DOUBLE,
) -> None:
    """Gramian, Jacobian and gradient are autograd's, up to 100 roundings an entry of a gradient.

    Args:
        engine: On any model.
        losses: Of the model, with a graph.
        check: Of the engine.
        separable: Of the engine.
        dtype: The narrowest that was computed in.
    """
    model = engine.model
    J = jacobian(losses, model)
    assert float(J.norm()) > 0, "nothing to compare"
    before = kept(model)
    norms, room = J.norm(dim=1), gamma(100 * J.shape[1], dtype)
    G = engine.gramian(losses, check=check, separable=separable)
    assert ((G - J @ J.mT).abs() <= room * norms.outer(norms)).all(), "Gramian"
    assert_rows(engine.jacobian(losses, check=check, separable=separable).double(), J, dtype)
    model.zero_grad()
    w = engine.backward(losses, Drawn(), check=check, separable=separable).flatten()
    assert_combined(gradient(model), J, w, dtype)
    assert kept(model) == before, "moved"


def assert_model_agrees(
    model: nn.Module, losses_of: Callable[[nn.Module], Tensor], *, dtype: torch.dtype = DOUBLE
) -> None:
    """An engine agrees on a model at its first use, which is checked, and at its third, which is not."""
    engine = Engine(model)
    assert_agrees(engine, losses_of(model), dtype=dtype)
    assert_agrees(engine, losses_of(model), check=False, dtype=dtype)
    assert_agrees(Engine(model), losses_of(model), check=False, dtype=dtype)


class Function(nn.Module):
    """A module around a function of the inner module and the input."""

    def __init__(self, inner: nn.Module, f: Callable[..., Tensor]) -> None:
        super().__init__()
        self.inner, self.f = inner, f

    def forward(self, *x: Tensor) -> Tensor:
        return self.f(self.inner, *x)


def squares(y: Tensor) -> Tensor:
    """One loss an instance, which comes first."""
    return y.square().flatten(1).sum(1)


def normal(*shape: int, seed: int = 1, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randn(*shape, dtype=DOUBLE, generator=torch.Generator().manual_seed(seed)).to(dtype)
