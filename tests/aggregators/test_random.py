"""Values, counterexamples and distributions of PCGrad, GradDrop and RGW ([JD] Appendices C.4, C.5, C.8)."""

import math

import pytest
import torch

from jdbench import rounding
from jdbench.aggregators import RGW, GradDrop, PCGrad, UPGrad
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.paper_shapes import margins
from support.tensors import draw, matrix, seeded

DRAWS = 4000


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


# C.8 RGW


def test_rgw_is_the_softmax_of_standard_normal_draws() -> None:
    J = draw(5, 4, 6)
    normal = torch.randn(5, 4, dtype=torch.float64, generator=seeded(3))
    w = RGW().weights(gramian(J), generator=seeded(3))
    expected = normal.exp() / normal.exp().sum(-1, keepdim=True)
    # exp of x errs by (1 + |x|) roundings (the shift by the maximum), the quotient and sum by m.
    assert float((w / expected - 1).abs().max()) <= rounding.gamma(8 + 4 * math.ceil(normal.abs().max()))
    assert bool(
        (
            (RGW()(J, generator=seeded(3)) - (w.unsqueeze(1) @ J).squeeze(1)).abs()
            <= rounding.combination(J, w)
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
