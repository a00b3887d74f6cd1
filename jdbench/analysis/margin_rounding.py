"""How negative a margin of non-conflict may be by rounding alone."""

import torch

from jdbench.rounding import gamma
from jdbench.verification.tolerances import improvement


def margin_tolerance(shape: tuple[int, int] | None, weights: float = 1.0) -> float:
    """Return the rounding error of min_i gᵢᵀa / (‖gᵢ‖ max_j ‖gⱼ‖), the margin that records keep.

    In float64 it is that of an optimal improvement, `jdbench.verification.tolerances.improvement`, for a matrix
    whose largest row has norm 1: so many roundings times S = Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖. Where the shape is
    unknown the directions may be of float32, and the rounding of their entries dwarfs the rest: it moves
    ĝᵢᵀa by at most u ‖a‖ ≤ u S; twice that covers the float64 terms up to n = 10⁷.

    Args:
        shape: m and n of the Jacobian, in float64; None for trainings and problems that cannot be had.
        weights: S, the largest one of the run; 1, a convex combination's, where the run did not keep it.

    Returns:
        The tolerance, a pure number: a margin below minus it is a conflict.
    """
    if shape is None:
        return 2 * gamma(1, torch.float32) * weights
    m, n = shape
    J = torch.zeros(m, n, dtype=torch.float64)
    J[:, 0] = 1
    return float(improvement(J, torch.full((m,), weights / m, dtype=torch.float64)))
