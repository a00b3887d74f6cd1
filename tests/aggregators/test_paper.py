"""The values and counterexamples that [JD] prints for aggregators that draw nothing (Appendix C, Figure 1)."""

import math

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import GramianAggregator
from jdbench.aggregators import IMTLG, MGDA, AlignedMTL, CAGrad, DualProj, Mean, NashMTL, UPGrad
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.paper_shapes import SHAPES, margins
from support.tensors import draw, integers, matrix


def assert_aggregation(aggregator: GramianAggregator, J: Tensor, expected: list[float]) -> None:
    limit = tolerances.projection(J, aggregator.weights(gramian(J)))
    error = float((aggregator(J) - torch.tensor(expected, dtype=torch.float64)).norm())
    assert error <= float(limit), f"{aggregator}: {aggregator(J)} is not {expected}"


# C.1 Mean


def test_mean_of_the_counterexample_is_one_and_conflicts() -> None:
    J = matrix([[-2.0], [4.0]])
    assert Mean()(J).tolist() == [1.0]
    assert float(margins(J, Mean()(J)).min()) == -1.0


# C.2 MGDA


@pytest.mark.parametrize("a", [0.0, 0.125, 0.5, 0.75, 1.0, 1.5, 3.0, 1000.0])
def test_mgda_is_not_affine_in_the_scale_of_a_row(a: float) -> None:
    J = matrix([[2.0, 0.0], [0.0, 2.0], [a, a]])
    assert_aggregation(MGDA(), J, [min(a, 1.0)] * 2)


def test_mgda_stops_where_a_row_is_zero() -> None:
    J = torch.cat([draw(3, 4), torch.zeros(1, 4, dtype=torch.float64)])
    assert not MGDA()(J).any()


# C.3 DualProj


@pytest.mark.parametrize("a", [0.5, 0.625, 0.75, 1.0, 1.25, 2.0, 30.0])
def test_dualproj_is_not_affine_in_the_scale_of_a_row(a: float) -> None:
    assert_aggregation(DualProj(), matrix([[2.0, 0.0], [-2 * a, 2 * a]]), [max(1 - a, 0.0), a])


# C.6 IMTL-G


def test_imtl_g_of_the_counterexample_is_minus_three_and_conflicts() -> None:
    J = matrix([[1.0], [-1.0], [-1.0]])
    w = IMTLG().weights(gramian(J))
    limit = float(tolerances.improvement(J, w))
    assert float((w - torch.tensor([-1.0, 1.0, 1.0])).abs().max()) <= limit
    assert abs(float(IMTLG()(J)) + 3) <= limit
    assert float(margins(J, IMTLG()(J)).min()) < -limit


@pytest.mark.parametrize("a", [1e-6, 0.5, 1.0, 3.0, 1e6])
def test_imtl_g_is_not_affine_in_the_scale_of_a_row(a: float) -> None:
    assert_aggregation(IMTLG(), torch.diag(torch.tensor([a, 1.0], dtype=torch.float64)), [1 / (1 / a + 1)] * 2)


def test_imtl_g_conflicts_with_independent_rows_too() -> None:
    # The paper's remark that it seems non-conflicting at full rank is false: G⁻¹d has a negative sum.
    J = matrix([[-1.0, 2.0, 2.0], [2.0, 1.0, -1.0], [0.0, 1.0, 0.0]])
    assert float(torch.linalg.det(J)) != 0
    w = IMTLG().weights(gramian(J))
    equal = margins(J, IMTLG()(J))
    assert float(equal.max() - equal.min()) <= 2 * float(tolerances.improvement(J, w))
    assert float(equal.max()) < -float(tolerances.improvement(J, w))


# C.7 CAGrad


