"""Small models of every kind that the engine is measured on, with random data: the same in every process."""

from collections.abc import Callable
from typing import NamedTuple, final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, relu

CLASSES = 10

WIDTH = 64
"""Of sequences, recurrent states and attention."""

LENGTH = 16
"""Of sequences, and number of patches of an image."""


class Case(NamedTuple):
    """A model with what it is called with.

    Attributes:
        model: Any module, float32.
        inputs: Its arguments, instances first.
        labels: Shape ``[B]``.
    """

    model: nn.Module
    inputs: tuple[Tensor, ...]
    labels: Tensor

    def losses(self) -> Tensor:
        """Return the forward pass: one loss an instance, shape ``[B]``."""
        return cross_entropy(self.model(*self.inputs), self.labels, reduction="none")


@final
class Pooled(nn.Module):
    """A layer on sequences ``[B, T, d]``, the mean of its outputs, and a linear classifier."""

    def __init__(self, layer: nn.Module, width: int = WIDTH) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(width, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``[B, 10]``."""
        attends = isinstance(self.layer, nn.MultiheadAttention)
        out = self.layer(x, x, x, need_weights=False) if attends else self.layer(x)
        return self.head((out[0] if isinstance(out, tuple) else out).mean(1))


@final
class ViT(nn.Module):
    """A vision transformer of patches ``[B, 16, 48]``: its class token and positions are the root's own."""

    def __init__(self, blocks: int = 4) -> None:
        super().__init__()
        self.embed = nn.Linear(48, WIDTH)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, WIDTH))
        self.positions = nn.Parameter(0.02 * torch.randn(1, LENGTH + 1, WIDTH))
        self.blocks = encoder(blocks)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, patches: Tensor) -> Tensor:
        """Return scores ``[B, 10]``."""
        x = torch.cat([self.token.expand(len(patches), -1, -1), self.embed(patches)], 1) + self.positions
        return self.head(self.blocks(x)[:, 0])


@final
class OwnMatrix(nn.Module):
    """An affine layer by hand, with a scale of its inputs."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.randn(i, o) / i**0.5), nn.Parameter(torch.zeros(o))
        self.scale = nn.Parameter(torch.ones(i))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``[B, o]``."""
        return (x * self.scale) @ self.weight + self.bias


@final
class TwoInputs(nn.Module):
    """A layer with two inputs and a matrix for each."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.left, self.right = (nn.Parameter(torch.randn(i, o) / i**0.5) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return ``[B, o]``."""
        return x @ self.left + y @ self.right


@final
class Joined(nn.Module):
    """A layer with two inputs, then a small perceptron."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.layer = layer
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, CLASSES))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return scores ``[B, 10]``."""
        return self.rest(self.layer(x, y))


@final
class Upsampling(nn.Module):
    """A convolution and two transposed ones."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 16, 3, 2, 1)
        self.up = nn.ConvTranspose2d(16, 16, 4, 2, 1)
        self.again = nn.ConvTranspose2d(16, 8, 4, 2, 1)
        self.head = nn.Linear(8, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores ``[B, 10]``."""
        return self.head(relu(self.again(relu(self.up(relu(self.down(x)))))).mean((2, 3)))


def encoder(layers: int = 2) -> nn.Module:
    """Return a transformer encoder, d = 64 and four heads, without dropout."""
    made = [
        nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, dropout=0.0, batch_first=True) for _ in range(layers)
    ]
    return made[0] if layers == 1 else nn.Sequential(*made)


def _perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, CLASSES))


def _with_slopes() -> nn.Module:
    return nn.Sequential(
        nn.Linear(64, 128), nn.PReLU(128), nn.Linear(128, 128), nn.PReLU(), nn.Linear(128, CLASSES)
    )


def _convolutions() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(512, CLASSES),
    )


def _bag() -> nn.Module:
    return nn.Sequential(nn.EmbeddingBag(1000, 64), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, CLASSES))


def _own_matrices() -> nn.Module:
    return nn.Sequential(OwnMatrix(64, 128), nn.ReLU(), OwnMatrix(128, 128), nn.ReLU(), nn.Linear(128, CLASSES))


def _recurrent(kind: type[nn.RNN | nn.LSTM | nn.GRU]) -> nn.Module:
    return Pooled(kind(WIDTH, WIDTH, batch_first=True))


def _sequences(batch: int, length: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, length, WIDTH),)


def _images(batch: int, _: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, 3, 16, 16),)


def _vectors(batch: int, _: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, 64),)


def _pairs(batch: int, _: int) -> tuple[Tensor, ...]:
    return torch.randn(batch, 64), torch.randn(batch, 64)


def _patches(batch: int, _: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, LENGTH, 48),)


def _words(batch: int, length: int) -> tuple[Tensor, ...]:
    return (torch.randint(0, 1000, (batch, length)),)


Inputs = Callable[[int, int], tuple[Tensor, ...]]

KINDS: dict[str, tuple[Callable[[], nn.Module], Inputs]] = {
    "perceptron": (_perceptron, _vectors),
    "PReLU": (_with_slopes, _vectors),
    "convolutions": (_convolutions, _images),
    "ConvTranspose": (Upsampling, _images),
    "Bilinear": (lambda: Joined(nn.Bilinear(64, 64, 32), 32), _pairs),
    "EmbeddingBag": (_bag, _words),
    "several inputs": (lambda: Joined(TwoInputs(64, 128), 128), _pairs),
    "own parameters": (_own_matrices, _vectors),
    "MultiheadAttention": (lambda: Pooled(nn.MultiheadAttention(WIDTH, 4, batch_first=True)), _sequences),
    "RNN": (lambda: _recurrent(nn.RNN), _sequences),
    "LSTM": (lambda: _recurrent(nn.LSTM), _sequences),
    "GRU": (lambda: _recurrent(nn.GRU), _sequences),
    "encoder layer": (lambda: Pooled(encoder(1)), _sequences),
    "transformer": (lambda: Pooled(encoder(2)), _sequences),
    "ViT": (ViT, _patches),
}
"""Models by kind, and what gives their arguments for a batch and a length of sequences."""

SEQUENCES = ["transformer", "RNN", "LSTM", "GRU"]
"""Kinds that take any length."""


def case(kind: str, batch: int = 32) -> Case:
    """Return a model of a kind out of `KINDS` with one batch, the same every time."""
    build, inputs = KINDS[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build()
        return Case(model, inputs(batch, LENGTH), torch.randint(0, CLASSES, (batch,)))
