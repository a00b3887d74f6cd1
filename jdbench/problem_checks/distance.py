"""Checks of the distance to the Pareto set or front."""

import torch
from torch import Tensor

from jdbench.problem_checks.optimality import dominated
from jdbench.problem_checks.samples import Samples, differences, largest, method_slack


def set_distance(s: Samples) -> list[str]:
    """The distance of points of the set is zero."""
    if not len(s.optimal):
        return []
    distance, slack = s.problem.distance(s.optimal), method_slack(s, "distance", torch.float64)
    if bool((distance <= slack).all()):
        return []
    i = largest(distance)[0]
    return [f"is {float(distance[i]):.3g} on the set, rounding {slack:.3g}, at {s.optimal[i].tolist()}"]


def distance_bound(s: Samples) -> list[str]:
    """The distance is no larger than that to any point of the set, and never negative."""
    p, distance = s.problem, s.problem.distance(s.x)
    found: list[str] = []
    if not bool((distance >= 0).all()):
        found.append(f"is {float(distance.min()):.3g}, required a number ≥ 0")
    if len(s.optimal):
        at, to = (s.x, s.optimal) if p.space == "x" else (p.objectives(s.x), p.objectives(s.optimal))
        least = torch.cdist(at, to, compute_mode="donot_use_mm_for_euclid_dist").amin(-1)
        over = distance - least
        if not bool((over <= method_slack(s, "distance", torch.float64)).all()):
            i = largest(over)[0]
            found.append(
                f"is {float(distance[i]):.6g}, yet a point of the set is {float(least[i]):.6g} away, at "
                f"{s.x[i].tolist()}"
            )
    return found


def distance_off_the_set(s: Samples) -> list[str]:
    """The distance is positive where every objective can be improved, and wherever nothing is attained."""
    p = s.problem
    distance = p.distance(s.x)
    if not p.attained:
        return [] if bool((distance > 0).all()) else ["is 0 although no point is optimal"]
    worse = dominated(s, p.objectives(s.x), p.objectives(torch.cat([s.optimal, s.x])))
    wrong = worse & (distance <= 0)
    return [f"is 0 at a dominated point, {s.x[wrong][0].tolist()}"] if bool(wrong.any()) else []


def distance_slope(s: Samples) -> list[str]:
    """The distance changes at unit speed: off the set its gradient, where it is measured, has norm 1."""
    # Almost everywhere, as for any distance; differences across a ridge miss it, so that one sample in ten may.
    _, _, gradient = _gradients(s)
    if len(gradient) < 10:
        return []
    # Differences are off by the curvature times the step, and by rounding over it; 1e-3 is far above both.
    off = (gradient.norm(dim=-1) - 1).abs() > 1e-3
    if float(off.double().mean()) <= 0.1:
        return []
    median = float(gradient.norm(dim=-1).median())
    return [
        f"changes at speed {median:.3g} in the median, required 1, not at {int(off.sum())} of {len(off)} points"
    ]


def distance_foot(s: Samples) -> list[str]:
    """The point to which the distance leads, f - d∇d, is on the front, as near as that is sampled."""
    # Told of fronts of two objectives that are measured among objective values, all of which the samples cover.
    p = s.problem
    if p.m != 2 or p.space != "f" or len(s.optimal) < 2:
        return []
    values, distance, gradient = _gradients(s)
    front = p.objectives(s.optimal)
    front = front[front[:, 0].argsort()]
    spacing = float(front.diff(dim=0).norm(dim=-1).max())
    foot = values - distance.unsqueeze(-1) * gradient
    away = torch.cdist(foot, front).amin(-1) if len(foot) else distance
    # The gradient, from differences, is right to 1e-3 of the distance by far; see above.
    wrong = away > spacing + 1e-3 * distance
    if len(foot) < 10 or float(wrong.double().mean()) <= 0.1:
        return []
    i = largest(away)[0]
    return [f"leads from {values[i].tolist()} to {foot[i].tolist()}, {float(away[i]):.3g} off the front"]


def _gradients(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Return x or f(x), the distance and its gradient there, at samples off the set where it is defined.

    For distances of f(x) the gradient v solves Jᵀv = ∇d, where J has full row rank.
    """
    p = s.problem
    distance = p.distance(s.x)
    step = 1e-6 * s.size
    x = s.x[distance > 100 * step]
    if p.n > 64:
        x = x[:0]
    gradient = differences(p.distance, x, step)
    if p.space == "x" or not len(x):
        return x, p.distance(x), gradient
    J = p.jacobian(x)
    sound = torch.linalg.matrix_rank(J, rtol=1e-3) == p.m
    solved = torch.linalg.lstsq(J[sound].mT, gradient[sound].unsqueeze(-1)).solution.squeeze(-1)
    return p.objectives(x[sound]), p.distance(x[sound]), solved
