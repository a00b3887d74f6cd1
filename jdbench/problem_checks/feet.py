"""Where a distance leads, d∇d away: a point of the front, or of the Pareto set, if the distance is right."""

import math

import torch
from torch import Tensor

from jdbench.problem_checks.optimality import descended
from jdbench.problem_checks.samples import Samples, clip, differences, index_of_largest

GRADIENT_ERROR = 1e-3
"""Differences are off by the curvature times the step, and by rounding over it; this is far above both."""

ACROSS_A_RIDGE = 0.1
"""Differences across a ridge, where the nearest point changes, lead nowhere: so many samples may be there."""


def check_distance_foot(s: Samples) -> list[str] | None:
    """The point to which the distance leads is on the front, or optimal and at distance zero.

    A distance that changes no faster than its argument, is zero at what is optimal and leads to what is optimal
    is right.

    Returns:
        What is wrong; None where the samples do not decide.
    """
    return _foot_among_values(s) if s.problem.space == "f" else _foot_among_parameters(s)


def _foot_among_values(s: Samples) -> list[str] | None:
    # Told of fronts of two objectives, all of which the samples cover, as near as they do.
    p = s.problem
    if p.m != 2 or len(s.optimal) < 2:
        return None
    values, distance, gradient = gradients(s)
    if len(values) < 10:
        return None
    front = p.objectives(s.optimal)
    front = front[front[:, 0].argsort()]
    spacing = float(front.diff(dim=0).norm(dim=-1).max())
    foot = values - distance.unsqueeze(-1) * gradient
    away = torch.cdist(foot, front).amin(-1)
    wrong = away > spacing + GRADIENT_ERROR * distance
    if float(wrong.double().mean()) <= ACROSS_A_RIDGE:
        return []
    i = index_of_largest(away)[0]
    return [f"leads from {values[i].tolist()} to {foot[i].tolist()}, {float(away[i]):.3g} off the front"]


def _foot_among_parameters(s: Samples) -> list[str] | None:
    p = s.problem
    x, distance, gradient = gradients(s)
    if len(x) < 10:
        return None
    foot = clip(p, x - distance.unsqueeze(-1) * gradient)
    found: list[str] = []
    left = p.distance(foot)
    wrong = left > GRADIENT_ERROR * distance
    if float(wrong.double().mean()) > ACROSS_A_RIDGE:
        i = index_of_largest(left)[0]
        found.append(
            f"leads from {x[i].tolist()} to {foot[i].tolist()}, where it is {float(left[i]):.3g}, not 0"
        )
    better, worse = _dominator(s, foot)
    wrong = worse & (left <= step(s))  # however it was found, it is said to be optimal
    if bool(wrong.any()):
        i = int(wrong.nonzero()[0])
        found.append(
            f"is {float(left[i]):.3g} at {foot[i].tolist()}, which {better[i].tolist()} dominates, with "
            f"{p.objectives(better[i]).tolist()} for {p.objectives(foot[i]).tolist()}"
        )
    return found


def _dominator(s: Samples, foot: Tensor) -> tuple[Tensor, Tensor]:
    """Return what improves each foot most, and whether it does so by more than a foot is off.

    That is h, the step of the differences, for those that are asked for. Where the set ends an objective is
    flat, and hides changes of the others of the order of a root: see `dominated`.
    """
    p = s.problem
    values = p.objectives(foot)
    others = torch.cat([s.optimal, s.x, descended(p, foot)])
    gain = values.unsqueeze(1) - p.objectives(others)
    off = step(s) * p.jacobian(foot).norm(dim=-1).amax(-1)
    spread = (values.amax(0) - values.amin(0)).max()
    far = 16 * (off * torch.maximum(spread, off)).sqrt()
    least, most = gain.amin(-1), gain.amax(-1)
    dominates = (least > off.unsqueeze(-1)) | ((least >= 0) & (most > far.unsqueeze(-1)))
    best = torch.where(dominates, least, -math.inf).argmax(-1)
    return others[best], dominates.any(-1)


def step(s: Samples) -> float:
    """Return the step of differences of a distance."""
    return 1e-6 * s.size


def gradients(s: Samples) -> tuple[Tensor, Tensor, Tensor]:
    """Return x or f(x), the distance and its gradient there, at samples off the set where it is defined.

    For distances of f(x) the gradient v solves Jᵀv = ∇d, where J has full row rank. The shapes are ``[k, n]``
    or ``[k, m]``, ``[k]``, and that of the first; k = 0 for more than 64 parameters.
    """
    p = s.problem
    distance = p.distance(s.x)
    h = step(s)
    x = s.x[distance > 100 * h]
    if p.n > 64:
        x = x[:0]
    gradient = differences(p.distance, x, h)
    if p.space == "x" or not len(x):
        return x, p.distance(x), gradient
    J = p.jacobian(x)
    sound = torch.linalg.matrix_rank(J, rtol=1e-3) == p.m
    solved = torch.linalg.lstsq(J[sound].mT, gradient[sound].unsqueeze(-1)).solution.squeeze(-1)
    return p.objectives(x[sound]), p.distance(x[sound]), solved
