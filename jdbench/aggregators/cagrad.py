"""CAGrad: the largest worst improvement within a ball around the mean gradient ([JD] eq. 38)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.aggregators.mgda import minimum_norm
from jdbench.compiled import compiled
from jdbench.dual_cone.kernels.nonnegative_qp import EPS, nonnegative_qp
from jdbench.errors import checked_number
from jdbench.gramian import checked_gramian, rank_cutoff, unit_rows
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class CAGrad(GramianAggregator):
    """A(J) = argmax of min_i gᵢᵀd over ‖d - ḡ‖ ≤ c‖ḡ‖ with ḡ the mean gradient ([JD] eq. 38).

    The argmax is a set where a row is zero or where rows oppose each other: every d of the ball with Jd ≥ 0
    then has the worst improvement 0. We return its element nearest to ḡ. Elsewhere it is a single point.

    Attributes:
        c: Radius of the ball in units of ‖ḡ‖, at least 0. Mean for 0; non-conflicting from 1 on.

    Raises:
        InputError: c is negative or not finite.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import CAGrad
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> J @ CAGrad(c=0.0)(J)  # the mean
        tensor([ 6., -1.])
        >>> (J @ CAGrad(c=0.5)(J)).round(decimals=3)  # the worst improvement is larger
        tensor([3.7640, 0.1180])
    """

    c: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "c", checked_number("c", self.c, positive=False, hint="0.5"))

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return 1/m + p with p ≥ 0 the multipliers of the ball's nearest point to each level set."""
        G = checked_gramian(G)
        m = G.shape[-1]
        norms, cosines = unit_rows(G)
        flat = _conflict_averse(
            cosines.reshape(-1, m, m).cpu().numpy(), norms.reshape(-1, m).cpu().numpy(), self.c, rank_cutoff(m)
        )
        return torch.from_numpy(flat).to(G.device).reshape(G.shape[:-1])

    __repr__ = short_repr


@compiled
def _conflict_averse(
    cosines: npt.NDArray[np.float64], norms: npt.NDArray[np.float64], c: float, cutoff: float
) -> npt.NDArray[np.float64]:
    """Return CAGrad's weights by Newton's method on the worst improvement ν.

    Let φ(ν) be the distance from ḡ to {d : Jd ≥ ν1}, in units of the radius. It is convex and increasing, the
    answer is the projection at φ(ν) = 1, and that projection is one non-negative program. Newton's steps are
    kept within a bracket; from the right of the root they come down monotonically.
    """
    weights = np.full_like(norms, 1.0 / norms.shape[1])
    for b in range(norms.shape[0]):
        m = norms.shape[1]
        largest = np.max(norms[b])
        if largest == 0.0:
            continue
        d = norms[b] / largest
        along = np.dot(cosines[b], d) / m  # ĝᵢᵀḡ
        mean_square = np.dot(along, d) / m
        # Below this the mean gradient is zero for all that the Gramian tells.
        if c == 0.0 or mean_square <= cutoff * np.mean(d) ** 2:
            continue
        radius = c * np.sqrt(mean_square)
        weights[b] += _multipliers(cosines[b], d, along, radius, cutoff)
    return weights


@compiled
def _multipliers(
    cosines: npt.NDArray[np.float64],
    d: npt.NDArray[np.float64],
    along: npt.NDArray[np.float64],
    radius: float,
    cutoff: float,
) -> npt.NDArray[np.float64]:
    """Return p with Jᵀp the step from ḡ to the optimum of the ball."""
    inverse = np.where(d > 0.0, 1.0 / np.where(d > 0.0, d, 1.0), 0.0)
    low = np.min(d * along)
    high = np.min(d * (along + radius))
    y, distance, slope = _project(cosines, inverse, along, radius, 0.0)
    if distance >= 1.0:
        high = 0.0
        level = 0.0
    elif low >= 0.0 and high <= 0.0:
        return radius * y * inverse
    else:
        # d = 0 is no better than ν = 0, so some d must have Jd > 0 for more: none has at a zero row, and none
        # where the hull of the unit rows holds 0.
        if np.min(d) == 0.0:
            return radius * y * inverse
        hull = minimum_norm(cosines.reshape(1, *cosines.shape), np.ones((1, d.size)))[0]
        if np.dot(hull, np.dot(cosines, hull)) <= cutoff:
            return radius * y * inverse
        low = 0.0
        level = high
        if distance > 0.0:
            level = min(high, distance_step(0.0, distance, slope))
    for _ in range(200):
        y, distance, slope = _project(cosines, inverse, along, radius, level)
        if abs(distance - 1.0) <= 4 * EPS:
            break
        if distance > 1.0:
            high = level
        else:
            low = level
        following = distance_step(level, distance, slope)
        if not low < following < high:
            following = 0.5 * (low + high)
        if following == level or not low < following < high:
            break
        level = following
    if distance > 2.0:
        # The bracket closed on a level with no point beyond it: its lower end is the answer.
        y, distance, slope = _project(cosines, inverse, along, radius, low)
    return radius * y * inverse


@compiled
def distance_step(level: float, distance: float, slope: float) -> float:
    """Return Newton's next level for φ = 1, given φ and the derivative of ½φ²."""
    if slope <= 0.0 or not np.isfinite(distance):
        return np.inf
    return level - (distance - 1.0) * distance / slope


@compiled
def _project(
    cosines: npt.NDArray[np.float64],
    inverse: npt.NDArray[np.float64],
    along: npt.NDArray[np.float64],
    radius: float,
    level: float,
) -> tuple[npt.NDArray[np.float64], float, float]:
    """Return the projection of ḡ onto {d : Jd ≥ ν1}, as unit-row weights of its shift from ḡ.

    The least-distance problem min ‖x‖ with ĝᵢᵀx ≥ hᵢ is the non-negative program of the columns (ĝᵢ, hᵢ) and
    the target (0, 1) (Lawson & Hanson 1974, chapter 23). All lengths are in units of the radius.

    Returns:
        Weights y, the distance φ (infinite if no point satisfies the constraints) and the derivative of ½φ²
        by ν.
    """
    bound = np.where(inverse > 0.0, (level * inverse - along) / radius, 0.0)
    size = np.max(np.abs(bound))
    if size == 0.0 or np.max(bound) <= 0.0:
        return np.zeros_like(bound), 0.0, 0.0
    bound /= size
    z, _ = nonnegative_qp(cosines + np.outer(bound, bound), -bound, 1.0)
    rest = 1.0 - np.dot(bound, z)
    if rest <= 4 * bound.size * EPS:
        return np.zeros_like(bound), np.inf, 0.0
    y = size * z / rest
    return y, np.sqrt(np.dot(y, np.dot(cosines, y))), np.dot(y, inverse) / radius
