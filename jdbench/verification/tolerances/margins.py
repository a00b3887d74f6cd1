"""What rounding explains of a property's margin, for any aggregator that works in a given dtype.

All rest on γₖ with k = 8(m² + n) + 64: sums of m rows of length n, after inner products of length n and the
solution of m equations with errors of the same kind, in the dtype of the aggregator.
"""

import torch
from scipy.optimize import nnls
from torch import Tensor

from jdbench.rounding import DOUBLE, gamma, largest_entry, normalized_rows, row_norms
from jdbench.shapes import Jacobian
from jdbench.verification.tolerances.programs import smallest_eigenvalue

MOST_CHANGES = 1000
"""Changes of the active set, for each row, after which a fit is given up."""


def operations(J: Jacobian, dtype: torch.dtype) -> float:
    """Return γₖ of the operations that an aggregation of J takes.

    Args:
        J: Matrix, shape ``[m, n]``.
        dtype: In which the aggregator computes.

    Returns:
        The bound, a pure number.
    """
    m, n = J.shape
    return gamma(8 * (m * m + n) + 64, dtype)


def conditioning(J: Jacobian) -> float:
    """Return S = Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖ of UPGrad's weights: how much the dual cone of J amplifies rounding.

    Whoever projects onto the cone combines rows of that size, whatever the combination comes to. The projection
    of ĝ is ĝ + Ĵᵀz with z ≥ 0 the least-squares fit of -ĝ, from the rows and not from their Gramian, which
    near dependent rows leave undecided.

    Args:
        J: Matrix, shape ``[m, n]``, float64.

    Returns:
        At least 1.
    """
    norms = row_norms(J / largest_entry(J))
    units = normalized_rows(J).numpy()
    y = torch.ones(len(J), dtype=DOUBLE) * norms
    for k, length in enumerate(norms.tolist()):
        y += length * torch.from_numpy(nnls(units.T, -units[k], maxiter=MOST_CHANGES * len(J))[0])
    return max(1.0, float(y.sum() / len(J) / norms.max().clamp(min=torch.finfo(DOUBLE).tiny)))


def relative_size(J: Jacobian, a: Tensor) -> float:
    """Return ‖a‖ / max_j ‖gⱼ‖, or ‖a‖ where all rows are zero.

    Args:
        J: Matrix, shape ``[m, n]``, float64.
        a: Its aggregation, shape ``[n]``.

    Returns:
        At least 0.
    """
    entry = largest_entry(J)
    return float((a / entry).norm()) / (float(row_norms(J / entry).max()) or 1.0)


def direction(J: Jacobian, a: Tensor, dtype: torch.dtype) -> float:
    """Return the error of a computed A(J), relative to max_j ‖gⱼ‖.

    γₖ times S, `conditioning`, or the size of the result where that is larger. The error of the weights,
    amplified by the cone once more, brings another S.

    Args:
        J: Matrix, shape ``[m, n]``, float64.
        a: Its aggregation, shape ``[n]``.
        dtype: In which the aggregator computes.

    Returns:
        The tolerance, a pure number.
    """
    cone = conditioning(J)
    return operations(J, dtype) * max(cone, relative_size(J, a)) * cone


def span(J: Jacobian, a: Tensor, dtype: torch.dtype) -> float:
    """Return how far from the row span of J rounding takes Jᵀw, relative to max_j ‖gⱼ‖.

    An error in w stays in the span; the sum errs by γₖ Σ |wᵢ| ‖gᵢ‖, and so does the computed span, by γₖ a unit
    row. That sum is taken as the largest of S, `conditioning`, of ‖a‖, and of the same sum for the shortest z
    that gives a = Ĵᵀz: near dependent rows are combined with large weights.

    Args:
        J: Matrix, shape ``[m, n]``, float64.
        a: Its aggregation, shape ``[n]``.
        dtype: In which the aggregator computes.

    Returns:
        The tolerance, a pure number.
    """
    entry = largest_entry(J)
    norms = row_norms(J / entry)
    units = J / entry / torch.where(norms > 0, norms, 1.0).unsqueeze(-1)
    z = torch.linalg.pinv(units.T) @ (a / entry) / (float(norms.max()) or 1.0)
    sizes = (conditioning(J), relative_size(J, a), float(z.abs().sum()))
    return operations(J, dtype) * max(sizes)


def regular(J: Jacobian, first: Tensor, other: Jacobian, second: Tensor, dtype: torch.dtype) -> float:
    """Return the relative error of two aggregations of regular matrices that should be equal but for a factor.

    Weights that solve equations in the Gramian err by γₖ κ, κ = (m/λ)(max ‖gᵢ‖ / min ‖gᵢ‖)² with λ the smallest
    eigenvalue in unit rows; their sum is at most √(m/λ) times its result; and a division by 1ᵀw, as in IMTL-G,
    brings the size of the result, the smaller of the two if the scales differ. Finite for rows of full rank.

    Args:
        J: Matrix, shape ``[m, n]``, float64.
        first: Its aggregation, shape ``[n]``.
        other: The matrix that it is compared with, shape ``[m, n]``.
        second: Its aggregation.
        dtype: In which the aggregator computes.

    Returns:
        The tolerance, a pure number.
    """
    norms = row_norms(J / largest_entry(J))
    spread = float(norms.max() / norms.min())
    amplified = len(J) / smallest_eigenvalue(J)
    size = max(1.0, min(relative_size(J, first), relative_size(other, second)))
    return 2 * operations(J, dtype) * amplified**1.5 * spread**2 * size


def modulus(J: Jacobian, a: Tensor, dtype: torch.dtype, shift: float) -> float:
    """Return the modulus of continuity beyond which a change of A(J) is a jump, with what rounding adds to it.

    A relative shift ε of the rows moves a cosine by 2ε, the weights by 2ε κ and their sum by √(m/λ) of that,
    with κ and λ as in `regular`: 4 κ √(m/λ) per unit of ε for both ends. Rounding adds `regular` over ε.

    Args:
        J: Matrix of full rank, shape ``[m, n]``, float64.
        a: Its aggregation, shape ``[n]``.
        dtype: In which the aggregator computes.
        shift: ε.

    Returns:
        The tolerance, a pure number.
    """
    rounding = regular(J, a, J, a, dtype)
    return rounding / operations(J, dtype) * 2 + rounding / shift


def one_row(J: Jacobian, dtype: torch.dtype) -> float:
    """Return the relative error of A(g) = g: weights of one row cost no more than its Gramian.

    Args:
        J: Matrix, shape ``[1, n]``.
        dtype: In which the aggregator computes.

    Returns:
        The tolerance, a pure number.
    """
    return operations(J, dtype)


def vanishing(J: Jacobian, dtype: torch.dtype) -> float:
    """Return how large ‖A(J)‖ / max_j ‖gⱼ‖ may come out where it should be 0.

    The Gramian tells ‖Jᵀw‖² to γₖ (Σ |wᵢ| ‖gᵢ‖)²: its root is √γₖ S, with S from `conditioning`.

    Args:
        J: Matrix, shape ``[m, n]``, float64.
        dtype: In which the aggregator computes.

    Returns:
        The tolerance, a pure number.
    """
    return operations(J, dtype) ** 0.5 * conditioning(J)


def stationarity(J: Jacobian) -> float:
    """Return the error of the least ‖Ĵᵀw‖ over the simplex: no more than that of one unit row.

    Args:
        J: Matrix, shape ``[m, n]``.

    Returns:
        The tolerance, a pure number.
    """
    return operations(J, DOUBLE)
