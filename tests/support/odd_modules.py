"""Modules on ``[B, T, d]`` that treat instances apart in every way that is hard on an engine."""

import collections
import dataclasses
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

WIDTH = 4
GENERATOR = torch.Generator()
"""Of the modules that have a generator of their own."""

DRAWS: dict[str, Callable[[Tensor], Tensor]] = {
    "torch": torch.rand_like,
    "numpy": lambda x: torch.from_numpy(np.random.rand(*x.shape)).to(x),  # noqa: NPY002
    "random": lambda x: torch.tensor([random.random() for _ in range(x.numel())]).view(x.shape).to(x),
    "own": lambda x: torch.rand(x.shape, generator=GENERATOR).to(x),
}


class Gated(nn.Module):
    """x + gate · masked f(x); the gate is zero at first."""

    def __init__(self, inner: nn.Module, source: str) -> None:
        super().__init__()
        self.gate, self.inner, self.source = nn.Parameter(torch.zeros(())), inner, source

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        return x + self.gate * y * (DRAWS[self.source](y) < 0.7)


class Dropping(nn.Module):
    """Leaves out a module at random, whole."""

    def __init__(self, inner: nn.Module, source: str) -> None:
        super().__init__()
        self.inner, self.source = inner, source

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) if float(DRAWS[self.source](x.new_zeros(1))) < 0.6 else x


