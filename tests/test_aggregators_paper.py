"""The values and counterexamples that [JD] Appendix C prints for each aggregator, and the claims of Table 1."""

import math

import pytest
import torch
from torch import Tensor

import jdbench.aggregators
from jdbench.aggregator import Aggregator, GramianAggregator, resolve
from jdbench.aggregators import (
    IMTLG,
    MGDA,
    RGW,
    AlignedMTL,
    CAGrad,
    DualProj,
    GradDrop,
    Mean,
    NashMTL,
    PCGrad,
    UPGrad,
)
from jdbench.gramian import gramian
from jdbench.verification import tolerances

DRAWS = 4000
NON_CONFLICTING = ["MGDA", "DualProj", "NashMTL", "UPGrad"]
LINEAR = ["Mean", "PCGrad", "RGW", "UPGrad"]
WEIGHTED = ["Mean", "MGDA", "DualProj", "PCGrad", "IMTLG", "CAGrad", "RGW", "NashMTL", "AlignedMTL", "UPGrad"]
SHAPES = [(1, 3), (2, 2), (2, 5), (3, 4), (5, 8), (4, 3), (7, 3)]


def matrix(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def integers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-4, 5, shape, generator=seeded(seed)).double()


def assert_aggregation(aggregator: GramianAggregator, J: Tensor, expected: list[float]) -> None:
    limit = tolerances.projection(J, aggregator.weights(gramian(J)))
    error = float((aggregator(J) - torch.tensor(expected, dtype=torch.float64)).norm())
    assert error <= float(limit), f"{aggregator}: {aggregator(J)} is not {expected}"


def margins(J: Tensor, a: Tensor) -> Tensor:
    """Return ĝᵢᵀa, by row."""
    norms = tolerances.row_norms(J).unsqueeze(-1)
    return (J / torch.where(norms > 0, norms, 1.0) @ a.unsqueeze(-1)).squeeze(-1)


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


# C.4 PCGrad


def test_pcgrad_is_uniform_over_four_vectors_that_all_conflict() -> None:
    J = matrix([[1.0, 0.0], [0.0, 1.0], [-0.5, -1.0]])
    values = matrix([[0.4, 0.2], [0.8, 0.2], [0.4, -0.2], [0.8, -0.2]])
    results = PCGrad()(J.expand(DRAWS, 3, 2), generator=seeded())
    distances = (results.unsqueeze(1) - values).norm(dim=-1)
    # At most 3 projections of 3 rows: each entry of `weights` is at most 3.
    assert float(distances.amin(1).max()) <= float(
        tolerances.improvement(J, torch.full((3,), 3.0, dtype=torch.float64))
    )
    low, high = tolerances.binomial_range(DRAWS, 1 / 4)
    counts = torch.bincount(distances.argmin(1), minlength=4)
    assert bool(((counts >= low) & (counts <= high)).all()), counts
    assert bool((margins(J, values).amin(-1) < 0).all())


@pytest.mark.parametrize("m", [1, 2])
def test_pcgrad_is_m_times_upgrad_for_up_to_two_rows(m: int) -> None:
    for n in (1, 2, 5):
        J = draw(200, m, n, seed=n) * (10.0 ** draw(200, m, 1, seed=n + 10))
        w, v = PCGrad().weights(gramian(J)), UPGrad().weights(gramian(J))
        error = (PCGrad()(J) - m * UPGrad()(J)).norm(dim=-1)
        # Both project once; two rows in R¹ that oppose each other leave rounding of size S.
        assert bool((error <= 2 * (tolerances.improvement(J, w) + m * tolerances.improvement(J, v))).all())


def test_pcgrad_orders_of_projection_are_independent_and_uniform() -> None:
    # g₃ conflicts with g₁ and g₂, which conflict with each other: six orders, told apart by their results.
    J = matrix([[1.0, 0.0], [-0.5, 1.0], [-0.5, -1.0]])
    results = PCGrad()(J.expand(DRAWS, 3, 2), generator=seeded(1))
    found, counts = torch.unique((results * 2**20).round(), dim=0, return_counts=True)
    low, high = tolerances.binomial_range(DRAWS, 1 / 8)
    assert found.shape[0] == 8
    assert bool(((counts >= low) & (counts <= high)).all()), counts


# C.5 GradDrop


def test_graddrop_of_the_counterexample_is_minus_two_twice_as_often_as_one() -> None:
    J = matrix([[-2.0], [1.0]])
    results = GradDrop()(J.expand(DRAWS, 2, 1), generator=seeded()).flatten()
    low, high = tolerances.binomial_range(DRAWS, 1 / 3)
    assert set(results.tolist()) == {-2.0, 1.0}
    assert low <= int((results == 1).sum()) <= high


@pytest.mark.parametrize(("factor", "chance"), [(1.0, 1 / 2), (2.0, 2 / 3)])
def test_graddrop_is_not_linear_under_scaling(factor: float, chance: float) -> None:
    # P = (chance, 1 - chance), coordinates independent.
    J = matrix([[factor, -factor], [-1.0, 1.0]])
    results = GradDrop()(J.expand(DRAWS, 2, 2), generator=seeded())
    for values, probability in (
        ([factor, 1.0], chance * (1 - chance)),
        ([factor, -factor], chance * chance),
        ([-1.0, 1.0], (1 - chance) * (1 - chance)),
        ([-1.0, -factor], (1 - chance) * chance),
    ):
        low, high = tolerances.binomial_range(DRAWS, probability)
        count = int((results == torch.tensor(values, dtype=torch.float64)).all(-1).sum())
        assert low <= count <= high, values


