"""The properties of [JD] Section 2.2 as signed margins, relative to the input's scale: negative is violated."""

import numpy as np
import torch
from scipy.optimize import nnls
from torch import Tensor

from jdbench.rounding import gamma, largest_norm, non_conflicting, normalized_rows
from jdbench.shapes import Jacobian, Vector

__all__ = [
    "continuous",
    "distance",
    "equal",
    "equal_in_law",
    "linear_under_scaling",
    "non_conflicting",
    "shift",
    "stationarity",
    "weighted",
    "zero",
    "zero_only_if_weakly_stationary",
]


def linear_under_scaling(first: Vector, second: Vector, both: Vector, J: Jacobian) -> Tensor:
    """Return minus ‖A(c₁∘J) + A(c₂∘J) - A((c₁+c₂)∘J)‖ / max_j ‖gⱼ‖ ([JD] Definition 2); 0 for a linear one.

    The mapping of c > 0 to A(diag(c)J) is linear if and only if it is additive and continuous, and additive on
    powers of two and their sums is what can be tested exactly. Random aggregators draw the same for all three.

    Args:
        first: A(c₁∘J), shape ``[..., n]``.
        second: A(c₂∘J).
        both: A((c₁+c₂)∘J).
        J: (c₁+c₂)∘J, shape ``[..., m, n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> J = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
        >>> first, second, both = torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0]), torch.tensor([2.0, 2.0])
        >>> float(predicates.linear_under_scaling(first, second, both, J))
        -0.5
    """
    return -distance(J, first.to(torch.float64) + second.to(torch.float64), both)


def weighted(J: Jacobian, a: Vector) -> Tensor:
    """Return minus the distance of a to the row span of J over max_j ‖gⱼ‖, 0 for Jᵀw ([JD] Definition 3).

    The span is that of the unit rows: a gradient counts however small it is.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        a: Its aggregation, shape ``[..., n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> J = torch.tensor([[2.0, 0.0]])
        >>> [float(predicates.weighted(J, torch.tensor([3.0, b]))) for b in (0.0, 1.0)]
        [-0.0, -0.5]
    """
    a = a.to(torch.float64)
    m, n = J.shape[-2:]
    _, sigma, basis = torch.linalg.svd(normalized_rows(J), full_matrices=False)
    counts = sigma > gamma(8 * (m + n)) * m**0.5  # their own rounding
    coordinates = (basis @ a.unsqueeze(-1)).squeeze(-1) * counts
    rest = a - (coordinates.unsqueeze(-2) @ basis).squeeze(-2)
    return -rest.norm(dim=-1) / largest_norm(J)


def equal(first: Vector, second: Vector) -> Tensor:
    """Return minus ‖a - b‖ / max(‖a‖, ‖b‖), the residual of an equation between aggregations; 0 if both are 0.

    Relative to the results, not to the rows: an aggregation need not be of the size of its gradients.

    Args:
        first: a, shape ``[..., n]``.
        second: b, shape ``[..., n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> float(predicates.equal(torch.tensor([2.0, 0.0]), torch.tensor([1.0, 0.0])))
        -0.5
    """
    a, b = first.to(torch.float64), second.to(torch.float64)
    entry = torch.maximum(a.abs().amax(-1), b.abs().amax(-1))
    entry = torch.where(entry > 0, entry, 1.0).unsqueeze(-1)
    a, b = a / entry, b / entry
    size = torch.maximum(a.norm(dim=-1), b.norm(dim=-1))
    return -(a - b).norm(dim=-1) / torch.where(size > 0, size, 1.0)


def equal_in_law(first: Tensor, second: Tensor, error: float) -> Tensor:
    """Return minus the largest distance of two empirical distribution functions, coordinate by coordinate.

    That is the statistic of Kolmogorov and Smirnov for two samples of equal size, of each coordinate, where
    points count as ordered only if further apart than their error: atoms of one law are not told apart.

    Args:
        first: Draws of A(J), shape ``[draws, n]``.
        second: As many independent draws of what should have the same law.
        error: Rounding error of a coordinate, at least 0.

    Returns:
        Margin, a scalar, float64, from -1 to 0.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> first, second = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
        >>> float(predicates.equal_in_law(first, second, error=0.0))
        -0.5
    """
    samples = [sample.to(torch.float64).T.contiguous().sort().values for sample in (first, second)]
    points = torch.cat(samples, -1)
    at, beyond = (
        [torch.searchsorted(sample, points + shift, right=True) for sample in samples] for shift in (0.0, error)
    )
    excess = torch.maximum(at[0] - beyond[1], at[1] - beyond[0])
    return -excess.max().clamp(min=0).to(torch.float64) / len(first)


