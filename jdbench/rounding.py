"""Rounding of sums and products: γₖ and backward errors as in Higham (2002).

N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd edition, SIAM 2002. Everything is
accumulated in float64; u = 2⁻⁵³ is its unit roundoff. S = Σ |wᵢ| ‖gᵢ‖ is the size of what Jᵀw sums, the
natural unit of its errors: cancellation makes ‖Jᵀw‖ smaller, never the error.
"""

import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.shapes import Jacobian, Norms, Vector, Weights

DOUBLE = torch.float64


def gamma(k: int, dtype: torch.dtype = DOUBLE) -> float:
    """Return γₖ = ku / (1 - ku), the relative error of k rounded operations in a row (Higham, Lemma 3.1).

    Raises:
        InputError: ku ≥ 1, where no bound holds.

    Example:
        >>> from jdbench.rounding import gamma
        >>> gamma(2) == 2 * 2.0**-53 / (1 - 2 * 2.0**-53)
        True
    """
    rounded = k * torch.finfo(dtype).eps / 2
    if not rounded < 1:
        raise InputError(f"k={k}, required k·u < 1, got {rounded}, sum in a wider dtype than {dtype}")
    return rounded / (1 - rounded)


def inner_product(n: int, dtype: torch.dtype = DOUBLE) -> float:
    """Return the error of xᵀy relative to ‖x‖ ‖y‖: |fl(xᵀy) - xᵀy| ≤ γₙ |x|ᵀ|y| ≤ γₙ ‖x‖ ‖y‖.

    The n terms may be summed in any order, in the given dtype.

    Example:
        >>> from jdbench.rounding import gamma, inner_product
        >>> inner_product(3) == gamma(3)
        True
    """
    return gamma(n, dtype)


def cosine(n: int) -> float:
    """Return the error κ of one entry of a unit-row Gramian computed from rows of length n.

    γₙ from the inner product, ½γₙ from each of the two squared norms under their roots, and 6 further
    operations: two roots, two reciprocals, two products.

    Example:
        >>> from jdbench.rounding import cosine, gamma
        >>> cosine(2) == gamma(10)
        True
    """
    return gamma(2 * n + 6)


def size(J: Jacobian, w: Weights) -> Tensor:
    """Return S = Σ |wᵢ| ‖gᵢ‖ in float64, in the unit of Jᵀw.

    Example:
        >>> import torch
        >>> from jdbench.rounding import size
        >>> float(size(torch.tensor([[3.0, 4.0], [-6.0, -8.0]]), torch.tensor([2.0, 1.0])))
        20.0
    """
    return (w.to(DOUBLE).abs() * row_norms(J)).sum(-1)


def row_norms(J: Jacobian) -> Norms:
    """Return ‖gᵢ‖ in float64, with the largest entry taken out first so that no square overflows.

    Example:
        >>> import torch
        >>> from jdbench.rounding import row_norms
        >>> row_norms(torch.tensor([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [5.0, 0.0]
    """
    entries = J.to(DOUBLE)
    if J.shape[-1] == 0:
        return entries.sum(-1)
    largest = entries.abs().amax(-1, keepdim=True)
    return (entries / torch.where(largest > 0, largest, 1.0)).norm(dim=-1) * largest.squeeze(-1)


def largest_entry(J: Jacobian) -> float:
    """Return max |Jᵢⱼ|, or 1 for a zero matrix.

    Example:
        >>> import torch
        >>> from jdbench.rounding import largest_entry
        >>> largest_entry(torch.tensor([[1.0, -2.0]])), largest_entry(torch.zeros(2, 2))
        (2.0, 1.0)
    """
    largest = float(J.abs().max()) if J.numel() else 0.0
    return largest if largest > 0 else 1.0


def combination(J: Jacobian, w: Weights) -> Tensor:
    """Return the rounding error of Jᵀw, entry by entry, float64.

    γₘ |J|ᵀ|w| from m products and m - 1 sums in float64; the rounding to the dtype of J adds its unit
    roundoff times the entry, at most (1 + γₘ) |J|ᵀ|w|, and half a subnormal where the entry underflows.

    Example:
        >>> import torch
        >>> from jdbench.rounding import combination
        >>> J = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
        >>> 0 < float(combination(J, torch.tensor([0.1, 0.3]))) < 2e-16
        True
    """
    m = J.shape[-2]
    absolute = (w.to(DOUBLE).abs().unsqueeze(-2) @ J.to(DOUBLE).abs()).squeeze(-2)
    rounded = 0.0 if J.dtype == DOUBLE else gamma(1, J.dtype)
    return (gamma(2 * m) + 2 * rounded) * absolute + torch.finfo(J.dtype).smallest_normal * gamma(1, J.dtype)


def normalized_rows(J: Jacobian) -> Tensor:
    """Return Ĵ in float64, the rows divided by their norms, zero rows left; no square overflows.

    Example:
        >>> import torch
        >>> from jdbench.rounding import normalized_rows
        >>> normalized_rows(torch.tensor([[1e30, 0.0], [0.0, 0.0]])).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """
    J = J.to(torch.float64)
    entry = J.abs().amax(-1, keepdim=True)
    rows = J / torch.where(entry > 0, entry, 1.0)
    norms = rows.norm(dim=-1, keepdim=True)
    return rows / torch.where(norms > 0, norms, 1.0)


def largest_norm(J: Jacobian) -> Tensor:
    """Return max_j ‖gⱼ‖ in float64, or 1 where all rows are zero.

    Example:
        >>> import torch
        >>> from jdbench.rounding import largest_norm
        >>> float(largest_norm(torch.tensor([[3.0, 4.0], [0.0, 1.0]])))
        5.0
    """
    J = J.to(torch.float64)
    entry = J.abs().amax((-2, -1), keepdim=True)
    entry = torch.where(entry > 0, entry, 1.0)
    largest = (J / entry).norm(dim=-1).amax(-1) * entry[..., 0, 0]
    return torch.where(largest > 0, largest, 1.0)


def non_conflicting(J: Jacobian, a: Vector) -> Tensor:
    """Return min_i gᵢᵀa / (‖gᵢ‖ max_j ‖gⱼ‖), at least 0 for a non-conflicting aggregation ([JD] Definition 1).

    Dividing by the norm of each row makes a conflict with a small gradient count in full. The margin is 0 where
    all rows are zero, NaN if an input is, and float64.

    Example:
        >>> import torch
        >>> from jdbench.rounding import non_conflicting
        >>> J = torch.tensor([[1.0], [-2.0]])
        >>> float(non_conflicting(J, J.mean(0)))
        -0.25
    """
    a = a.to(torch.float64)
    return (normalized_rows(J) @ (a / largest_norm(J).unsqueeze(-1)).unsqueeze(-1)).squeeze(-1).amin(-1)
