"""Points that are provably optimal: minimisers of wᵀf, w > 0, of convex objectives, by Newton's method."""

from collections.abc import Callable

import torch
from torch import Tensor

from jdbench.problem import AnalyticProblem, seeded
from jdbench.problem_checks.samples import Samples, clip, differences

STEPS = 60
HALVINGS = 20

MOST_PARAMETERS = 64
"""Differences of gradients take twice as many Jacobians as there are parameters."""

LEAST_CURVATURE = 1e-6
"""Share of the largest: differences do not resolve less, and ‖∇wᵀf‖ does not bound the way to the minimiser."""


def minimisers(s: Samples) -> tuple[Tensor, Tensor]:
    """Return minimisers of wᵀf for as many w > 0 as there are starts and samples, where they are unique.

    To improve an objective there worsens another, for any f; that a stationary point is a minimiser rests
    on convexity. The problem has at most `MOST_PARAMETERS` parameters.

    Returns:
        Points, shape ``[k, n]``, and how far each may be from the minimiser, shape ``[k]``: ‖∇wᵀf‖ over half of
        the smallest curvature, by which the whole of it is not exceeded on so short a way.
    """
    p = s.problem
    x = s.x[:: max(1, len(s.x) // 64)].clone()
    draws = torch.rand(len(x), p.m, dtype=torch.float64, generator=seeded(s.seed + 4))
    w = draws.clamp(min=1e-2) / draws.clamp(min=1e-2).sum(-1, keepdim=True)
    step = 1e-6 * s.size

    def value(points: Tensor) -> Tensor:
        return (p.objectives(points) * w).sum(-1)

    for _ in range(STEPS):
        x = _improved(p, value, x, _newton(p, w, x, step))
    gradient, curvature = _gradient(p, w, x), _curvature(p, w, x, step)
    least, most = curvature[:, 0], curvature[:, -1]
    error = 2 * gradient.norm(dim=-1) / least
    sound = (least > LEAST_CURVATURE * most) & (error < step)
    return x[sound], error[sound]


def _gradient(p: AnalyticProblem, w: Tensor, x: Tensor) -> Tensor:
    return (p.jacobian(x) * w.unsqueeze(-1)).sum(-2)


def _hessian(p: AnalyticProblem, w: Tensor, x: Tensor, step: float) -> Tensor:
    H = differences(lambda points: _gradient(p, w, points), x, step)
    return ((H + H.mT) / 2).nan_to_num(0, 0, 0)


def _curvature(p: AnalyticProblem, w: Tensor, x: Tensor, step: float) -> Tensor:
    return torch.linalg.eigvalsh(_hessian(p, w, x, step))


def _newton(p: AnalyticProblem, w: Tensor, x: Tensor, step: float) -> Tensor:
    values, vectors = torch.linalg.eigh(_hessian(p, w, x, step))
    floor = (1e-9 * values.abs().amax(-1, keepdim=True)).clamp(min=1e-12)
    along = (vectors.mT @ _gradient(p, w, x).unsqueeze(-1)).squeeze(-1) / torch.maximum(values, floor)
    return -(vectors @ along.unsqueeze(-1)).squeeze(-1)


def _improved(p: AnalyticProblem, value: Callable[[Tensor], Tensor], x: Tensor, move: Tensor) -> Tensor:
    """Return the points after the longest of the halved moves that lowers the sum, or does not raise it."""
    before, rate = value(x), torch.ones(len(x), 1, dtype=torch.float64)
    for _ in range(HALVINGS):
        worse = ~(value(clip(p, x + rate * move)) <= before)
        if not bool(worse.any()):
            break
        rate = torch.where(worse.unsqueeze(-1), rate / 2, rate)
    trial = clip(p, x + rate * move)
    return torch.where((value(trial) <= before).unsqueeze(-1), trial, x)