class Scaled(nn.Module):
    """Parameters of its own around an inner module."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.scale, self.shift, self.inner = (
            nn.Parameter(torch.rand(WIDTH)),
            nn.Parameter(torch.randn(1)),
            inner,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * self.scale.exp() + self.shift) / (1 + self.scale.square())


class Counting(nn.Module):
    """Computes with a buffer that counts its calls, and with a running size of its outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("size", torch.ones(WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        self.calls = self.calls + 1
        y = self.inner(x) / self.calls
        with torch.no_grad():
            self.size = 0.5 * self.size + 0.5 * y.abs().mean((0, 1))
        return y / (0.5 + self.size)


class HandedThrough(nn.Module):
    """Returns its very input, beside what it computes, or instead."""

    def __init__(self, inner: nn.Module, on: bool) -> None:
        super().__init__()
        self.weight, self.inner, self.on = nn.Parameter(torch.rand(WIDTH)), inner, on

    def both(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return (self.inner(x) * self.weight, x) if self.on else (x, x)

    def forward(self, x: Tensor) -> Tensor:
        y, same = self.both(x)
        return y + 0.5 * same


class Pair(nn.Module):
    """Two outputs of which one is computed from the other; both are used."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner, self.head = inner, nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        out = {"features": torch.tanh(self.inner(x))}
        out["logits"] = self.head(out["features"])
        return out["logits"] + out["features"] * x


class Cell(nn.Module):
    """A cell unrolled over the sequence; the state of the last batch is kept, cut off."""

    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.cell, self.last = kind(WIDTH, WIDTH), None

    def forward(self, x: Tensor) -> Tensor:
        state, found = None, []
        for step in x.unbind(1):
            state = self.cell(step, state)
            found.append(state[0] if isinstance(state, tuple) else state)
        y = torch.stack(found, 1)
        self.last = y.detach()
        return y


class Recurrent(nn.Module):
    """A recurrent layer, sequences first or instances first."""

    def __init__(self, kind: type[nn.Module], first: bool) -> None:
        super().__init__()
        self.inner, self.first = kind(WIDTH, WIDTH, batch_first=first), first

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[0] if self.first else self.inner(x.transpose(0, 1))[0].transpose(0, 1)


class Attending(nn.Module):
    """Attention with a mask ``[T, T]``, by torch's module or by hand."""

    def __init__(self, by_hand: bool, first: bool) -> None:
        super().__init__()
        self.inner, self.first = nn.MultiheadAttention(WIDTH, 2, batch_first=first), first
        self.query, self.by_hand = nn.Parameter(torch.randn(WIDTH, WIDTH)), by_hand

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.full((x.shape[1],) * 2, -50.0, dtype=x.dtype).triu(1)
        if self.by_hand:
            return (x @ self.query @ x.mT + mask).softmax(-1) @ x
        x = x if self.first else x.transpose(0, 1)
        y = self.inner(x, x, x, attn_mask=mask, need_weights=self.first)[0]
        return y if self.first else y.transpose(0, 1)


class Positioned(nn.Module):
    """Positions added, a token in front taken as a summary."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.positions, self.token = nn.Parameter(torch.randn(8, WIDTH)), nn.Parameter(torch.randn(1, 1, WIDTH))
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.token.expand(len(x), -1, -1), x + self.positions[: x.shape[1]]], 1)
        y = self.inner(x)
        return y[:, 1:] + y[:, :1]


class Distances(nn.Module):
    """Distances from rows of a parameter, of which there are as many as instances, or not."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self.table, self.back = nn.Parameter(torch.randn(rows, WIDTH)), nn.Parameter(torch.randn(rows, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(x, self.table.expand(len(x), -1, -1)).softmax(-1) @ self.back


class LowRank(nn.Module):
    """A frozen layer, and a trained product beside it that is zero at first."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.A, self.B = nn.Parameter(torch.randn(2, WIDTH)), nn.Parameter(torch.zeros(WIDTH, 2))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + functional.dropout(x, 0.2, self.training) @ self.A.mT @ self.B.mT


class Tied(nn.Module):
    """One matrix, also transposed and in part, past its module."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.twin = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH, bias=False)
        self.twin.weight = self.inner.weight

    def forward(self, x: Tensor) -> Tensor:
        y = self.twin(torch.tanh(self.inner(x)))
        return functional.linear(y, self.inner.weight.mT) + torch.lerp(x, self.inner.bias, 0.3)


@dataclasses.dataclass
class Batch:
    x: Tensor


WRAPS: list[Callable[[Tensor], Any]] = [Batch, lambda x: collections.UserDict(x=x), lambda x: [{"x": x}]]


class Carried(nn.Module):
    """Reads its input from a container, or from an attribute that is set before."""

    def __init__(self, inner: nn.Module, wrap: int) -> None:
        super().__init__()
        self.weight, self.inner, self.wrap, self.set = nn.Parameter(torch.rand(WIDTH)), inner, wrap, None

    def forward(self, x: Tensor) -> Tensor:
        self.set = self.inner(x)
        carried = WRAPS[self.wrap](x)
        while not isinstance(carried, Tensor):
            carried = (
                carried.x if isinstance(carried, Batch) else carried[0 if isinstance(carried, list) else "x"]
            )
        y, self.set = carried * self.weight + self.set, None
        return y


class Loop(nn.Module):
    """A module called instance by instance, from the last to the first."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.inner(x[i : i + 1]) for i in reversed(range(len(x)))]).flip(0)


class Experts(nn.Module):
    """Every position goes to the expert that its first entry chooses."""

    def __init__(self) -> None:
        super().__init__()
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        out, chosen = torch.zeros_like(x), (x[..., 0] > 0).long()
        for number, expert in enumerate(self.experts):
            out[chosen == number] = expert(x[chosen == number])
        return out


class Turned(nn.Module):
    """A module on all positions at once, as they come or in turns, in place or not."""

    def __init__(self, inner: nn.Module, turns: bool) -> None:
        super().__init__()
        self.inner, self.turns = inner, turns

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(0, 1) if self.turns else x
        y = self.inner(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return (y.transpose(0, 1) if self.turns else y).relu_()


class Along(nn.Module):
    """A convolution along the sequence."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.mT)[..., : x.shape[1]].mT


def derived(kind: int) -> nn.Module:
    """A layer whose weight is derived."""
    layer = nn.Linear(WIDTH, WIDTH)
    match kind:
        case 0:
            return parametrizations.weight_norm(layer)
        case 1:
            return parametrizations.spectral_norm(layer)
        case 2:
            return parametrizations.orthogonal(layer)
        case _:
            return prune.l1_unstructured(layer, "weight", amount=0.5)
