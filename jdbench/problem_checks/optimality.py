"""Checks of the Pareto set: none of its points dominated, those inside the domain stationary.

Points that are provably optimal, minimisers of wᵀf, w > 0, of convex objectives, come by Newton's method.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from jdbench.aggregators import MGDA
from jdbench.problem import AnalyticProblem, seeded
from jdbench.problem_checks.samples import Samples, change, clip, differences, index_of_largest


def check_dominance(s: Samples) -> list[str] | None:
    """No point of the set is dominated by another, by a neighbour, by a sample or by where descent leads."""
    p = s.problem
    if not len(s.optimal):
        return None
    generator = seeded(s.seed)
    near = [
        s.optimal + size * torch.randn(s.optimal.shape, dtype=torch.float64, generator=generator)
        for size in (1e-1, 1e-2, 1e-3)
    ]
    others = torch.cat([s.optimal, s.x, *(clip(p, points) for points in near)])
    others = torch.cat([others, descended(p, torch.cat([s.optimal, s.x]))])
    others = others[((others >= p.domain[0]) & (others <= p.domain[1])).all(-1)]
    wrong = dominated(s, p.objectives(s.optimal), p.objectives(others))
    if not bool(wrong.any()):
        return []
    return [f"{int(wrong.sum())} of {len(wrong)} points are dominated, as is {s.optimal[wrong][0].tolist()}"]


def check_stationarity(s: Samples) -> list[str] | None:
    """Points of the set inside the domain are stationary: min over the simplex of ‖Jᵀw‖ is zero."""
    p = s.problem
    inside = s.optimal[((s.optimal > p.domain[0]) & (s.optimal < p.domain[1])).all(-1)]
    if not len(inside):
        return None
    J = p.jacobian(inside)
    residual = MGDA()(J).norm(dim=-1)
    slack = math.sqrt(p.m * p.n) * s.slack(J, change(s, inside))
    if bool((residual <= slack).all()):
        return []
    i = index_of_largest(residual)[0]
    return [f"min ‖Jᵀw‖ is {float(residual[i]):.3g}, rounding {slack:.3g}, at {inside[i].tolist()} of the set"]


def dominated(s: Samples, values: Tensor, others: Tensor) -> Tensor:
    """Return which of the values ``[k, m]`` are dominated by one of the others ``[l, m]``, shape ``[k]``.

    A value is if no objective prefers it, as computed, and one is worse by far more than rounding τ: where a
    front ends an objective is flat, and hides changes of the others of the order √τ.
    """
    p = s.problem
    x = torch.cat([s.x, s.optimal])
    rounding = s.slack(values, p.jacobian(s.optimal if len(s.optimal) else x))
    spread = float((values.amax(0) - values.amin(0)).max()) if len(values) > 1 else 0.0
    far = 16 * math.sqrt(rounding * max(spread, rounding))
    found = torch.zeros(len(values), dtype=torch.bool)
    for i, value in enumerate(values):
        gain = value - others
        least, most = gain.amin(-1), gain.amax(-1)
        found[i] = bool((((least >= 0) & (most > far)) | (least > 2 * rounding)).any())
    return found


def descended(problem: AnalyticProblem, x: Tensor, steps: int = 30) -> Tensor:
    """Return where MGDA's common descent direction leads, a fourth of each step until all objectives fall.

    No start ``[k, n]`` is preferred to the point ``[k, n]`` that it leads to.
    """
    x = x.clone()
    for _ in range(steps):
        d = MGDA()(problem.jacobian(x))
        value = problem.objectives(x)
        rate = torch.ones(len(x), 1, dtype=torch.float64)
        moved = torch.zeros(len(x), 1, dtype=torch.bool)
        for _ in range(12):
            trial = clip(problem, x - rate * d)
            better = (problem.objectives(trial) <= value).all(-1, keepdim=True) & ~moved
            x, moved = trial.where(better, x), moved | better
            rate = rate / 4
    return x


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
