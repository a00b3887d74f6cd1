"""Two rows by hand: their projections, and the residuals of right and of planted weights ([JD] Lemma 4)."""

import math

import pytest
import torch

from jdbench import rounding
from jdbench.dual_cone import Solution, Status, project_weights
from jdbench.dual_cone.solution import ACCURACY
from jdbench.verification import tolerances
from support.tensors import eye

# Rows g₁ = (1, 0) and g₂ = (-1, 1) at 135°: πJ(g₁) = (½, ½) = g₁ + ½g₂ and πJ(g₂) = (0, 1) = g₁ + g₂.
HAND_J = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=torch.float64)
HAND_G = torch.tensor([[1.0, -1.0], [-1.0, 2.0]], dtype=torch.float64)
HAND_W = torch.tensor([[1.0, 0.5], [1.0, 1.0]], dtype=torch.float64)


def test_two_conflicting_rows_are_projected_as_by_hand() -> None:
    W = project_weights(HAND_G, eye(2))
    limits = tolerances.projection(HAND_J, W)
    assert bool(((W - HAND_W) @ HAND_J).norm(dim=-1).le(limits).all())
    expected = torch.tensor([[0.5, 0.5], [0.0, 1.0]], dtype=torch.float64)
    assert bool((W @ HAND_J - expected).norm(dim=-1).le(limits).all())


def test_the_right_weights_leave_residuals_of_rounding_only() -> None:
    solution = Solution(HAND_G, eye(2), HAND_W, 1, "by hand")
    assert float(solution.residual().max()) <= rounding.cosine(2) * 2
    assert solution.status is Status.SOLVED


@pytest.mark.parametrize("factors", [(1.0, 1.0), (2.0**200, 2.0**-300)], ids=["as is", "rescaled"])
@pytest.mark.parametrize(
    ("weights", "primal", "dual", "gap"),
    [
        # In unit rows û = (1, 0), Ĝ₁₂ = -1/√2 and y = (w₁, √2 w₂).
        ((1.0, 0.0), 0.0, 0.5**0.5, 0.0),  # Ĝy = (1, -1/√2): g₁ itself conflicts with g₂
        ((1.0, 1.0), 0.0, 0.0, 1.0),  # Ĝy = (0, 1/√2), (y - û)ᵀĜy = √2/√2
        ((0.5, 0.25), 0.5, 0.0, 0.125),  # half the answer: Ĝy = (¼, 0), (y - û)ᵀĜy = -⅛
        ((1.0, -0.5), 0.5**0.5, 2**0.5, 1.0),  # Ĝy = (3/2, -√2), (y - û)ᵀĜy = (-1/√2)(-√2)
    ],
    ids=["no step", "too long", "too short", "wrong way"],
)
def test_planted_weights_leave_the_residuals_of_lemma_4(
    weights: tuple[float, float], primal: float, dual: float, gap: float, factors: tuple[float, float]
) -> None:
    D = torch.diag(torch.tensor(factors, dtype=torch.float64))
    w = torch.tensor([weights], dtype=torch.float64) * factors[0] @ D.inverse()
    solution = Solution(D @ HAND_G @ D, eye(2)[:1], w, 1, "planted")
    error = rounding.cosine(2) * 4
    assert float(solution.primal_residual()) == pytest.approx(primal, abs=error)
    assert float(solution.dual_residual()) == pytest.approx(dual, abs=error)
    assert float(solution.duality_gap()) == pytest.approx(gap, abs=error)
    assert float(solution.residual()) == pytest.approx(max(primal, dual, gap), abs=error)
    assert solution.status is Status.INACCURATE


def test_the_worst_program_of_a_batch_decides_the_status() -> None:
    W = HAND_W.repeat(3, 1, 1)
    assert Solution(HAND_G.expand(3, 2, 2), eye(2).expand(3, 2, 2), W, 1, "planted").status is Status.SOLVED
    W[1, 0, 1] += 0.5
    solution = Solution(HAND_G.expand(3, 2, 2), eye(2).expand(3, 2, 2), W, 1, "planted")
    assert solution.status is Status.INACCURATE
    assert (solution.residual() > ACCURACY).tolist() == [[False, False], [True, False], [False, False]]
    W[2, 1, 0] = math.nan
    assert Solution(HAND_G.expand(3, 2, 2), eye(2).expand(3, 2, 2), W, 1, "planted").status is Status.FAILED


def test_bounds_and_gramians_of_other_dtypes_are_solved_in_float64() -> None:
    W = project_weights(HAND_G.float(), torch.eye(2, dtype=torch.int64))
    assert W.dtype == torch.float64
    assert torch.equal(W, project_weights(HAND_G, eye(2)))
