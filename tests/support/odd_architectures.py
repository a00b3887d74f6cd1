"""Random models of odd modules, with frozen and shared parts, and the batches that they are trained on in turn.

Nothing is filtered: every module takes and returns ``[B, T, d]``, and T is as often B as not.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from support import odd_modules as odd
from support.odd_modules import WIDTH


class Mixing(nn.Module):
    """Instances that depend on each other: by statistics, by a softmax, by a neighbour."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.inner, self.kind = nn.Linear(WIDTH, WIDTH), kind
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        y = self.inner(x)
        match self.kind:
            case 0:
                return self.norm(y.mT).mT
            case 1:
                return y.softmax(0)
            case 2:
                return y - y.mean(0)
            case _:
                return y * y.roll(1, 0).exp()


@dataclass
class Odd:
    """A model and the batches of some steps.

    Attributes:
        model: On ``[B, T]`` integers, or ``[B, T, d]``.
        batches: One a step.
        losses: From the output, ``[B, T, d]``.
        mixes: Whether instances depend on each other.
    """

    model: nn.Module
    batches: list[Tensor]
    losses: Callable[[Tensor], Tensor]
    mixes: bool

    def __repr__(self) -> str:
        frozen = [name for name, p in self.model.named_parameters() if not p.requires_grad]
        shapes = [tuple(x.shape) for x in self.batches]
        return f"{self.model} on {shapes}, frozen {frozen}, mixes={self.mixes}"


class Root(nn.Module):
    """Layers in a row, the first and the last of which may be one, with parameters of its own around them."""

    def __init__(self, below: nn.Module, layers: list[nn.Module], own: bool, skip: bool) -> None:
        super().__init__()
        self.below, self.layers, self.skip = below, nn.ModuleList(layers), skip
        self.temperature = nn.Parameter(torch.zeros(())) if own else None
        self.gains = nn.ParameterList(torch.rand(WIDTH) + 0.5 for _ in range(len(layers) if own else 0))

    def forward(self, x: Tensor) -> Tensor:
        x = self.below(x)
        for number, layer in enumerate(self.layers):
            y = layer(x)
            if self.temperature is not None:
                y = y * self.gains[number]
            x = x + y if self.skip else y
        return x if self.temperature is None else x * self.temperature.exp()


def plain_layer(draw: st.DrawFn) -> nn.Module:
    """A layer that is no container."""
    kind = draw(st.sampled_from([
        "linear", "dropout", "norm", "rms", "prelu", "counting", "cell", "recurrent", "attention", "distances",
        "low rank", "tied", "experts", "derived", "along", "transformer",
    ]))  # fmt: skip
    match kind:
        case "linear":
            return nn.Linear(WIDTH, WIDTH, bias=draw(st.booleans()))
        case "dropout":
            return nn.Dropout(0.3)
        case "norm":
            return nn.LayerNorm(WIDTH)
        case "rms":
            return nn.RMSNorm(WIDTH)
        case "prelu":
            return nn.PReLU()
        case "counting":
            return odd.Counting()
        case "cell":
            return odd.Cell(draw(st.sampled_from([nn.LSTMCell, nn.GRUCell, nn.RNNCell])))
        case "recurrent":
            return odd.Recurrent(draw(st.sampled_from([nn.LSTM, nn.GRU, nn.RNN])), draw(st.booleans()))
        case "attention":
            return odd.Attending(draw(st.booleans()), draw(st.booleans()))
        case "distances":
            return odd.Distances(draw(st.integers(1, 4)))
        case "low rank":
            return odd.LowRank()
        case "tied":
            return odd.Tied()
        case "experts":
            return odd.Experts()
        case "derived":
            return odd.derived(draw(st.integers(0, 3)))
        case "along":
            return odd.Along(draw(st.sampled_from([
                nn.Conv1d(WIDTH, WIDTH, 3, padding=1), nn.ConvTranspose1d(WIDTH, WIDTH, 2, groups=2),
                nn.Conv1d(WIDTH, WIDTH, 1, groups=WIDTH),
            ])))  # fmt: skip
        case _:
            return nn.TransformerEncoderLayer(WIDTH, 2, 5, 0.1, batch_first=True)


def layer(draw: st.DrawFn, depth: int = 0) -> nn.Module:
    """A layer, within containers at most two deep."""
    if depth == 2 or draw(st.integers(0, 2)) == 0:
        return plain_layer(draw)
    inner, source = layer(draw, depth + 1), draw(st.sampled_from(sorted(odd.DRAWS)))
    match draw(st.integers(0, 9)):
        case 0 | 1:
            return odd.Gated(inner, source)
        case 2:
            return odd.Dropping(inner, source)
        case 3:
            return odd.Scaled(inner)
        case 4:
            return odd.HandedThrough(inner, draw(st.booleans()))
        case 5:
            return odd.Pair(inner)
        case 6:
            return odd.Positioned(inner)
        case 7:
            return odd.Carried(inner, draw(st.integers(0, 2)))
        case 8:
            return odd.Loop(nn.Linear(WIDTH, WIDTH))
        case _:
            return odd.Turned(nn.Linear(WIDTH, WIDTH), draw(st.booleans()))


LOSSES: list[Callable[[Tensor], Tensor]] = [
    lambda y: (y.square() + y).sum((1, 2)),
    lambda y: y[:, -1].logsumexp(-1),
    lambda y: y.transpose(0, 1).sin().sum((0, 2)),
    lambda y: (y.square() + y).sum(1)[:, :2],
    lambda y: torch.stack([y.sin().sum((1, 2)), y[:, 0, 0].exp(), 0 * y[:, 0, 0]], 1),
]


@st.composite
def odd_architectures(draw: st.DrawFn) -> Odd:
    """Draw a model of one to three layers and the batches of three steps."""
    seed = draw(st.integers(0, 2**31 - 1))
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    odd.GENERATOR.manual_seed(seed)
    layers = [layer(draw) for _ in range(draw(st.integers(1, 3)))]
    if draw(st.integers(0, 4)) == 0:
        layers.append(layers[0])
    mixes = seed % 13 == 5
    if mixes:
        layers.insert(draw(st.integers(0, len(layers))), Mixing(draw(st.integers(0, 3))))
    words = draw(st.booleans())
    below = nn.Embedding(5, WIDTH) if words else draw(st.sampled_from([nn.Identity(), nn.Linear(WIDTH, WIDTH)]))
    model = Root(below, layers, draw(st.booleans()), draw(st.booleans())).double()
    for p in model.parameters():
        if draw(st.integers(0, 7)) == 0:
            p.requires_grad_(False)
    if not any(p.requires_grad for p in model.parameters()):
        model.requires_grad_(True)
    batches: list[Tensor] = []
    for _ in range(3):
        B = draw(st.integers(2, 4))
        T = draw(st.sampled_from([1, B, B, 3, B + 1]))
        batches.append(torch.randint(0, 5, (B, T)) if words else torch.randn(B, T, WIDTH, dtype=torch.float64))
    if draw(st.booleans()):  # of one shape, so that what was learnt is used
        batches = [batches[0]] * 3
    return Odd(model, batches, draw(st.sampled_from(LOSSES)), mixes)