def zero_only_if_weakly_stationary(J: Jacobian, a: Vector) -> float:
    """Return ‖a‖ / max_j ‖gⱼ‖ if a ≠ 0, and else minus the distance of J from weak stationarity.

    That distance is the least ‖Ĵᵀw‖ over the simplex with Ĵ the unit rows, 0 if and only if some w ≥ 0, w ≠ 0
    has Jᵀw = 0. Negative where a = 0 stops a descent at a point that all objectives can leave.

    Args:
        J: Jacobian, shape ``[m, n]``.
        a: Its aggregation, shape ``[n]``.

    Returns:
        Margin.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> J = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
        >>> round(predicates.zero_only_if_weakly_stationary(J, torch.zeros(2)), 6)
        -0.0
        >>> predicates.zero_only_if_weakly_stationary(J, torch.ones(2)) > 0
        True
    """
    if bool((a != 0).any()):
        return -float(zero(J, a))
    return -stationarity(J)


def stationarity(J: Jacobian) -> float:
    """Return the least ‖Ĵᵀw‖ over the simplex, by non-negative least squares.

    z ≥ 0 that minimises ‖Ĵᵀz‖² + (1ᵀz - 1)² is a multiple of w: see `exact.mgda_exactly`.

    Args:
        J: Jacobian, shape ``[m, n]``. A zero row makes it stationary.

    Returns:
        0 to 1.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> round(predicates.stationarity(torch.eye(2, dtype=torch.float64)), 6)
        0.707107
    """
    units = normalized_rows(J)
    if not bool((units != 0).any(-1).all()):
        return 0.0
    columns = torch.cat([units.T, torch.ones(1, len(J), dtype=torch.float64)])
    target = np.zeros(len(columns))
    target[-1] = 1.0
    z = torch.from_numpy(nnls(columns.numpy(), target)[0])
    return float((z @ units).norm() / z.sum())


def zero(J: Jacobian, a: Vector) -> Tensor:
    """Return minus ‖a‖ / max_j ‖gⱼ‖, 0 for an aggregation that vanishes.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        a: Its aggregation, shape ``[..., n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> float(predicates.zero(torch.tensor([[2.0, 0.0]]), torch.tensor([0.0, 1.0])))
        -0.5
    """
    return -(a.to(torch.float64) / largest_norm(J).unsqueeze(-1)).norm(dim=-1)


def continuous(J: Jacobian, shifted: Jacobian, first: Vector, second: Vector) -> Tensor:
    """Return minus the modulus ‖A(J+E) - A(J)‖ / (‖A(J)‖ max_i ‖eᵢ‖/‖gᵢ‖): relative change per shift.

    Args:
        J: Jacobian without zero rows, shape ``[..., m, n]``.
        shifted: J + E with E ≠ 0, same shape.
        first: A(J), shape ``[..., n]``.
        second: A(J + E), shape ``[..., n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0: minus the modulus that was measured.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> J = torch.tensor([[1.0, 0.0]])
        >>> float(predicates.continuous(J, 2 * J, torch.tensor([1.0, 0.0]), torch.tensor([2.0, 0.0])))
        -0.5
    """
    return equal(first, second) / shift(J, shifted)


def shift(J: Jacobian, shifted: Jacobian) -> Tensor:
    """Return max_i ‖eᵢ‖/‖gᵢ‖, the relative shift of the rows from J to J + E.

    Args:
        J: Jacobian without zero rows, shape ``[..., m, n]``.
        shifted: J + E, same shape.

    Returns:
        Shape ``[...]``, float64.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> float(predicates.shift(torch.tensor([[1.0], [4.0]]), torch.tensor([[1.0], [5.0]])))
        0.25
    """
    J, shifted = J.to(torch.float64), shifted.to(torch.float64)
    entry = J.abs().amax(-1, keepdim=True)
    return (((shifted - J) / entry).norm(dim=-1) / (J / entry).norm(dim=-1)).amax(-1)


def distance(J: Jacobian, first: Vector, second: Vector) -> Tensor:
    """Return ‖a - b‖ / max_j ‖gⱼ‖ for two aggregations of J.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        first: a, shape ``[..., n]``.
        second: b, shape ``[..., n]``.

    Returns:
        Shape ``[...]``, float64, at least 0.

    Example:
        >>> import torch
        >>> from jdbench.verification import predicates
        >>> J = torch.tensor([[2.0, 0.0]])
        >>> float(predicates.distance(J, torch.tensor([1.0, 0.0]), torch.tensor([0.0, 0.0])))
        0.5
    """
    largest = largest_norm(J).unsqueeze(-1)
    return (first.to(torch.float64) / largest - second.to(torch.float64) / largest).norm(dim=-1)
