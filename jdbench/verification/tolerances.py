"""Tolerances from rounding, conditioning and solver accuracy; γₖ and backward errors as in Higham (2002).

N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd edition, SIAM 2002. Everything is
accumulated in float64; u = 2⁻⁵³ is its unit roundoff. S = Σ |wᵢ| ‖gᵢ‖ is the size of what Jᵀw sums, the
natural unit of its errors: cancellation makes ‖Jᵀw‖ smaller, never the error.
"""

import itertools
import math

import torch
from torch import Tensor

from jdbench.dual_cone import project_weights
from jdbench.errors import InputError
from jdbench.gramian import gramian
from jdbench.shapes import Jacobian, Norms, Weights

DOUBLE = torch.float64

MOST_ROWS = 64
"""The most rows of a matrix whose residuals are compared."""

FALSE_ALARM = 1e-9
"""Probability with which a correct random aggregator leaves `binomial_range`."""

REFERENCE_GAP = 1e-10
"""Feasibility and duality gap asked of the reference solver, in units of the problem's data (order 1)."""

REFERENCE_GAP_OF_LOGARITHMS = 1e-8
"""The same for exponential cones, where an interior-point method does not always get further."""


def gamma(k: int, dtype: torch.dtype = DOUBLE) -> float:
    """Return γₖ = ku / (1 - ku), the relative error of k rounded operations in a row (Higham, Lemma 3.1).

    Args:
        k: Number of operations, ku < 1.
        dtype: Floating dtype they are rounded to.

    Returns:
        The bound, a pure number.

    Raises:
        InputError: ku ≥ 1, where no bound holds.
    """
    rounded = k * torch.finfo(dtype).eps / 2
    if not rounded < 1:
        raise InputError(f"k={k}, required k·u < 1, got {rounded}, sum in a wider dtype than {dtype}")
    return rounded / (1 - rounded)


def inner_product(n: int, dtype: torch.dtype = DOUBLE) -> float:
    """Return the error of xᵀy relative to ‖x‖ ‖y‖: |fl(xᵀy) - xᵀy| ≤ γₙ |x|ᵀ|y| ≤ γₙ ‖x‖ ‖y‖.

    Args:
        n: Number of terms, summed in any order.
        dtype: Floating dtype of the sum.

    Returns:
        The bound, a pure number.
    """
    return gamma(n, dtype)


def cosine(n: int) -> float:
    """Return the error of one entry of a unit-row Gramian computed from rows of length n.

    γₙ from the inner product, ½γₙ from each of the two squared norms under their roots, and 6 further
    operations: two roots, two reciprocals, two products.

    Args:
        n: Length of the rows.

    Returns:
        The bound κ, a pure number.
    """
    return gamma(2 * n + 6)


def size(J: Jacobian, w: Weights) -> Tensor:
    """Return S = Σ |wᵢ| ‖gᵢ‖.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        w: Weights, shape ``[..., m]``.

    Returns:
        Shape ``[...]``, float64, in the unit of Jᵀw.
    """
    return (w.to(DOUBLE).abs() * row_norms(J)).sum(-1)


def row_norms(J: Jacobian) -> Norms:
    """Return ‖gᵢ‖ in float64, with the largest entry taken out first so that no square overflows.

    Args:
        J: Jacobian, shape ``[..., m, n]``.

    Returns:
        Shape ``[..., m]``, float64.
    """
    entries = J.to(DOUBLE)
    if J.shape[-1] == 0:
        return entries.sum(-1)
    largest = entries.abs().amax(-1, keepdim=True)
    return (entries / torch.where(largest > 0, largest, 1.0)).norm(dim=-1) * largest.squeeze(-1)


def combination(J: Jacobian, w: Weights) -> Tensor:
    """Return the rounding error of Jᵀw, entry by entry.

    γₘ |J|ᵀ|w| from m products and m - 1 sums in float64; the rounding to the dtype of J adds its unit
    roundoff times the entry, at most (1 + γₘ) |J|ᵀ|w|, and half a subnormal where the entry underflows.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        w: Weights, shape ``[..., m]``, float64.

    Returns:
        Shape ``[..., n]``, float64.
    """
    m = J.shape[-2]
    absolute = (w.to(DOUBLE).abs().unsqueeze(-2) @ J.to(DOUBLE).abs()).squeeze(-2)
    rounded = 0.0 if J.dtype == DOUBLE else gamma(1, J.dtype)
    return (gamma(2 * m) + 2 * rounded) * absolute + torch.finfo(J.dtype).smallest_normal * gamma(1, J.dtype)


