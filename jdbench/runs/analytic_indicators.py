"""What a run on an analytic problem was like, as numbers: pure functions of the paths of a batch of runs.

Everywhere T is the number of steps, b of runs, and entries that do not exist are NaN: those after the end of
a run that ended early, and those of every step where nothing is defined. Means, medians and extremes pass over
them.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.aggregators import MGDA
from jdbench.problem import AnalyticProblem
from jdbench.rounding import gamma, non_conflicting, row_norms
from jdbench.shapes import Jacobian, Objectives, Vector, Weights

Indicators = Mapping[str, Tensor]
"""Numbers by name, each of shape ``[b]``, float64."""

TARGETS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
"""Shares of the distance at the start that a run may come within."""

REACHED_SHARE = TARGETS[-1]
"""A run has reached the front when its distance is this times that of the start."""

LATE = 0.1
"""The share of a run, at its end, of which `motion` gives the drift."""


class Paths(NamedTuple):
    """A batch of runs, step by step.

    Attributes:
        x: Points, shape ``[T + 1, b, n]``.
        f: Objectives there, ``[T + 1, b, m]``.
        jacobians: Jacobians there, ``[T + 1, b, m, n]``.
        distance: Distances there, ``[T + 1, b]``.
        directions: Aggregations, ``[T, b, n]``.
        weights: Their weights, ``[T, b, m]``, or None.
        finished: Which runs finished, ``[b]``.
    """

    x: Vector
    f: Objectives
    jacobians: Jacobian
    distance: Tensor
    directions: Vector
    weights: Weights | None
    finished: Tensor


def rounding_floor(problem: AnalyticProblem, start: Vector) -> Tensor:
    """Return the distance ``[b]`` below which rounding hides progress from starts ``[b, n]``, in its own unit.

    A float64 point is a point up to u‖x‖, u = 2⁻⁵³, and ‖x‖ ≤ ‖x₁‖ + d₁ where the run ends at the set, d₁ being
    the distance at the start x₁. A distance among parameters is a difference of two such, summed over n
    coordinates: γₙ₊₂ (‖x₁‖ + d₁). Among objective values the rounding of x counts ‖Jf‖_F u‖x‖, and that of f
    its own size: γ of m + n + 2 operations times ‖f(x₁)‖ + ‖Jf(x₁)‖_F ‖x₁‖ + d₁. The start's values stand for
    the run's, so that all runs from a start share a floor; it is positive unless start and distance are 0. A
    distance may well be exact beyond it, as EWQ's is; no number of decades below it is progress that another
    problem could show.
    """
    distance, norm = problem.distance(start), start.norm(dim=-1)
    if problem.space == "x":
        return gamma(problem.n + 2) * (norm + distance)
    slope = problem.jacobian(start).flatten(-2).norm(dim=-1)
    values = problem.objectives(start).norm(dim=-1)
    return gamma(problem.m + problem.n + 2) * (values + slope * norm + distance)


def convergence(distance: Tensor, finished: Tensor, floor: Tensor) -> Indicators:
    """Return how fast the distance fell: its areas, ends, and the steps to `TARGETS`.

    Args:
        distance: Distances d, shape ``[T + 1, b]``.
        finished: Which runs finished, shape ``[b]``; the others have infinite areas and reach nothing.
        floor: Of `rounding_floor`, shape ``[b]``.

    Returns:
        ``area``, the mean of d over the run by the trapezoidal rule; ``log_area``, the same of
        log₁₀(max(d, floor) / d₁), decades gained, negative, at a start on the front itself counted from the
        floor; ``start`` d₁ and ``final``; ``steps_to_1e-1`` to ``steps_to_1e-5``, the first step with d at most
        that times d₁, and ``steps_to_reach``, the last of them: infinite where there is none.
    """
    sound = finished & torch.isfinite(distance).all(0)
    start = distance[0]
    tiny = torch.finfo(distance.dtype).tiny
    least = floor.clamp(min=tiny)
    unit = torch.maximum(start, least)
    logarithm = (torch.maximum(distance, least) / unit).log10()
    found = {
        "area": torch.where(sound, _mean_over_run(distance), torch.inf),
        "log_area": torch.where(sound, _mean_over_run(logarithm), torch.inf),
        "start": start,
        "final": torch.where(sound, distance[-1], torch.inf),
    }
    for target in TARGETS:
        within = (distance <= target * start) & sound
        first = within.to(torch.int8).argmax(0).to(distance.dtype)
        found[f"steps_to_{target:.0e}".replace("e-0", "e-")] = torch.where(within.any(0), first, torch.inf)
    found["steps_to_reach"] = found["steps_to_1e-5"]
    return found


def end_stationarity(J: Jacobian, first: Jacobian) -> Indicators:
    """Return how stationary end points are, whether optimal or not.

    Args:
        J: Jacobians at the ends, shape ``[b, m, n]``.
        first: Jacobians at the starts, same shape.

    Returns:
        ``stationarity``, min over the simplex of ‖Jᵀw‖ ([JD] eq. 27); ``stationarity_relative``, over the
        largest row norm of J, 0 where all rows are 0; ``stationarity_of_start``, over that at the start. The
        second separates a stall, where gradients oppose each other, from a slope; the third shows where
        all gradients vanish.
    """
    unsound = ~torch.isfinite(J).all(-1).all(-1)
    J = torch.where(unsound[:, None, None], 0.0, J).clamp(-1e150, 1e150)
    shortest = MGDA()(J).norm(dim=-1)
    now, before = row_norms(J).amax(-1), row_norms(first).amax(-1)
    found = {
        "stationarity": shortest,
        "stationarity_relative": _share(shortest, now),
        "stationarity_of_start": _share(shortest, before),
    }
    return {name: torch.where(unsound, torch.nan, values) for name, values in found.items()}


def rises(f: Objectives) -> Indicators:
    """Return how often and how far steps raise an objective.

    A step raises fᵢ if it adds more than the rounding of m + 2 operations on the larger of |fᵢ| before it and
    at the start.

    Args:
        f: Objectives, shape ``[T + 1, b, m]``.

    Returns:
        ``rises``, the share of steps that raise an objective; ``largest_rise``, the most that a step adds to
        one, relative to |fᵢ| at the start (to the largest of them where that is 0); 0 for no rise.
    """
    taken = ~torch.isnan(f).any(-1)[1:]
    initial = f[0].abs()
    scale = torch.where(initial > 0, initial, initial.amax(-1, keepdim=True))
    scale = torch.where(scale > 0, scale, 1.0)
    added = f[1:] - f[:-1]
    counts = added > gamma(f.shape[-1] + 2) * torch.maximum(f[:-1].abs(), initial)
    largest = torch.where(counts, added / scale, 0.0).amax(-1).amax(0) if len(added) else scale[:, 0] * 0
    return {
        "rises": _share(counts.any(-1).sum(0).to(f), taken.sum(0).to(f), torch.nan),
        "largest_rise": largest,
    }


def motion(x: Vector) -> Indicators:
    """Return how far and how straight the points moved.

    Args:
        x: Points, shape ``[T + 1, b, n]``.

    Returns:
        ``path_length``, Σ‖xₜ₊₁ - xₜ‖; ``smoothness``, the mean cosine of consecutive steps, 1 on a line and -1
        where every step undoes the last, NaN with fewer than two steps; ``drift``, the share of the length
        that lies in the last tenth of the run's steps, near 0 for a run that came to rest.
    """
    steps = x[1:] - x[:-1]
    lengths = steps.norm(dim=-1)
    units = steps / lengths.unsqueeze(-1)
    total = lengths.nansum(0)
    late = lengths[len(lengths) - int(len(lengths) * LATE) :].nansum(0)
    return {
        "path_length": total,
        "smoothness": (units[1:] * units[:-1]).sum(-1).nanmean(0),
        "drift": _share(late, total),
    }


def agreement(J: Jacobian, directions: Vector) -> Indicators:
    """Return how the directions lie to the gradients.

    Args:
        J: Jacobians, shape ``[T, b, m, n]``.
        directions: Aggregations, shape ``[T, b, n]``.

    Returns:
        ``worst_margin``, the least margin of non-conflict ([JD] Definition 1), minus infinity where an
        aggregation was NaN and infinity where none was made; ``mean_cosine``, the mean cosine to the mean
        gradient, over steps where both are not 0.
    """
    made = torch.isfinite(J).all(-1).all(-1)
    if not len(J):
        return {
            "worst_margin": directions.new_full(made.shape[1:], torch.inf),
            "mean_cosine": made.sum(0) * torch.nan,
        }
    margins = non_conflicting(J, directions).nan_to_num(nan=-torch.inf)
    mean = J.mean(-2)
    lengths = mean.norm(dim=-1) * directions.norm(dim=-1)
    return {
        "worst_margin": torch.where(made, margins, torch.inf).amin(0),
        "mean_cosine": ((mean * directions).sum(-1) / lengths).nanmean(0),
    }


def sizes(J: Jacobian, weights: Weights | None) -> Indicators:
    """Return the sizes of rows and weights over the run.

    Args:
        J: Jacobians, shape ``[T, b, m, n]``.
        weights: Weights w of their aggregations, shape ``[T, b, m]``, or None.

    Returns:
        ``decades_median`` and ``decades_largest`` of log₁₀ of the ratio of the largest row norm to the
        smallest that is not 0; with weights also ``weights_median`` and ``weights_largest`` of ‖w‖, and
        ``weights``, the largest Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖.
    """
    norms = row_norms(J)
    found = _median_and_largest("decades", decades(norms))
    if weights is not None:
        found |= _median_and_largest("weights", weights.norm(dim=-1))
        found["weights"] = _largest(_share((weights.abs() * norms).sum(-1), norms.amax(-1)))
    return found


def decades(norms: Tensor) -> Tensor:
    """Return log₁₀ of the ratio of the largest to the smallest positive of norms, over the last dimension.

    It is at least 0, and 0 where fewer than two are positive.
    """
    logarithms = norms.log10()
    smallest = torch.where(norms > 0, logarithms, torch.inf).amin(-1)
    spread = logarithms.amax(-1) - smallest
    return torch.where(torch.isnan(norms).any(-1), torch.nan, spread.clamp(min=0))


def analytic_indicators(paths: Paths, floor: Tensor) -> dict[str, Tensor]:
    """Return all indicators of a batch of runs, whose floor is that of `rounding_floor`.

    They are those of `convergence`, `end_stationarity` (of runs that finished), `rises`, `motion`, `agreement`
    and `sizes`.
    """
    ends = end_stationarity(paths.jacobians[-1], paths.jacobians[0])
    return {
        **convergence(paths.distance, paths.finished, floor),
        **{name: torch.where(paths.finished, values, torch.nan) for name, values in ends.items()},
        **rises(paths.f),
        **motion(paths.x),
        **agreement(paths.jacobians[:-1], paths.directions),
        **sizes(paths.jacobians[:-1], paths.weights),
    }


def _mean_over_run(values: Tensor) -> Tensor:
    return torch.trapezoid(values, dim=0) / (len(values) - 1) if len(values) > 1 else values[0]


def _share(part: Tensor, whole: Tensor, otherwise: float = 0.0) -> Tensor:
    """Return part / whole, and ``otherwise`` where the whole is 0."""
    return torch.where(whole != 0, part / torch.where(whole != 0, whole, 1.0), otherwise)


def _largest(values: Tensor) -> Tensor:
    if not len(values):
        return values.new_full(values.shape[1:], torch.nan)
    largest = values.nan_to_num(nan=-torch.inf).amax(0)
    return torch.where(largest == -torch.inf, torch.nan, largest)


def _median_and_largest(name: str, values: Tensor) -> dict[str, Tensor]:
    median = values.nanmedian(0).values if len(values) else values.new_full(values.shape[1:], torch.nan)
    return {f"{name}_median": median, f"{name}_largest": _largest(values)}
