"""Distance of points to a smooth curve t ↦ p(t): a grid to find the near arcs, then a root of the slope."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

CHUNK = 8192
"""Points at a time, so that what is computed stays in the processor's cache."""

ARCS = 2
"""Local minima of the grid that are refined: of two arcs nearly as near the grid may prefer the wrong one."""

ROUNDS = 8
"""Steps of the Illinois method, of order 1.44: the distance, flat at its minimum, needs half of its digits."""

POLISH = 3
"""Gauss-Newton steps, of order 2 for points on the curve, where the distance is not flat and needs them all."""

TINY = torch.finfo(torch.float64).tiny

Curve = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Parameters ``[...]`` to points and tangents, each ``[d, ...]``: sums over a first axis are fast."""


def distance_to_curve(values: Tensor, curve: Curve, knots: Tensor) -> Tensor:
    """Return min over t of ‖values - p(t)‖, t from the first knot to the last.

    The squared distance to the knots has local minima; around the least two, the slope (p(t) - v)ᵀp′(t) is
    brought to zero by the Illinois variant of regula falsi and a few Gauss-Newton steps. The least distance
    that was met is returned: never below the true one but for rounding, and equal to it where the knots tell
    the arcs apart.

    Args:
        values: Points, shape ``[..., d]``.
        curve: The curve and its tangent, in float64.
        knots: Ascending parameters, dense enough that the slope changes sign at most once between neighbours
            of a local minimum, shape ``[k]``, float64.

    Returns:
        Distances, shape ``[...]``, in the dtype of the values.
    """
    points = curve(knots)[0]
    flat = values.reshape(-1, values.shape[-1]).T.to(torch.float64).contiguous()
    parts = [_distance(chunk, curve, knots, points) for chunk in flat.split(CHUNK, dim=1)]
    return torch.cat(parts).reshape(values.shape[:-1]).to(values.dtype)


def _distance(values: Tensor, curve: Curve, knots: Tensor, points: Tensor) -> Tensor:
    values = values.unsqueeze(-1)
    squares = (values - points.unsqueeze(1)).square_().sum(0)
    padded = torch.nn.functional.pad(squares, (1, 1), value=torch.inf)
    dips = (squares <= padded[:, :-2]) & (squares <= padded[:, 2:])
    best, nearest = squares.where(dips, torch.inf).topk(min(ARCS, len(knots)), largest=False)
    best = best[:, 0]
    low, high = knots[(nearest - 1).clamp(min=0)], knots[(nearest + 1).clamp(max=len(knots) - 1)]

    def visit(t: Tensor) -> tuple[Tensor, Tensor]:
        """Return the slope at t and the Gauss-Newton step from there; remember the distance."""
        nonlocal best
        point, tangent = curve(t)
        gap = point - values
        slope = (gap * tangent).sum(0)
        best = torch.minimum(best, gap.square().sum(0).amin(-1))
        return slope, slope / tangent.square().sum(0).clamp(min=TINY)

    t = low
    at_low, step = visit(t)
    at_high = visit(high)[0]
    stayed = torch.zeros_like(low)
    for _ in range(ROUNDS):
        t = (low * at_high - high * at_low) / (at_high - at_low)
        # No change of sign, or both slopes zero: the nearest point is an end, which the grid has met.
        t = t.where((t >= low) & (t <= high), (low + high) / 2)
        at_t, step = visit(t)
        rising = at_t > 0
        low, high = low.where(rising, t), t.where(rising, high)
        # An end that stays twice counts half from then on, or it would stay for ever.
        at_low, at_high = (
            (at_low * (1 - 0.5 * (stayed < 0))).where(rising, at_t),
            at_t.where(rising, at_high * (1 - 0.5 * (stayed > 0))),
        )
        stayed = torch.where(rising, -1.0, 1.0)
    for _ in range(POLISH):
        t = (t - step).clamp(knots[0], knots[-1])
        step = visit(t)[1]
    return best.sqrt()


def distance_to_parabola(first: Tensor, second: Tensor, low: float, high: float) -> Tensor:
    """Return the distance of points (p, q) to the arc {(t, t²) : low ≤ t ≤ high}.

    The slope of the squared distance is 2t³ + (1 - 2q)t - p, a cubic. Its roots in closed form (Cardano's where
    there is one, Viète's where there are three) are polished by two Newton steps and clamped to the arc.

    Args:
        first: p, any shape.
        second: q, the same shape.
        low: First parameter of the arc.
        high: Last parameter of the arc.

    Returns:
        Distances, in the shape and dtype of p.
    """
    p, q = first.to(torch.float64), second.to(torch.float64)
    # t³ + at + b = 0.
    a, b = (1 - 2 * q) / 2, -p / 2
    inner = b.square() / 4 + a**3 / 27
    root = inner.clamp(min=0).sqrt()
    larger = _cube_root(-b / 2 - root.copysign(b))
    single = larger - torch.where(larger == 0, 0, a / (3 * larger))
    radius = (-a / 3).clamp(min=0).sqrt()
    ratio = (-b / 2 / radius.pow(3).clamp(min=torch.finfo(torch.float64).tiny)).clamp(-1, 1)
    # Of three roots the middle one is a maximum: the outer two.
    angle = torch.acos(ratio) / 3
    outer = [2 * radius * torch.cos(angle + turn) for turn in (0.0, 2 * math.pi / 3)]
    best = torch.full_like(p, torch.inf)
    for of_three in outer:
        t = torch.where(inner > 0, single, of_three)
        for _ in range(2):
            slope = 3 * t.square() + a
            t = t - torch.where(slope == 0, 0, (t**3 + a * t + b) / slope)
        t = t.clamp(low, high)
        best = torch.minimum(best, (t - p).square() + (t.square() - q).square())
    for end in (low, high):
        best = torch.minimum(best, (end - p).square() + (end * end - q).square())
    return best.sqrt().to(first.dtype)


def dense_at_ends(count: int) -> Tensor:
    """Return parameters from 0 to 1, denser at both ends, shape ``[count]``.

    For curves of weighted optima, which move fastest where one weight vanishes: (1 - cos πt)/2 of even t.

    Args:
        count: How many.

    Returns:
        The parameters, ascending, float64.
    """
    return (1 - torch.cos(torch.linspace(0, math.pi, count, dtype=torch.float64))) / 2


def _cube_root(x: Tensor) -> Tensor:
    return x.abs().pow(1 / 3).copysign(x)
