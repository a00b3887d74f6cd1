"""The front of ZDT3: the five pieces of the curve (a, φ(a)), φ = 1 - √a - a sin(10πa), not dominated."""

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from jdbench.problems.curve import distance_to_curve
from jdbench.problems.two_part import Value


@cache
def pieces() -> tuple[tuple[float, float], ...]:
    """Return the first and the last √a of each of the five pieces, in order, computed to rounding.

    A piece begins and ends where φ has a minimum lower than all before it, and where φ comes down to the last
    such minimum.
    """
    ends: list[tuple[float, float]] = []
    before = last = 0.0
    for k in range(5):
        # a sin(10πa) is largest near a = (4k + 1)/20, where φ still falls; it rises from (4k + 2)/20.
        # The hump before, around (4k - 1)/20, is higher than the last minimum.
        least = _bisect(
            lambda s: float(_phi(s).slope), math.sqrt((4 * k + 1) / 20), math.sqrt((4 * k + 2) / 20)
        )
        level = float(_phi(least).value)
        if k:
            before = _bisect(lambda s, c=last: c - float(_phi(s).value), math.sqrt((4 * k - 1) / 20), least)
        ends.append((before, least))
        last = level
    return tuple(ends)


def distance_to_pieces(f: Tensor) -> Tensor:
    """Return the least of the distances of points to the five pieces.

    Args:
        f: Points, shape ``[..., 2]``.

    Returns:
        Distances, shape ``[...]``.
    """
    knots = torch.linspace(0, 1, 17, dtype=torch.float64)
    parts = [distance_to_curve(f, _Piece(low, high), knots) for low, high in pieces()]
    return torch.stack(parts).amin(0)


class _Piece:
    """The curve s ↦ (s², φ(s²)) from one √f₁ to another, by a parameter in [0, 1]."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.width = low, high - low

    def __call__(self, t: Tensor) -> tuple[Tensor, Tensor]:
        s = self.low + self.width * t
        height = _phi(s)
        point = torch.stack([s.square(), height.value])
        return point, self.width * torch.stack([2 * s, height.slope])


def _phi(s: Tensor | float) -> Value:
    """Return φ = 1 - s - s² sin(10πs²) and its derivative by s = √f₁."""
    s = torch.as_tensor(s, dtype=torch.float64)
    turn = 10 * math.pi * s.square()
    slope = -1 - 2 * s * (torch.sin(turn) + turn * torch.cos(turn))
    return Value(1 - s - s.square() * torch.sin(turn), slope)


def _bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Return where a function of one number turns from negative to positive, to the last bit."""
    middle = (low + high) / 2
    while low < middle < high:
        low, high = (low, middle) if function(middle) > 0 else (middle, high)
        middle = (low + high) / 2
    return middle
