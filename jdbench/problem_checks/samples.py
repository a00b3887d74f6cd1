"""What the checks of a problem look at, and how far rounding takes a computed value.

A computed value is taken for the exact one at a point, and with a factor, that are off by γₖ, k = 16n
operations (backward error): with u the unit roundoff that is

    τ(v) = γₖ (max |v| + s · max |v′|),

s the largest coordinate of the points and v′ the derivative, from the Jacobian or from differences of it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem, seeded
from jdbench.rounding import gamma


@dataclass(frozen=True)
class Samples:
    """What the checks look at.

    Attributes:
        problem: The problem.
        x: Points of the domain around the starts and the set, shape ``[k, n]``.
        optimal: Points of the Pareto set, shape ``[p, n]``.
        starts: The starts of the first seeds, shape ``[8, n]``.
        seed: Seed of further draws.
    """

    problem: AnalyticProblem
    x: Tensor
    optimal: Tensor
    starts: Tensor
    seed: int

    @property
    def size(self) -> float:
        """The largest coordinate, at least 1: constants of the problem are taken to be no larger."""
        return max(1.0, *(float(p.abs().max()) for p in (self.x, self.optimal, self.starts) if len(p)))

    def slack(self, values: Tensor, slopes: Tensor, dtype: torch.dtype = torch.float64) -> float:
        """Return τ(v), the error of a computed value, from values and their derivatives at the samples."""
        largest = [float(t.abs().max()) if t.numel() else 0.0 for t in (values, slopes)]
        return gamma(16 * self.problem.n, dtype) * (largest[0] + self.size * largest[1])


def draw_samples(problem: AnalyticProblem, count: int, seed: int) -> Samples:
    """Return points of the box around starts and set, widened by a quarter, and points beside both."""
    starts_ = torch.stack([problem.start(k) for k in range(1, 9)])
    optimal = problem.pareto_set(count)
    known = torch.cat([starts_.double(), optimal.double().reshape(-1, problem.n)])
    low, high = known.amin(0), known.amax(0)
    margin = (high - low) / 4
    generator = seeded(seed)
    share = torch.rand(count, problem.n, dtype=torch.float64, generator=generator)
    box = low - margin + share * (high - low + 2 * margin)
    return Samples(problem, clip(problem, torch.cat([box, starts_.double()])), optimal, starts_, seed)


def clip(problem: AnalyticProblem, x: Tensor) -> Tensor:
    """Return the points moved into the domain, shape ``[k, n]``."""
    return x.clamp(*problem.domain)


def index_of_largest(values: Tensor) -> tuple[int, ...]:
    """Return the index of the largest entry, NaN before all others."""
    flat = int(values.nan_to_num(nan=math.inf).argmax())
    return tuple(int(i) for i in torch.unravel_index(torch.tensor(flat), values.shape))


def differences(function: Callable[[Tensor], Tensor], x: Tensor, step: float) -> Tensor:
    """Return central differences along each coordinate, shape ``[k, …, n]``."""
    shifts = step * torch.eye(x.shape[-1], dtype=x.dtype)
    return torch.stack([(function(x + shift) - function(x - shift)) / (2 * step) for shift in shifts], -1)


def change(s: Samples, x: Tensor) -> Tensor:
    """Return how fast the Jacobian changes at points, by differences along random directions."""
    turn = torch.randn(x.shape, dtype=torch.float64, generator=seeded(s.seed + 3))
    step = 1e-6 * s.size * turn / turn.norm(dim=-1, keepdim=True)
    speed = (s.problem.jacobian(x + step) - s.problem.jacobian(x)) / (1e-6 * s.size)
    # Across a jump there is no derivative: the typical one, not the largest, gives the rounding.
    return speed.flatten(1).abs().amax(-1).nan_to_num(0, 0, 0).quantile(0.9)


def method_slack(s: Samples, name: str, dtype: torch.dtype) -> float:
    """Return τ of ``objectives``, ``jacobian`` or ``distance`` at the samples, in a dtype."""
    p = s.problem
    x = torch.cat([s.x, s.optimal])
    if name == "jacobian":
        return s.slack(p.jacobian(x), change(s, x), dtype)
    values = s.slack(p.objectives(x), p.jacobian(x), dtype)
    if name == "objectives":
        return values
    # A distance is no further off than its argument.
    if p.space == "f":
        return math.sqrt(p.m) * values
    return math.sqrt(p.n) * s.slack(x, torch.zeros(0), dtype)
