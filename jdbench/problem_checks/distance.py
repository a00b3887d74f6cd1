"""Checks of the distance to the Pareto set or front."""

import torch
from torch import Tensor

from jdbench.problem_checks.feet import GRADIENT_ERROR, gradients
from jdbench.problem_checks.optimality import dominated
from jdbench.problem_checks.samples import Samples, index_of_largest, method_slack
from jdbench.problem_checks.weighted_sums import MOST_PARAMETERS, minimisers


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