def improvement(J: Jacobian, w: Weights) -> Tensor:
    """Return the error of ĝᵢᵀ(Jᵀw), the improvement of a unit row, when w is optimal for the computed Gramian.

    In unit rows ĝᵢᵀ(Jᵀw) = Σⱼ Ĝᵢⱼ wⱼ‖gⱼ‖. A computed Ĝᵢⱼ errs by κ = `cosine(n)`, the sum of m products by
    γₘ, a solver that stops where its gradient is zero within rounding leaves as much again, and Jᵀw and its
    product with ĝᵢ are themselves rounded: (κ + 4γₘ + γ₂ₘ + γₙ) S in all, and the dtype of J in proportion.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        w: Weights, shape ``[..., m]``, float64.

    Returns:
        Shape ``[...]``, float64, in the unit of Jᵀw.
    """
    m, n = J.shape[-2:]
    rounded = 0.0 if J.dtype == DOUBLE else 2 * gamma(1, J.dtype) * n**0.5
    return (cosine(n) + 4 * gamma(m) + gamma(2 * m) + gamma(n) + rounded) * size(J, w)


def smallest_eigenvalue(J: Jacobian) -> float:
    """Return the smallest eigenvalue λ of the unit-row Gramian, over independent rows.

    Where rows depend on each other it is the smallest over all independent subsets of them: the solution of a
    linear or quadratic program rests on one of those (Hoffman's bound). Subsets are told apart from dependent
    ones by the rounding of a Gramian, `cosine(n)` an entry.

    Args:
        J: Jacobian, shape ``[m, n]``, rows of any norm; zero rows do not count. 2ᵐ subsets if they depend.

    Returns:
        The eigenvalue, positive; 1 if there is no row.
    """
    norms = row_norms(J)
    present = norms > 0
    units = J[present].to(DOUBLE) / norms[present].unsqueeze(-1)
    m, n = units.shape
    absent = m * cosine(n)
    smallest = 1.0 if m == 0 else float(torch.linalg.svdvals(units)[-1].square())
    if m <= n and smallest > absent:
        return smallest
    smallest = 1.0
    for count in range(2, min(m, n) + 1):
        subsets = units[torch.tensor(list(itertools.combinations(range(m), count)))]
        values = torch.linalg.svdvals(subsets)[..., -1].square()
        smallest = min([smallest, *values[values > absent].tolist()])
    return smallest


def projection(J: Jacobian, w: Weights) -> Tensor:
    """Return the error of Jᵀw when w solves a non-negative program over the rows.

    Let z solve ½zᵀĜz + qᵀz over z ≥ 0 and z̃ the same with gradients off by at most ρ = `improvement`. The
    two complementarity conditions give ‖Ĵᵀ(z̃ - z)‖² ≤ ρ ‖z̃ - z‖₁, and ‖z̃ - z‖₁ ≤ √m ‖Ĵᵀ(z̃ - z)‖ / √λ, so
    the error is at most ρ √(m/λ). The projections on a dual cone and MGDA are such programs; a linear
    system in Ĝ (IMTL-G, Nash-MTL's Newton steps) obeys the same bound.

    Args:
        J: Jacobian, shape ``[m, n]``.
        w: Weights, shape ``[..., m]``, float64.

    Returns:
        Shape ``[...]``, float64, in the unit of Jᵀw.
    """
    return improvement(J, w) * (J.shape[-2] / smallest_eigenvalue(J)) ** 0.5


def nearly_dependent(m: int) -> float:
    """Return the worst conflict that m rows in unit norm need suffer when only their Gramian is known.

    A row at distance δ from the span of others conflicts by at most δ if it is taken for dependent. Taken in,
    it brings weights of 1/δ, and the rounding of Ĝ, 4m·2⁻⁵² with the solver's, moves a slack by 4m·2⁻⁵²/δ². The
    smaller of the two is at most (4m·2⁻⁵²)^⅓, where both are equal; m rows may be concerned.

    Args:
        m: Number of rows.

    Returns:
        The bound, relative to the largest row norm.
    """
    return m * (4 * m * torch.finfo(DOUBLE).eps) ** (1 / 3)


def polar(J: Jacobian, rank: int) -> float:
    """Return the error of UVᵀp relative to ‖p‖, where J = VΣUᵀ has that rank.

    UVᵀ is the polar factor of Jᵀ: an error ΔJ moves it by at most 2‖ΔJ‖_F / σ (Higham, *Functions of
    Matrices*, SIAM 2008, Theorem 8.10), with σ the smallest singular value up to the rank. A singular value
    decomposition of m × m leaves ‖ΔJ‖_F ≤ 4mγₘ σ₁, and the unit-row Gramian's error κ m moves its factor B
    by a relative κ m / λ. The length σ itself errs by one such term more: 3 (4mγₘ σ₁/σ + κ m/λ).

    Args:
        J: Jacobian, shape ``[m, n]``.
        rank: Its rank, at least 1.

    Returns:
        The bound, a pure number.
    """
    m, n = J.shape
    sigma = torch.linalg.svdvals(J.to(DOUBLE))
    condition = float(sigma[0] / sigma[rank - 1])
    return 3 * (4 * m * gamma(m) * condition + cosine(n) * m / smallest_eigenvalue(J))


