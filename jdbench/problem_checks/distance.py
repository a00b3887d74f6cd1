"""Checks of the distance to the Pareto set or front, and of where it leads.

The point d∇d away is of the front, or of the Pareto set, if the distance is right.
"""

import math

import torch
from torch import Tensor

from jdbench.problem_checks.optimality import MOST_PARAMETERS, descended, dominated, minimisers
from jdbench.problem_checks.samples import Samples, clip, differences, index_of_largest, method_slack

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


def check_set_distance(s: Samples) -> list[str] | None:
    """The distance of points of the set is zero."""
    if not len(s.optimal):
        return None
    distance, slack = s.problem.distance(s.optimal), method_slack(s, "distance", torch.float64)
    if bool((distance <= slack).all()):
        return []
    i = index_of_largest(distance)[0]
    return [f"is {float(distance[i]):.3g} on the set, rounding {slack:.3g}, at {s.optimal[i].tolist()}"]


def check_distance_bound(s: Samples) -> list[str]:
    """The distance is no larger than that to any point of the set, and never negative."""
    distance = s.problem.distance(s.x)
    found: list[str] = []
    if not bool((distance >= 0).all()):
        found.append(f"is {float(distance.min()):.3g}, required a number ≥ 0")
    if len(s.optimal):
        least = _apart(s, s.x, s.optimal).amin(-1)
        over = distance - least
        if not bool((over <= method_slack(s, "distance", torch.float64)).all()):
            i = index_of_largest(over)[0]
            found.append(
                f"is {float(distance[i]):.6g}, yet a point of the set is {float(least[i]):.6g} away, at "
                f"{s.x[i].tolist()}"
            )
    return found


def check_distance_off_the_set(s: Samples) -> list[str]:
    """The distance is positive where every objective can be improved, and wherever nothing is attained."""
    p = s.problem
    distance = p.distance(s.x)
    if not p.attained:
        return [] if bool((distance > 0).all()) else ["is 0 although no point is optimal"]
    worse = dominated(s, p.objectives(s.x), p.objectives(torch.cat([s.optimal, s.x])))
    wrong = worse & (distance <= 0)
    return [f"is 0 at a dominated point, {s.x[wrong][0].tolist()}"] if bool(wrong.any()) else []


def check_distance_lipschitz(s: Samples) -> list[str]:
    """No two points differ in distance by more than they are apart, near or far, of the set or not."""
    distance = s.problem.distance
    slack = 2 * method_slack(s, "distance", torch.float64)
    x = torch.cat([s.x, s.optimal])
    over = (distance(x).unsqueeze(-1) - distance(x)).abs() - _apart(s, x, x)
    if bool((over <= slack).all()):
        return []
    i, j = index_of_largest(over)
    return [
        f"changes by {float(over[i, j]):.3g} more than the way from {x[i].tolist()} to {x[j].tolist()}, where "
        f"it is {float(distance(x[i])):.6g} and {float(distance(x[j])):.6g}"
    ]


def check_distance_of_optima(s: Samples) -> list[str] | None:
    """The distance of points that are provably optimal is zero, whether the set has them or not."""
    p = s.problem
    if not (p.convex and p.attained) or p.n > MOST_PARAMETERS:
        return None
    x, error = minimisers(s)
    if not len(x):
        return None
    if p.space == "f":
        # As far as the gradients take it; twice, for they change on the way.
        error = 2 * error * p.jacobian(x).flatten(1).norm(dim=-1)
    over = p.distance(x) - error
    if bool((over <= 2 * method_slack(s, "distance", torch.float64)).all()):
        return []
    i = index_of_largest(over)[0]
    return [f"is {float(p.distance(x[i])):.6g} at an optimal point, a minimiser of wᵀf, w > 0, {x[i].tolist()}"]


def check_distance_slope(s: Samples) -> list[str] | None:
    """The distance changes at unit speed: off the set its gradient, where it is measured, has norm 1."""
    # Almost everywhere, as for any distance; differences across a ridge miss it, so that one sample in ten may.
    _, _, gradient = gradients(s)
    if len(gradient) < 10:
        return None
    off = (gradient.norm(dim=-1) - 1).abs() > GRADIENT_ERROR
    if float(off.double().mean()) <= 0.1:
        return []
    median = float(gradient.norm(dim=-1).median())
    return [
        f"changes at speed {median:.3g} in the median, required 1, not at {int(off.sum())} of {len(off)} points"
    ]


def _apart(s: Samples, x: Tensor, y: Tensor) -> Tensor:
    """Return how far each point is from each other one, where the problem measures it."""
    at, to = (x, y) if s.problem.space == "x" else (s.problem.objectives(x), s.problem.objectives(y))
    return torch.cdist(at, to, compute_mode="donot_use_mm_for_euclid_dist")
