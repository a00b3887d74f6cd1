"""Aggregations of rows whose norms span eight decades, against exact arithmetic."""

import itertools
from fractions import Fraction

import pytest
import torch

from jdbench import rounding
from jdbench.aggregators import IMTLG, CAGrad, NashMTL, PCGrad
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.aggregator_cases import DEPENDENT, INDEPENDENT, eight_decades, weighted
from support.exact_references import assert_aligned, assert_exact, assert_imtl_g, combined, fractions, product
from support.rounding_errors import forward_error
from support.tensors import seeded


@pytest.mark.parametrize("name", ["UPGrad", "DualProj", "MGDA"])
@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_projections_over_eight_decades_are_those_of_rational_arithmetic(
    name: str, shape: tuple[int, int]
) -> None:
    for seed in range(4):
        assert_exact(name, eight_decades(*shape, seed))


@pytest.mark.parametrize("name", ["UPGrad", "DualProj", "MGDA", "NashMTL", "CAGrad(c=1)"])
@pytest.mark.parametrize("shape", [*INDEPENDENT, *DEPENDENT], ids=str)
def test_a_small_row_is_kept_from_conflict_as_well_as_a_large_one(name: str, shape: tuple[int, int]) -> None:
    A = weighted(name, shape[0])
    for seed in range(4):
        J = eight_decades(*shape, seed)
        limit = float(tolerances.improvement(J, A.weights(gramian(J))))
        a = [Fraction(value) for value in A(J).tolist()]
        for row, norm in zip(fractions(J), rounding.row_norms(J).tolist(), strict=True):
            assert float(product(row, a)) / norm >= -limit


@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_imtl_g_over_eight_decades_has_equal_projections_on_all_rows(shape: tuple[int, int]) -> None:
    for seed in range(4):
        J = eight_decades(*shape, seed)
        w = IMTLG().weights(gramian(J))
        assert abs(float(w.sum()) - 1) <= rounding.gamma(2 * shape[0]) * float(w.abs().sum())
        a = [Fraction(value) for value in IMTLG()(J).tolist()]
        norms = rounding.row_norms(J).tolist()
        shares = [float(product(row, a)) / norm for row, norm in zip(fractions(J), norms, strict=True)]
        assert max(shares) - min(shares) <= 2 * float(tolerances.improvement(J, w))


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_aligned_mtl_over_eight_decades_is_that_of_high_precision(shape: tuple[int, int], scale: str) -> None:
    for seed in range(2):
        assert_aligned(eight_decades(*shape, seed), shape[0], scale)


@pytest.mark.parametrize("shape", [(3, 2), (4, 2), (5, 3)], ids=str)
def test_dependent_rows_over_eight_decades_have_the_rank_of_their_directions(shape: tuple[int, int]) -> None:
    for seed in range(2):
        assert_aligned(eight_decades(*shape, seed), shape[1], "min")
        assert_imtl_g(eight_decades(*shape, seed), shape[1])


@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_nash_mtl_over_eight_decades_solves_its_equations(shape: tuple[int, int]) -> None:
    m, n = shape
    for seed in range(4):
        J = eight_decades(m, n, seed)
        alpha = NashMTL().weights(gramian(J)) * m**0.5
        beta = alpha * rounding.row_norms(J)
        rows = fractions(J)
        direction = combined(rows, [Fraction(value) for value in alpha.tolist()])
        for i in range(m):
            # αᵢ gᵢᵀJᵀα = 1, off by βᵢ times the error of a slack.
            limit = float(beta[i] * tolerances.improvement(J, alpha)) + rounding.gamma(8)
            assert abs(float(Fraction(float(alpha[i])) * product(rows[i], direction)) - 1) <= limit
        assert abs(float(NashMTL()(J).norm()) - 1) <= float(forward_error(NashMTL(), J))


@pytest.mark.parametrize("c", [0.1, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_cagrad_over_eight_decades_has_its_dual_for_a_certificate(shape: tuple[int, int], c: float) -> None:
    # d = ḡ + Jᵀp with p ≥ 0 on the sphere is optimal if and only if every row with pᵢ > 0 has the same least
    # improvement ν: in unit rows ĝᵢᵀd ≥ ν/‖gᵢ‖, with equality where pᵢ > 0.
    m, n = shape
    for seed in range(4):
        J = eight_decades(m, n, seed)
        w = CAGrad(c).weights(gramian(J))
        p, norms = w - 1 / m, rounding.row_norms(J).tolist()
        limit = float(tolerances.improvement(J, w))
        assert float((p * rounding.row_norms(J)).min()) >= -limit
        shares = [max(Fraction(value), Fraction(0)) for value in p.tolist()]
        rows = fractions(J)
        d = combined(rows, [Fraction(value) for value in w.tolist()])
        improvements = [product(row, d) for row in rows]
        level = sum(s * i for s, i in zip(shares, improvements, strict=True)) / sum(shares)
        assert max(float(level - i) / norm for i, norm in zip(improvements, norms, strict=True)) <= limit
        mean, radius = J.mean(0), float(c * J.mean(0).norm())
        slack = tolerances.improvement(J, p) * rounding.size(J, p)
        length = float((CAGrad(c)(J) - mean).norm())
        assert (radius**2 - float(slack)) ** 0.5 - limit <= length <= (radius**2 + float(slack)) ** 0.5 + limit


@pytest.mark.parametrize("seed", range(8))
def test_pcgrad_over_eight_decades_is_one_of_its_exact_values(seed: int) -> None:
    J = eight_decades(3, 4, seed)
    rows = fractions(J)
    values = []
    for orders in itertools.product(
        *(itertools.permutations([k for k in range(3) if k != i]) for i in range(3))
    ):
        total = [Fraction(0)] * 4
        for i, order in enumerate(orders):
            g = rows[i]
            for k in order:
                conflict = min(product(g, rows[k]) / product(rows[k], rows[k]), Fraction(0))
                g = [a - conflict * b for a, b in zip(g, rows[k], strict=True)]
            total = [a + b for a, b in zip(total, g, strict=True)]
        values.append([float(value) for value in total])
    a = PCGrad()(J, generator=seeded(seed))
    w = PCGrad().weights(gramian(J), generator=seeded(seed))
    # Two projections of each of three rows; none lengthens an error.
    limit = 2 * float(tolerances.improvement(J, w.abs() + 3))
    assert min(float((a - torch.tensor(value, dtype=torch.float64)).norm()) for value in values) <= limit