def test_graddrop_leaves_the_span_of_the_rows() -> None:
    J = matrix([[1.0, -1.0], [-1.0, 1.0]])
    results = GradDrop()(J.expand(DRAWS, 2, 2), generator=seeded())
    assert bool((results.sum(-1) != 0).any())  # the span is {(t, -t)}


def test_graddrop_of_a_zero_column_is_zero_and_of_one_sign_is_the_sum() -> None:
    J = matrix([[0.0, 1.0, -1.0], [0.0, 2.0, -3.0]])
    results = GradDrop()(J.expand(100, 2, 3), generator=seeded())
    assert torch.equal(results, matrix([[0.0, 3.0, -4.0]]).expand(100, 3))


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


# C.8 RGW


def test_rgw_is_the_softmax_of_standard_normal_draws() -> None:
    J = draw(5, 4, 6)
    normal = torch.randn(5, 4, dtype=torch.float64, generator=seeded(3))
    w = RGW().weights(gramian(J), generator=seeded(3))
    expected = normal.exp() / normal.exp().sum(-1, keepdim=True)
    # exp of x errs by (1 + |x|) roundings (the shift by the maximum), the quotient and sum by m.
    assert float((w / expected - 1).abs().max()) <= tolerances.gamma(8 + 4 * math.ceil(normal.abs().max()))
    assert bool(
        (
            (RGW()(J, generator=seeded(3)) - (w.unsqueeze(1) @ J).squeeze(1)).abs()
            <= tolerances.combination(J, w)
        ).all()
    )


def test_rgw_of_the_counterexample_conflicts_always() -> None:
    J = matrix([[1.0], [-2.0]])
    results = RGW()(J.expand(DRAWS, 2, 1), generator=seeded())
    assert bool((results != 0).all())  # any other value conflicts with one of the rows
    # softmax is symmetric in its draws, so the result w₁ - 2w₂ is as often above as below -½.
    low, high = tolerances.binomial_range(DRAWS, 1 / 2)
    assert low <= int((results > -0.5).sum()) <= high
    assert bool(((results > -2) & (results < 1)).all())


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


# Table 1


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NON_CONFLICTING)
def test_aggregators_that_claim_it_never_conflict(name: str, shape: tuple[int, int]) -> None:
    A = resolve(name).aggregator
    assert isinstance(A, GramianAggregator)
    for J in (draw(50, *shape), integers(50, *shape), 10.0 ** integers(50, shape[0], 1) * draw(50, *shape)):
        w = A.weights(gramian(J))
        assert bool((margins(J, A(J)).amin(-1) >= -tolerances.improvement(J, w)).all())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", LINEAR)
def test_aggregators_that_claim_it_are_linear_under_scaling(name: str, shape: tuple[int, int]) -> None:
    # A(c∘J) = 𝔍ᵀc: it is enough that A((c + c')∘J) = A(c∘J) + A(c'∘J), the draws being coupled. Integers
    # and powers of two keep the rows exact, so that rows which oppose each other do so to the last bit.
    A = resolve(name).aggregator
    assert isinstance(A, GramianAggregator)
    m, n = shape
    for J, c, other in (
        (integers(20, m, n), 2.0 ** integers(20, m, 1, seed=1), 2.0 ** integers(20, m, 1, seed=2)),
        (integers(20, m, n, seed=3), integers(20, m, 1).abs() + 1, torch.full((m, 1), 3.0)),
    ):
        total, error = torch.zeros(20, n, dtype=torch.float64), torch.zeros(20, dtype=torch.float64)
        for sign, scales in ((1, c + other), (-1, c), (-1, other)):
            scaled = scales * J
            total += sign * A(scaled, generator=seeded())
            error += tolerances.improvement(scaled, A.weights(gramian(scaled), generator=seeded()))
        # The others' weights pass on no more than the error of a slack: m projections at most for PCGrad.
        factors = [(m / tolerances.smallest_eigenvalue(rows)) ** 0.5 if name == "UPGrad" else m for rows in J]
        assert bool((total.norm(dim=-1) <= torch.tensor(factors, dtype=torch.float64) * error).all())


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", WEIGHTED)
def test_aggregators_that_claim_it_stay_in_the_row_span(name: str, shape: tuple[int, int]) -> None:
    A = resolve(name).aggregator
    assert isinstance(A, GramianAggregator)
    J = integers(50, *shape)
    w = A.weights(gramian(J), generator=seeded())
    a = A(J, generator=seeded())
    Q = torch.linalg.svd(J, full_matrices=True)
    rank = torch.linalg.matrix_rank(J)
    for i in range(50):
        outside = Q.Vh[i, int(rank[i]) :] @ a[i]
        limit = tolerances.size(J[i], w[i]) * tolerances.gamma(4 * sum(shape)) * shape[0]
        assert float(outside.norm()) <= float(limit) * shape[1] ** 0.5


def test_the_table_names_every_built_in_aggregator() -> None:
    assert sorted([*WEIGHTED, "GradDrop"]) == sorted(jdbench.aggregators.__all__)
    for name in jdbench.aggregators.__all__:
        A = resolve(name).aggregator
        assert isinstance(A, Aggregator)
        assert A.random == (name in {"PCGrad", "GradDrop", "RGW"})
        assert isinstance(A, GramianAggregator) == (name in WEIGHTED)