def strong_convexity(excess: Tensor | float, modulus: Tensor | float = 1.0) -> Tensor:
    """Return the distance to the minimiser of a strongly convex function from the excess of its value.

    f(x) - f(x*) ≥ ½ modulus ‖x - x*‖² over a convex set, hence ‖x - x*‖ ≤ √(2 excess / modulus).

    Args:
        excess: f(x) - f(x*), at least 0.
        modulus: Modulus of strong convexity, positive.

    Returns:
        The bound, shape of the arguments.
    """
    return (2 * torch.as_tensor(excess, dtype=DOUBLE) / modulus).sqrt()


def projections(gap: Tensor, slack: Tensor, weight: Tensor) -> Tensor:
    """Return the distance of two approximate projections, from the residuals that each of them leaves.

    With yᵢ = û + zᵢ, zᵢ ≥ 0 and slacks sᵢ = Ĝyᵢ ≥ -ρᵢ, ‖Ĵᵀ(y₁ - y₂)‖² = (z₁ - z₂)ᵀ(s₁ - s₂) =
    z₁ᵀs₁ + z₂ᵀs₂ - z₁ᵀs₂ - z₂ᵀs₁ ≤ gap₁ + gap₂ + ρ₂‖z₁‖₁ + ρ₁‖z₂‖₁. The rounding of the residuals
    themselves, γ₂ₘ‖y‖₁ for a slack and γ₂ₘ‖y‖₁² for a gap, is added to them. A negative zᵢ is no concern:
    the caller clips it into the slack's place.

    Args:
        gap: Duality gaps of the two, shape ``[2]``.
        slack: Dual residuals ρ of the two, shape ``[2]``.
        weight: ‖y‖₁ of the two, shape ``[2]``.

    Returns:
        The bound, a scalar, in the unit of û.
    """
    rounding = gamma(2 * MOST_ROWS)
    gaps = (gap + rounding * weight.square()).sum()
    slacks = slack + rounding * weight
    return (gaps + slacks[1] * weight[0] + slacks[0] * weight[1]).sqrt()


def binomial_range(draws: int, chance: float) -> tuple[int, int]:
    """Return the counts that a binomial variable leaves with probability at most `FALSE_ALARM`.

    By exact tails: P(X < low) and P(X > high) are each at most half of it.

    Args:
        draws: Number of draws.
        chance: Probability of a success, strictly between 0 and 1.

    Returns:
        Lowest and highest count.
    """
    terms = [
        math.exp(
            math.lgamma(draws + 1)
            - math.lgamma(k + 1)
            - math.lgamma(draws - k + 1)
            + k * math.log(chance)
            + (draws - k) * math.log1p(-chance)
        )
        for k in range(draws + 1)
    ]
    low, high, below, above = 0, draws, terms[0], terms[draws]
    while below <= FALSE_ALARM / 2:
        low += 1
        below += terms[low]
    while above <= FALSE_ALARM / 2:
        high -= 1
        above += terms[high]
    return low, high


def conditioning(J: Jacobian) -> float:
    """Return S = Σ |wᵢ| ‖gᵢ‖ / max_j ‖gⱼ‖ of UPGrad's weights: how much the dual cone of J amplifies rounding.

    Whoever projects onto the cone combines rows of that size, whatever the combination comes to.

    Args:
        J: Matrix, shape ``[m, n]``, float64.

    Returns:
        At least 1.
    """
    scaled = J / largest_entry(J)
    norms = row_norms(scaled)
    w = project_weights(gramian(scaled), torch.diag(torch.full_like(norms, 1 / len(J)))).sum(-2)
    return max(1.0, float((w.abs() * norms).sum() / norms.max().clamp(min=torch.finfo(DOUBLE).tiny)))


def largest_entry(J: Jacobian) -> float:
    """Return max |Jᵢⱼ|, or 1 for a zero matrix.

    Args:
        J: Matrix.

    Returns:
        A positive number.
    """
    largest = float(J.abs().max()) if J.numel() else 0.0
    return largest if largest > 0 else 1.0


def direction(J: Jacobian, a: Tensor, dtype: torch.dtype) -> float:
    """Return the error of a computed A(J), relative to max_j ‖gⱼ‖, for an aggregator that works in a dtype.

    Summing m rows of length n in S, after inner products of length n and a solution of m equations with errors
    of the same kind: γ of 8(m² + n) + 64 operations of that dtype, times S, `conditioning`, or the size of the
    result where that is larger. The error of the weights, amplified by the cone once more, brings another S.

    Args:
        J: Matrix, shape ``[m, n]``, float64.
        a: Its aggregation, shape ``[n]``.
        dtype: In which the aggregator computes.

    Returns:
        The tolerance, a pure number.
    """
    m, n = J.shape
    entry = largest_entry(J)
    largest = float(row_norms(J / entry).max()) or 1.0
    size = max(conditioning(J), float((a / entry).norm()) / largest)
    return gamma(8 * (m * m + n) + 64, dtype) * size * max(1.0, conditioning(J))
