"""Whether gradients oppose each other: the smallest cosine of two of them, and where it is negative."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from jdbench.analysis.frames import numbers, series
from jdbench.analysis.points import Box
from jdbench.analysis.schema import AGGREGATOR, SEED, STATE, WORST_MARGIN
from jdbench.problem import AnalyticProblem
from jdbench.rounding import cosine, normalized_rows
from jdbench.runs.record import Array
from jdbench.shapes import Jacobian

SAMPLED_STARTS = 16
"""Starts from which, and at most as many points of the Pareto set towards which, points are sampled."""

FRACTIONS = tuple(k / 8 for k in range(8))
"""How far along the way: on the set itself all gradients oppose each other or vanish, whatever the problem."""

GRID = 61
"""Points along each side of a `Plane`."""

LEVELS = 10
"""Classes of the mean objective there, each of as many points."""

POSITIVE = ("Mean", "RGW")
"""Aggregators whose weights are positive."""


def smallest_cosine(J: Jacobian) -> Tensor:
    """Return the smallest cosine of two rows, 1 for a single row; zero rows count as orthogonal to all.

    Args:
        J: Shape ``[..., m, n]``.

    Returns:
        Shape ``[...]``.
    """
    units = normalized_rows(J)
    cosines = units @ units.mT
    return cosines.where(~torch.eye(J.shape[-2], dtype=torch.bool), 1.0).amin((-2, -1))


def opposed_share(problem: AnalyticProblem) -> float:
    """Return at what share of points between starts and Pareto set some gᵢᵀgⱼ < 0.

    The points lie on the segments from `SAMPLED_STARTS` starts to points of the set, at `FRACTIONS` of these;
    they are the starts alone where there is no set. A cosine is negative where rounding cannot make it so.

    Args:
        problem: Any; its runs do not matter.

    Returns:
        0 to 1; NaN where no point has a finite Jacobian.
    """
    starts = torch.stack([problem.start(seed) for seed in range(1, SAMPLED_STARTS + 1)])
    targets = problem.pareto_set(SAMPLED_STARTS)
    found: list[Tensor] = []
    for fraction in FRACTIONS:
        points = starts
        if len(targets):
            points = ((1 - fraction) * starts.unsqueeze(1) + fraction * targets).flatten(0, 1)
        J = problem.jacobian(points)
        J = J[torch.isfinite(J).all(-1).all(-1)]
        found.append(smallest_cosine(J) < -cosine(problem.n))
    opposed = torch.cat(found)
    return float(opposed.double().mean()) if len(opposed) else math.nan


class Plane(NamedTuple):
    """A plane of parameters in a grid of `GRID` points a side, the first row on top.

    Attributes:
        inside: Which points lie in the problem's domain.
        cosines: The smallest cosine of two gradients.
        opposed: Whether it is negative somewhere inside.
        shades: The mean objective in `LEVELS` equally frequent classes, 0 for the least and 1 for the most;
            only where nothing is opposed.
    """

    inside: npt.NDArray[np.bool_]
    cosines: Array
    opposed: bool
    shades: Array


def plane(problem: AnalyticProblem, box: Box) -> Plane:
    """Return what gradients and objectives of a problem of two parameters are like within limits."""
    x, y = (np.linspace(low, high, GRID) for low, high in box)
    points = torch.from_numpy(np.stack(np.meshgrid(x, y[::-1]), -1))
    inside = ((points >= problem.domain[0]) & (points <= problem.domain[1])).all(-1).numpy()
    cosines = smallest_cosine(problem.jacobian(points)).numpy()
    if (cosines[inside] < 0).any():
        return Plane(inside, cosines, opposed=True, shades=np.empty(0))
    mean = problem.objectives(points).mean(-1).numpy()
    edges = np.quantile(mean[inside & np.isfinite(mean)], np.linspace(0, 1, LEVELS + 1)[1:-1])
    return Plane(inside, cosines, opposed=False, shades=np.searchsorted(edges, mean) / (LEVELS - 1))


def conflict_share(runs: pd.DataFrame, tolerance: float) -> float:
    """Return in what share of the seeds runs prove that gradients opposed each other.

    An update Jᵀw with w > 0 that conflicts with gᵢ, gᵢᵀJᵀw < 0, proves that gᵢᵀgⱼ < 0 for some j. The converse
    does not hold: gradients may oppose each other and their mean conflict with none, as two of equal norm.

    Args:
        runs: Selected runs on a problem; those by other aggregators than `POSITIVE` prove nothing.
        tolerance: Margins below minus this conflict.

    Returns:
        0 to 1, of the seeds that one of these aggregators finished; NaN if there are none.
    """
    if WORST_MARGIN not in runs:
        return math.nan
    margins = numbers(runs, WORST_MARGIN)
    finished = (series(runs, STATE) == "finished").to_numpy(dtype=np.bool_)
    telling = series(runs, AGGREGATOR).isin(POSITIVE).to_numpy() & finished & np.isfinite(margins)
    proofs: dict[float, bool] = {}
    for seed, proven in zip(numbers(runs, SEED)[telling], (margins < -tolerance)[telling], strict=True):
        proofs[seed] = proofs.get(seed, False) or bool(proven)
    return float(np.mean(list(proofs.values()))) if proofs else math.nan
