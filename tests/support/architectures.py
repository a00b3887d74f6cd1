"""Random architectures: graphs of modules over vectors, sequences and images, with sharing and frozen parts.

Every strategy builds the modules that fit the shape it has reached, so that nothing is filtered.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

INSTANCES = 3


class Residual(nn.Module):
    """x + f(x)."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return x + self.inner(x)


class Twice(nn.Module):
    """f(f(x)): a module called twice."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(self.inner(x))


class Scale(nn.Module):
    """A module that torch does not come with."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(size))
        self.inner = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x * self.factor) * self.factor


class Attention(nn.Module):
    """Self-attention."""

    def __init__(self, size: int, weights: bool) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(size, 2, batch_first=True)
        self.weights = weights

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, x, x, need_weights=self.weights)[0]


class First(nn.Module):
    """The first of the outputs of a recurrent module, and the last state added to it."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        y, state = self.inner(x)
        state = state[0] if isinstance(state, tuple) else state
        return y + state.transpose(0, 1)


class Positions(nn.Module):
    """Mean over everything between instances and the last axis, or behind the channels."""

    def __init__(self, channels_last: bool) -> None:
        super().__init__()
        self.channels_last = channels_last

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.channels_last else x.movedim(1, -1)
        return x.flatten(1, -2).sum(1) if x.ndim > 2 else x


@dataclass
class Architecture:
    """A model, an input, and what to do with the output to get losses."""

    model: nn.Module
    x: Tensor
    output: int

    def __repr__(self) -> str:
        frozen = [name for name, p in self.model.named_parameters() if not p.requires_grad]
        return f"{self.model} on {tuple(self.x.shape)}, frozen {frozen}"


Layer = Callable[[st.DrawFn, int], tuple[nn.Module, int]]

SMOOTH = [nn.Tanh, nn.ELU, nn.Softplus, nn.GELU, nn.SiLU]


def in_place(draw: st.DrawFn, module: nn.Module) -> nn.Module:
    """An operation in place right behind a module replaces the node of its output, a view or not."""
    return nn.Sequential(module, nn.ReLU(inplace=True)) if draw(st.booleans()) else module


def tied(draw: st.DrawFn, size: int) -> nn.Module:
    first, second = nn.Linear(size, size), nn.Linear(size, size, bias=draw(st.booleans()))
    second.weight = first.weight
    return nn.Sequential(first, nn.ReLU(), second)


def vector_layer(draw: st.DrawFn, size: int, exact: bool) -> tuple[nn.Module, int]:
    """A layer on the last axis."""
    kind = draw(st.sampled_from(["linear", "residual", "twice", "tied", "relu"]))
    if not exact:
        kind = draw(st.sampled_from([kind, "smooth", "norm", "rms", "scale", "prelu"]))
    match kind:
        case "linear":
            out = draw(st.integers(1, 3)) * 2
            return in_place(draw, nn.Linear(size, out, bias=draw(st.booleans()))), out
        case "residual":
            return Residual(nn.Linear(size, size)), size
        case "twice":
            return Twice(nn.Linear(size, size)), size
        case "tied":
            return tied(draw, size), size
        case "relu":
            return nn.ReLU(), size
        case "norm":
            return nn.LayerNorm(size, bias=draw(st.booleans())), size
        case "rms":
            return nn.RMSNorm(size), size
        case "scale":
            return Scale(size), size
        case "prelu":
            return nn.PReLU(), size
        case _:
            return draw(st.sampled_from(SMOOTH))(), size


def sequence_layer(draw: st.DrawFn, size: int, exact: bool) -> tuple[nn.Module, int]:
    """A layer on ``[B, T, size]``."""
    if exact or draw(st.booleans()):
        return vector_layer(draw, size, exact)
    kind = draw(st.sampled_from(["attention", "lstm", "gru", "rnn"]))
    if kind == "attention":
        return Attention(size, draw(st.booleans())), size
    recurrent = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind]
    return First(recurrent(size, size, batch_first=True)), size


def image_layer(draw: st.DrawFn, size: int, exact: bool, axes: int) -> tuple[nn.Module, int]:
    """A layer on ``[B, size, *]`` with at least 4 places along each axis, which stay as many or more."""
    kind = draw(
        st.sampled_from(
            ["conv", "conv", "relu"] if exact else ["conv", "conv", "smooth", "group", "instance", "batch"]
        )
    )
    match kind:
        case "conv":
            groups = draw(st.sampled_from([1, 2, size]))
            out = groups * draw(st.integers(1, 2))
            kernel = [draw(st.integers(1, 3)) for _ in range(axes)]
            dilation = [draw(st.integers(1, 2)) for _ in range(axes)]
            conv = [nn.Conv1d, nn.Conv2d, nn.Conv3d][axes - 1]
            module = conv(
                size, out + out % 2 * groups, kernel, groups=groups, dilation=dilation,
                padding=draw(st.sampled_from(["same", 2, 3])), bias=draw(st.booleans()),
                padding_mode=draw(st.sampled_from(["zeros", "reflect", "replicate", "circular"])),
            )  # fmt: skip
            return in_place(draw, module), out + out % 2 * groups
        case "relu":
            return nn.ReLU(), size
        case "group":
            return nn.GroupNorm(2, size), size
        case "instance":
            norm = [nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d][axes - 1]
            return norm(size, affine=True, track_running_stats=draw(st.booleans())), size
        case "batch":
            return [nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d][axes - 1](size).eval(), size
        case _:
            return draw(st.sampled_from(SMOOTH))(), size


@st.composite
def architectures(draw: st.DrawFn, *, exact: bool) -> Architecture:
    """Draw a model of two to five layers, float64, and three instances.

    With ``exact``, parameters and inputs are -1, 0 or 1 and layers have integer gradients: with at most
    8 channels, 27 taps and 64 positions everything stays an integer below 2⁵³, so that no operation rounds.
    """
    torch.manual_seed(draw(st.integers(0, 2**31)))
    kind = draw(st.sampled_from(["vector", "sequence", "image"]))
    size = draw(st.sampled_from([2, 4]))
    layers: list[nn.Module] = []
    if kind == "sequence":
        x = torch.randint(0, 5, (INSTANCES, draw(st.integers(1, 4))))
        padding = draw(st.sampled_from([None, 0]))
        layers.append(nn.Embedding(5, size, padding_idx=padding))
    else:
        axes = 0 if kind == "vector" else draw(st.integers(1, 3))
        x = torch.randn(INSTANCES, size, *[4] * axes, dtype=torch.float64)
    for _ in range(draw(st.integers(1, 2 if exact else 3))):
        if kind == "image":
            layer, size = image_layer(draw, size, exact, x.ndim - 2)
        elif kind == "sequence":
            layer, size = sequence_layer(draw, size, exact)
        else:
            layer, size = vector_layer(draw, size, exact)
        layers.append(layer)
    if kind == "image":
        stride = [draw(st.integers(1, 3)) for _ in range(x.ndim - 2)]
        conv = [nn.Conv1d, nn.Conv2d, nn.Conv3d][x.ndim - 3]
        layers.append(conv(size, 4, draw(st.integers(1, 3)), stride=stride))
        size = 4
    layers += [Positions(kind != "image"), nn.Linear(size, 2)]
    model = nn.Sequential(*layers).double()
    if exact:
        x = x.sign() if x.is_floating_point() else x
        for p in model.parameters():
            p.data = torch.randint(-1, 2, p.shape).double()
    for name, p in model.named_parameters():
        if not name.startswith(f"{len(layers) - 1}.") and draw(st.integers(0, 5)) == 0:
            p.requires_grad_(False)
    return Architecture(model, x, 2)
