"""KKT residuals that solvers of the dual cone may leave: exact ones by rounding, others as they report.

All in unit rows and divided by s, as `unit_program` has them; γₖ and S as in `tolerances`.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.dual_cone import Solution
from jdbench.rounding import gamma, row_norms, size
from jdbench.shapes import Jacobian, WeightRows
from jdbench.verification import tolerances
from jdbench.verification.dual_cone.lemmas import UnitProgram, unit_program

ASKED = (1e-12, 1e-9)
"""Feasibility and stationarity asked of primal solvers in unit rows, and what to ask where that is refused."""


class Residuals(NamedTuple):
    """How far t + Ĵᵀz is at most from the KKT conditions of the projection of t; each of shape ``[k]``.

    Attributes:
        bound: The largest -zᵢ.
        slack: The largest -sᵢ, where s = Ĵx holds the slacks.
        gap: |zᵀs|.
        complementarity: The largest |sᵢ| with zᵢ > 0; infinite for solvers that only make zᵢsᵢ small.
        size: ‖z‖₁.
        offset: ‖x - t - Ĵᵀz⁺‖, with z⁺ the positive part.
    """

    bound: Tensor
    slack: Tensor
    gap: Tensor
    complementarity: Tensor
    size: Tensor
    offset: Tensor


def rounding(J: Jacobian, U: WeightRows, W: WeightRows) -> Residuals:
    """Return the residuals that rounding alone explains.

    Slacks err by ρ, `tolerances.improvement` of |u| + |w - u| rather than |w|: a negative bound and its step
    may cancel, their rounding does not. It holds the Gramian's errors, the solver's, and those of Ĵ(Ĵᵀy) where
    it is looked at; a gap errs by ρ‖z‖₁. The sum Ĵᵀy is off by γ₂ₘ of the same size. Bounds err by nothing.

    Args:
        J: Jacobian, shape ``[m, n]``.
        U: Bounds, shape ``[k, m]``.
        W: Weights, shape ``[k, m]``.

    Returns:
        The residuals.
    """
    program = unit_program(J, U, W)
    summed = U.abs() + (W - U).abs()
    rho = tolerances.improvement(J, summed) / program.scale
    offset = gamma(2 * len(J) + 2) * size(J, summed) / program.scale
    steps = program.steps.abs().sum(-1)
    return Residuals(torch.zeros_like(rho), rho, rho * steps, rho, steps, offset)


def exact(J: Jacobian, U: WeightRows, W: WeightRows) -> Residuals:
    """Return the residuals that a solver may leave which ends at the right active set: `active_set`.

    They are those of rounding, except for rows that it leaves outside: `left_outside`.

    Args:
        J: Jacobian, shape ``[m, n]``.
        U: Bounds, shape ``[k, m]``.
        W: Weights, shape ``[k, m]``.

    Returns:
        The residuals.
    """
    explained = rounding(J, U, W)
    program = unit_program(J, U, W)
    bounds = U * row_norms(J) / program.scale.unsqueeze(-1)
    outside = left_outside(program, bounds, explained.slack)
    return explained._replace(slack=explained.slack + outside)


def left_outside(program: UnitProgram, bounds: WeightRows, rho: Tensor) -> Tensor:
    """Return the violation that `nonnegative_qp` leaves of a row which it cannot or will not take in.

    (a) A row in the span of the p active ones cannot enter. Slacks of those err by ρ, hence the point by
    ρ√(p/λ) with λ their `tolerances.smallest_eigenvalue`, and the row's slack by as much. (b) Weights of
    ‖z‖₁ = Z move zᵀĜz by Z² times the error of Ĝ's entries, 4·2⁻⁵² Z (Z + 2‖û‖₁) with those of Ĝû: by the
    kernel's rule a row whose violation is less stays outside. Z is what the active rows and this one together
    need: the least-squares solution of Ĵᵀz = -t over them.

    Args:
        program: The programs with their solutions.
        bounds: û, shape ``[k, m]``.
        rho: ρ, shape ``[k]``: violations up to here need no excuse.

    Returns:
        Shape ``[k]``; zero where no row is violated beyond ρ, and where it is NaN.
    """
    slack = program.points @ program.rows.mT
    accepted = torch.zeros_like(rho)
    for k, j in (slack < -rho.unsqueeze(-1)).nonzero().tolist():
        active = program.steps[k] > 0
        if active[j]:
            continue
        spread = (active.sum() / tolerances.smallest_eigenvalue(program.rows[active])).sqrt()
        active[j] = True
        target = -(bounds[k] @ program.rows)
        solution = torch.linalg.lstsq(program.rows[active].mT, target, driver="gelsd").solution
        size, scale = solution.abs().sum(), bounds[k].abs().sum()
        allowed = rho[k] * spread + 4 * torch.finfo(rho.dtype).eps * size * (size + 2 * scale)
        accepted[k] = torch.maximum(accepted[k], allowed)
    return accepted


def reported(J: Jacobian, solution: Solution) -> Residuals:
    """Return the residuals that a solution reports, and on top of them the rounding of its Gramian.

    A solution looks at y through the computed Ĝ, whose entries err by κ: ρ more for a slack, ρ‖z‖₁ for a
    gap. Its z is the difference of two rounded products, off by the rounding of a sum of them: that much more
    for (19a), and times the largest slack, at most S, for the gap.

    Args:
        J: Jacobian, shape ``[m, n]``, whose Gramian was solved.
        solution: Of k programs, of any solver.

    Returns:
        The residuals; NaN where the solver failed.
    """
    J, U, W = J.to(torch.float64), solution.bounds, solution.weights
    explained = rounding(J, U, W)
    bound = solution.primal_residual() + explained.offset
    steepest = size(J, W) / unit_program(J, U, W).scale
    return Residuals(
        bound,
        solution.dual_residual() + explained.slack,
        solution.duality_gap() + explained.gap + explained.offset * steepest,
        torch.full_like(bound, torch.inf),
        explained.size,
        J.shape[-2] * bound + explained.offset,
    )


def proposition_1_limits(J: Jacobian, first: Residuals, second: Residuals) -> Tensor:
    """Return the distance that two approximate projections of the same t can have, by their residuals.

    Offsets come first: x' = t + Ĵᵀz⁺ is within ‖r‖ of x, and its slacks within ‖r‖ of those of x. Then the
    smaller of two bounds holds. (a) `tolerances.projections`, the root of the gaps, for any solver. (b) Where
    zᵢ = 0 or |sᵢ| ≤ ρ, and sᵢ ≥ -ρ, z solves the program whose gradient is off by at most ρ; then
    `tolerances.projection` has the distance ρ√(m/λ) to the exact solution, with λ the smallest eigenvalue
    of `tolerances.smallest_eigenvalue`, and the distance of two is at most the sum.

    Args:
        J: Jacobian, shape ``[m, n]``.
        first: Residuals of k points.
        second: Residuals of k others.

    Returns:
        Shape ``[k]``, a pure number as `lemmas.proposition_1_margins`.
    """
    both = [first, second]
    gaps = torch.stack([r.gap + r.offset * r.size for r in both])
    slacks = torch.stack([r.slack + r.offset for r in both])
    sizes = torch.stack([r.size for r in both])
    programs = zip(gaps.T, slacks.T, sizes.T, strict=True)
    by_gap = torch.stack([tolerances.projections(gap, slack, size) for gap, slack, size in programs])
    rho = sum(torch.maximum(r.slack, r.complementarity) + r.offset for r in both)
    by_active_set = rho * (J.shape[-2] / tolerances.smallest_eigenvalue(J)) ** 0.5
    return torch.minimum(by_gap, by_active_set) + first.offset + second.offset


def lemma_5_limit(J: Jacobian, W: WeightRows, residuals: Residuals) -> Tensor:
    """Return how far 1ᵀGw - wᵀGw can fall below 0 when the wᵢ, of mean w, have these residuals.

    The proof's chain is 1ᵀGw - wᵀGw = mean_i (1 - eᵢ)ᵀGwᵢ + mean_i (eᵢ - wᵢ)ᵀGwᵢ + a variance ≥ 0. In unit
    rows wᵢ has s = ‖gᵢ‖, so the first is at least -‖gᵢ‖ slackᵢ Σ_{j≠i} ‖gⱼ‖ and the second at least
    -‖gᵢ‖² gapᵢ. Evaluating (b - a)ᵀa adds γ_{2m+n+4} (S_a + S_b) S_a.

    Args:
        J: Jacobian, shape ``[m, n]``.
        W: The wᵢ, solutions for u = eᵢ, shape ``[m, m]``.
        residuals: Theirs, of shape ``[m]``.

    Returns:
        A scalar, relative to max_j ‖gⱼ‖² as `lemmas.lemma_5_margin`.
    """
    m, n = J.shape
    norms = row_norms(J)
    largest = torch.where(norms.amax(-1) > 0, norms.amax(-1), 1.0)
    d = norms / largest
    others = d.sum(-1) - d
    solved = (d * residuals.slack * others + d.square() * residuals.gap).mean(-1)
    relative = size(J, W.mean(-2)) / largest
    return solved + gamma(2 * m + n + 4) * (relative + d.sum(-1)) * relative
