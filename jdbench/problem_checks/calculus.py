"""Checks of what a problem says about its derivatives: Jacobian, convexity, β."""

import math

import torch

from jdbench.problem import seeded
from jdbench.problem_checks.samples import Samples, change, clip, index_of_largest


def check_jacobian_by_autodiff(s: Samples) -> list[str]:
    """The Jacobian is that of automatic differentiation, wherever that is finite."""
    found: list[str] = []
    for x in (s.x, s.optimal):
        if not len(x):
            continue
        expected = torch.stack([torch.func.jacrev(s.problem.objectives)(point) for point in x])
        # A root has no derivative at 0 for automatic differentiation.
        gap = (s.problem.jacobian(x) - expected).abs().where(expected.isfinite(), 0)
        slack = s.slack(expected.nan_to_num(0, 0, 0), change(s, s.x))
        if not bool((gap <= slack).all()):
            i, row, column = index_of_largest(gap)
            found.append(
                f"entry ({row}, {column}) is off by {float(gap[i, row, column]):.3g}, rounding {slack:.3g}, "
                f"at {x[i].tolist()}"
            )
    return found


def check_convexity(s: Samples) -> list[str] | None:
    """No chord is below a convex objective."""
    p = s.problem
    if not p.convex:
        return None
    x, y = torch.cat([s.x, s.x]), torch.cat([s.x.roll(1, 0), s.x.roll(7, 0)])
    t = torch.rand(len(x), 1, dtype=torch.float64, generator=seeded(s.seed + 1))
    above = p.objectives(t * x + (1 - t) * y) - (t * p.objectives(x) + (1 - t) * p.objectives(y))
    slack = 2 * s.slack(p.objectives(s.x), p.jacobian(s.x))
    if bool((above <= slack).all()):
        return []
    i, row = index_of_largest(above)
    return [
        f"objective {row} is {float(above[i, row]):.3g} above its chord from {x[i].tolist()} to "
        f"{y[i].tolist()} though convex=True"
    ]


def check_smoothness(s: Samples) -> list[str] | None:
    """No pair of points, near or far, has ‖Jf(x) - Jf(y)‖_F > β‖x - y‖."""
    p = s.problem
    if p.beta is None:
        return None
    x = torch.cat([s.x, s.optimal])
    near = x + 1e-3 * torch.randn(x.shape, dtype=torch.float64, generator=seeded(s.seed + 2))
    x, y = torch.cat([x, x, x]), torch.cat([x.roll(1, 0), x.roll(7, 0), clip(p, near)])
    turn, length = (p.jacobian(x) - p.jacobian(y)).flatten(1).norm(dim=-1), (x - y).norm(dim=-1)
    slack = 2 * math.sqrt(p.m * p.n) * s.slack(p.jacobian(x), change(s, s.x))
    over = turn - p.beta * length
    if bool((over <= slack).all()):
        return []
    i = index_of_largest(turn / length.clamp(min=1e-300) * (over > slack))[0]
    return [
        f"J changes by {float(turn[i] / length[i]):.6g} a unit from {x[i].tolist()} to "
        f"{y[i].tolist()}, beta={p.beta:.6g}"
    ]
