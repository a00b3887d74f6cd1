"""What a training was like, as numbers: pure functions of its losses, directions and held-out measures."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from jdbench.problem import Measure
from jdbench.rounding import gamma, non_conflicting, row_norms
from jdbench.runs.analytic_indicators import decades
from jdbench.runs.record import Array, mean_over_run
from jdbench.shapes import Jacobian, Vector, Weights


class StepIndicators(NamedTuple):
    """What one step of a training was like, by `indicators_of_step`.

    Attributes:
        margin: Margin of non-conflict ([JD] Definition 1); minus infinity where the direction was NaN.
        cosine: Of the direction to the mean gradient; NaN where one of them is 0.
        decades: log₁₀ of the ratio of the largest gradient's norm to the smallest that is not 0.
        weights_norm: ‖w‖; NaN without weights.
        weights: Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖; NaN without weights.
    """

    margin: float
    cosine: float
    decades: float
    weights_norm: float
    weights: float


def indicators_of_step(J: Jacobian, direction: Vector, weights: Weights | None) -> StepIndicators:
    """Return what one step was like.

    Args:
        J: Jacobian, shape ``[m, n]``.
        direction: Its aggregation, shape ``[n]``.
        weights: The weights of the aggregation, shape ``[m]``, or None.
    """
    mean, norms = J.mean(-2), row_norms(J)
    lengths = float(mean.norm() * direction.norm())
    largest = float(norms.max())
    return StepIndicators(
        float(non_conflicting(J, direction).nan_to_num(nan=-torch.inf)),
        float(mean @ direction) / lengths if lengths else np.nan,
        float(decades(norms)),
        np.nan if weights is None else float(weights.norm()),
        np.nan if weights is None else float(weights.abs() @ norms) / largest if largest else 0.0,
    )


def indicators_of_steps(steps: Sequence[StepIndicators]) -> dict[str, float]:
    """Return the indicators of the steps of a training, in order.

    They are ``worst_margin`` (infinite without steps), ``mean_cosine`` and ``cosine_at_start``, that of the
    first step (NaN without a value), ``decades_median``, ``decades_largest``; and where there are weights
    ``weights_median``, ``weights_largest`` of ‖w‖ and ``weights``, the largest Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖.
    """
    columns = np.array(steps, dtype=np.float64).reshape(-1, len(StepIndicators._fields)).T
    margin, cosine, spread, norm, size = (column[~np.isnan(column)] for column in columns)
    found = {
        "worst_margin": float(margin.min(initial=np.inf)),
        "mean_cosine": float(cosine.mean()) if len(cosine) else np.nan,
        "cosine_at_start": steps[0].cosine if steps else np.nan,
        "decades_median": float(np.median(spread)) if len(spread) else np.nan,
        "decades_largest": float(spread.max()) if len(spread) else np.nan,
    }
    if len(norm):
        found |= {
            "weights_median": float(np.median(norm)),
            "weights_largest": float(norm.max()),
            "weights": float(size.max()),
        }
    return found


def indicators_of_loss(steps: Array, loss: Array, finished: bool) -> dict[str, float]:
    """Return the indicators of a loss curve.

    Args:
        steps: Where the loss over the training set was taken, ascending.
        loss: Its values there.
        finished: Whether the run finished; if not its area and final loss are infinite.

    Returns:
        ``area``, the mean of the loss over the run by the trapezoidal rule; ``start`` and ``final``; ``rises``,
        the share of intervals over which the loss rose beyond the rounding of one float32 sum;
        ``largest_rise``, the largest such rise relative to the loss at the start.
    """
    sound = finished and bool(np.isfinite(loss).all())
    added = np.diff(loss)
    counts = added > gamma(1, torch.float32) * np.abs(loss[:-1])
    largest = float(np.max(added[counts], initial=0.0))
    return {
        "area": mean_over_run(steps, loss) if sound else np.inf,
        "start": float(loss[0]),
        "final": float(loss[-1]) if sound else np.inf,
        "rises": float(counts.mean()) if len(added) else np.nan,
        "largest_rise": largest / abs(float(loss[0])) if loss[0] else largest,
    }


def indicators_at_end(losses: Tensor, measured: Tensor, measures: Sequence[Measure]) -> dict[str, float]:
    """Return the indicators of a trained model.

    Args:
        losses: Loss of every training example or task, shape ``[k]``.
        measured: The measures on held-out data, in order, shape ``[len(measures)]``.
        measures: What they are.

    Returns:
        ``worst_loss``, ``best_loss``, ``held_out: NAME`` for each measure and, where one has a baseline,
        ``delta_m``.
    """
    values = [float(value) for value in measured]
    found = {"worst_loss": float(losses.max()), "best_loss": float(losses.min())}
    found |= {f"held_out: {measure.name}": value for measure, value in zip(measures, values, strict=True)}
    change = delta_m(measures, values)
    return found if np.isnan(change) else found | {"delta_m": change}


def delta_m(measures: Sequence[Measure], values: Sequence[float]) -> float:
    """Return Δm%, the mean relative change against single-task baselines, in per cent; negative is better.

    Δm% = 100/K Σₖ sₖ (Mₖ - Bₖ) / |Bₖ| over the K measures with a baseline B other than 0, where sₖ = -1 if
    larger is better and 1 if smaller is: a task that does 10 % worse than its own model counts +10, one that
    does 10 % better -10 (Maninis, Radosavovic & Kokkinos 2019, eq. 4, there with the opposite sign; this one is
    that of the leaderboards since). It is NaN where no measure has such a baseline.
    """
    changes = [
        (-1 if measure.larger_is_better else 1) * (value - measure.baseline) / abs(measure.baseline)
        for measure, value in zip(measures, values, strict=True)
        if measure.baseline
    ]
    return 100 * sum(changes) / len(changes) if changes else float("nan")