@pytest.mark.parametrize("c", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_cagrad_conflicts_for_c_below_one(c: float) -> None:
    a = 2 * math.sqrt(c * c / (1 - c * c)) + 1  # any a > √(c²/(1 - c²)) will do
    J = matrix([[2.0, 0.0], [-2 * a - 2, 2.0]])
    d = CAGrad(c)(J)
    limit = float(tolerances.improvement(J, CAGrad(c).weights(gramian(J))))
    assert float(d[0]) <= -a + c * math.sqrt(a * a + 1) + limit
    assert float(d[0]) < -limit


@pytest.mark.parametrize("c", [1.0, 1.5, 10.0])
@pytest.mark.parametrize("a", [0.5, 1.0, 7.0])
def test_cagrad_does_not_conflict_for_c_from_one_on(c: float, a: float) -> None:
    J = matrix([[2.0, 0.0], [-2 * a - 2, 2.0]])
    limit = float(tolerances.improvement(J, CAGrad(c).weights(gramian(J))))
    assert float(margins(J, CAGrad(c)(J)).min()) >= -limit


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cagrad_with_c_zero_is_mean(shape: tuple[int, int]) -> None:
    J = draw(20, *shape)
    assert torch.equal(CAGrad(0.0)(J), Mean()(J))


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("a", [2.0, 4.0, 50.0])
def test_cagrad_is_not_affine_in_the_scale_of_a_row(c: float, a: float) -> None:
    assert c * math.sqrt(1 + a * a) + 1 < a * a  # the paper's condition for the case
    J = torch.diag(torch.tensor([2.0, 2 * a], dtype=torch.float64))
    assert_aggregation(CAGrad(c), J, [c * math.sqrt(1 + a * a) + 1, a])


@pytest.mark.parametrize("c", [0.1, 0.5, 0.9])
def test_cagrad_of_equal_rows_at_right_angles_is_the_longer_mean(c: float) -> None:
    assert_aggregation(CAGrad(c), 2 * torch.eye(2, dtype=torch.float64), [1 + c, 1 + c])


# C.9 Nash-MTL


@pytest.mark.parametrize("shape", [(1, 3), (2, 2), (3, 4), (5, 8)], ids=str)
def test_nash_mtl_does_not_see_the_scale_of_rows(shape: tuple[int, int]) -> None:
    J = draw(20, *shape)
    scales = 2.0 ** integers(20, shape[0], 1, seed=1)
    assert torch.equal(NashMTL()(J * scales), NashMTL()(J))


@pytest.mark.parametrize("epsilon", [0.25, 1.0, 3.0])
@pytest.mark.parametrize("m", [1, 2, 5])
def test_nash_mtl_of_rows_at_right_angles_is_their_diagonal(m: int, epsilon: float) -> None:
    J = torch.diag(torch.linspace(1.0, 9.0, m, dtype=torch.float64))
    assert_aggregation(NashMTL(epsilon), J, [epsilon / math.sqrt(m)] * m)


def test_nash_mtl_of_one_row_is_that_row_at_the_given_length() -> None:
    assert_aggregation(NashMTL(10.0), matrix([[3.0, 4.0]]), [6.0, 8.0])


# C.10 Aligned-MTL


def test_aligned_mtl_of_the_counterexample_conflicts_by_the_printed_amount() -> None:
    # J = VΣUᵀ with U = I: both rows lie along e₁.
    V = matrix([[math.sqrt(3), 1.0], [-1.0, math.sqrt(3)]]) / 2
    J = V @ torch.diag(torch.tensor([1.0, 0.0], dtype=torch.float64))
    expected = torch.tensor([3 - math.sqrt(3), 1 - math.sqrt(3)], dtype=torch.float64) / 8
    limit = float(tolerances.improvement(J, AlignedMTL().weights(gramian(J))))
    assert float((J @ AlignedMTL()(J) - expected).abs().max()) <= limit
    assert float(expected.min()) < -limit


@pytest.mark.parametrize("a", [1e-6, 0.25, 1.0, 3.0, 1e6])
def test_aligned_mtl_is_not_linear_in_the_scale_of_a_row(a: float) -> None:
    assert_aggregation(
        AlignedMTL(), torch.diag(torch.tensor([1.0, a], dtype=torch.float64)), [min(a, 1.0) / 2] * 2
    )


@pytest.mark.parametrize(("scale", "length"), [("min", 1.0), ("median", 2.0), ("rmse", (21 / 3) ** 0.5)])
def test_aligned_mtl_lengths_are_the_least_the_middle_and_the_root_mean_square(
    scale: str, length: float
) -> None:
    J = torch.diag(torch.tensor([2.0, 1.0, 4.0], dtype=torch.float64))
    assert_aggregation(AlignedMTL(scale=scale), J, [length / 3] * 3)


def test_aligned_mtl_takes_the_lower_of_two_middle_lengths() -> None:
    J = torch.diag(torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64))
    assert_aggregation(AlignedMTL(scale="median"), J, [2 / 4] * 4)


# UPGrad, Figure 1 and Section 3


def test_upgrad_averages_the_projections_of_two_conflicting_rows() -> None:
    # g₁ = (4, 0), g₂ = (-2, 2): each loses its component along the other, π(g₁) = (2, 2), π(g₂) = (0, 2).
    assert_aggregation(UPGrad(), matrix([[4.0, 0.0], [-2.0, 2.0]]), [1.0, 2.0])


def test_upgrad_weighs_the_projections_by_the_preferences() -> None:
    J = matrix([[4.0, 0.0], [-2.0, 2.0]])
    assert_aggregation(UPGrad(preferences=(3.0, 0.5)), J, [6.0, 7.0])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_upgrad_is_mean_where_no_rows_conflict(shape: tuple[int, int]) -> None:
    J = draw(20, *shape).abs()
    assert torch.equal(UPGrad()(J), Mean()(J))


def test_the_three_dual_cone_aggregators_agree_on_the_example_of_figure_1() -> None:
    # Two conflicting rows of one length: mean, DualProj and UPGrad share the direction of g₁ + g₂.
    J = matrix([[3.0, 1.0], [-3.0, 1.0]])
    assert_aggregation(Mean(), J, [0.0, 1.0])
    assert_aggregation(DualProj(), J, [0.0, 1.0])
    # π(g₁) is g₁ less its part along g₂: (3, 1) - (-8/10)(-3, 1) = (0.6, 1.8), π(g₂) = (-0.6, 1.8).
    assert_aggregation(UPGrad(), J, [0.0, 1.8])
