"""How far rounding moves the solutions of quadratic programs, linear systems and polar factors."""

import itertools

import torch
from torch import Tensor

from jdbench.rounding import DOUBLE, cosine, gamma, row_norms, size
from jdbench.shapes import Jacobian, Weights

MOST_ROWS = 64
"""The most rows of a matrix whose residuals are compared."""

REFERENCE_GAP = 1e-10
"""Feasibility and duality gap asked of the reference solver, in units of the problem's data (order 1)."""

REFERENCE_GAP_OF_LOGARITHMS = 1e-8
"""The same for exponential cones, where an interior-point method does not always get further."""


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
