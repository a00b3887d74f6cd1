"""Checks of what a problem says about itself: starts, shapes, batches, precisions, Jacobian, convexity, β."""

import math

import torch

from jdbench.problem import seeded
from jdbench.problem_checks.samples import Samples, change, clip, index_of_largest, method_slack


def check_starts(s: Samples) -> list[str]:
    """Starts are repeatable, distinct for eight seeds, finite float64 points of the domain, and not optimal."""
    low, high = s.problem.domain
    found: list[str] = []
    again = torch.stack([s.problem.start(seed) for seed in range(1, len(s.starts) + 1)])
    if s.starts.dtype != torch.float64:
        found.append(f"required float64, got {s.starts.dtype}")
    if not torch.equal(again, s.starts):
        found.append("required the same point whenever a seed comes back, got another")
    if len(s.starts.unique(dim=0)) < len(s.starts):
        found.append(f"required {len(s.starts)} distinct points for as many seeds, got fewer")
    if not bool(s.starts.isfinite().all() & (s.starts >= low).all() & (s.starts <= high).all()):
        found.append(f"required finite points within {low} to {high}, got others")
    # Where everything is optimal there is no other place to start.
    if bool((s.problem.distance(s.starts) <= 0).any()) and bool((s.problem.distance(s.x) > 0).any()):
        found.append("required starts off the Pareto set, got distance 0")
    return found


def check_shapes(s: Samples) -> list[str]:
    """Every method gives the shape and dtype of its contract, in both precisions and for any batch."""
    p, found = s.problem, []
    for dtype in (torch.float64, torch.float32):
        x = s.x[:6].to(dtype).reshape(-1, min(2, len(s.x)), p.n) if len(s.x) >= 6 else s.x[:1].to(dtype)
        for name, trailing in (("objectives", (p.m,)), ("jacobian", (p.m, p.n)), ("distance", ())):
            value = getattr(p, name)(x)
            if value.shape != (*x.shape[:-1], *trailing) or value.dtype != dtype:
                required = [*x.shape[:-1], *trailing]
                found.append(f"{name}: required {required} {dtype}, got {list(value.shape)} {value.dtype}")
    if s.optimal.shape[1:] != (p.n,) or s.optimal.dtype != torch.float64:
        found.append(f"pareto_set: required [k, {p.n}] float64, got {list(s.optimal.shape)} {s.optimal.dtype}")
    if bool(len(s.optimal)) != p.attained:
        found.append(f"pareto_set: required points if and only if attained={p.attained}, got {len(s.optimal)}")
    return found


def check_batches(s: Samples) -> list[str]:
    """A batch gives what each of its points gives alone."""
    found: list[str] = []
    x = torch.cat([s.x[:32], s.optimal[:32]])
    for name in ("objectives", "jacobian", "distance"):
        method = getattr(s.problem, name)
        gap = (method(x) - torch.stack([method(point) for point in x])).abs()
        if not bool((gap <= method_slack(s, name, torch.float64)).all()):
            i = index_of_largest(gap)[0]
            found.append(f"{name} is off by {float(gap.max()):.3g} from the point alone, at {x[i].tolist()}")
    return found


def check_single_precision(s: Samples) -> list[str]:
    """float32 agrees with float64 at the same points."""
    found: list[str] = []
    x = torch.cat([s.x, s.optimal]).float()
    for name in ("objectives", "jacobian", "distance"):
        method = getattr(s.problem, name)
        gap = (method(x).double() - method(x.double())).abs()
        slack = method_slack(s, name, torch.float32)
        if not bool((gap <= slack).all()):
            i = index_of_largest(gap)[0]
            found.append(f"{name} is off by {float(gap.max()):.3g}, rounding {slack:.3g}, at {x[i].tolist()}")
    return found


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
