"""Where runs begin, points drawn by the seed: a file of its own, since most analytic families draw alike."""

import torch

from jdbench.problem import seeded
from jdbench.shapes import Vector


def in_box(seed: int, low: Vector | list[float], high: Vector | list[float]) -> Vector:
    """Return a point drawn uniformly from a box, shape ``[n]``, float64.

    Args:
        seed: Number of the run.
        low: Least coordinates, shape ``[n]``.
        high: Largest coordinates, shape ``[n]``.

    Returns:
        The point.
    """
    low, high = (torch.as_tensor(side, dtype=torch.float64) for side in (low, high))
    return low + (high - low) * torch.rand(len(low), dtype=torch.float64, generator=seeded(seed))


def in_shell(seed: int, n: int, inner: float, outer: float) -> Vector:
    """Return a point in a random direction from the origin, shape ``[n]``, float64.

    Args:
        seed: Number of the run.
        n: Number of parameters.
        inner: Least norm, positive.
        outer: Largest norm; in between it is drawn uniformly.

    Returns:
        The point.
    """
    generator = seeded(seed)
    direction = torch.randn(n, dtype=torch.float64, generator=generator)
    share = torch.rand((), dtype=torch.float64, generator=generator)
    return direction / direction.norm() * (inner + (outer - inner) * share)
