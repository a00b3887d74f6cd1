"""Every built-in aggregator of duplicate, opposed and nearly opposed rows, and of rows that sum to zero."""

import pytest
import torch

from jdbench import rounding
from jdbench.aggregators import IMTLG
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.aggregator_cases import DETERMINISTIC, INDEPENDENT, named, weighted
from support.rounding_errors import forward_error, trace_error
from support.tensors import draw, integers, matrix, seeded


@pytest.mark.parametrize("spec", [s for s in DETERMINISTIC if "preferences" not in s and "trace" not in s])
@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_rows_given_twice_count_as_once(spec: str, shape: tuple[int, int]) -> None:
    A = weighted(spec, shape[0])
    for seed in range(5):
        J = draw(*shape, seed=seed)
        twice = torch.cat([J, J])
        # As many weights again: twice the error, and the dependent Gramian has its own.
        limit = forward_error(A, J) + 2 * forward_error(A, twice)
        assert float((A(twice) - A(J)).norm()) <= float(limit)


OPPOSED = [
    "Mean",
    "MGDA",
    "DualProj",
    "PCGrad",
    "IMTLG",
    "CAGrad(c=0.5)",
    "CAGrad(c=1)",
    "CAGrad(c=2)",
    "NashMTL",
    "AlignedMTL",
    "AlignedMTL(scale='median')",
    "AlignedMTL(scale='rmse')",
    "UPGrad",
    "DualProj(trace_regularization=1e-4)",
    "UPGrad(trace_regularization=1e-4)",
]


@pytest.mark.parametrize("spec", OPPOSED)
def test_two_opposed_rows_of_one_length_cancel(spec: str) -> None:
    for seed in range(20):
        g = draw(1, 2, seed=seed)
        J = torch.cat([g, -g])
        A = weighted(spec, 2)
        w = A.weights(gramian(J), generator=seeded())
        limit = trace_error(A, J, w) if "trace" in spec else float(tolerances.projection(J, w))
        assert float(A(J, generator=seeded()).norm()) <= limit


def test_imtl_g_of_opposed_rows_of_two_lengths_has_a_value() -> None:
    # g and -2g: d ∝ (1, 2), G ∝ aaᵀ with a = (1, -2), v = G†d ∝ a, w = a/(1ᵀa) = (-1, 2), A = -g - 4g.
    J = matrix([[1.0, 3.0], [-2.0, -6.0]])
    limit = tolerances.projection(J, IMTLG().weights(gramian(J)))
    assert float((IMTLG()(J) - matrix([[-5.0, -15.0]])).norm()) <= float(limit)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("Mean", 1 / 3),
        ("MGDA", 0.0),
        ("DualProj", 1 / 3),
        ("PCGrad", 1.0),
        ("CAGrad(c=0.5)", 1 / 3),
        ("CAGrad(c=1)", 1 / 3),
        ("CAGrad(c=2)", 1 / 3),
        ("NashMTL", 0.0),
        ("UPGrad", 1 / 3),
    ],
)
def test_a_row_at_right_angles_to_two_opposed_ones_is_all_that_is_left(spec: str, expected: float) -> None:
    J = matrix([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [-1.0, 0.0, -2.0]])
    A = weighted(spec, 3)
    limit = tolerances.projection(J, A.weights(gramian(J), generator=seeded()))
    assert float((A(J, generator=seeded()) - expected * J[1]).norm()) <= float(limit)


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4, 5), (5, 3)], ids=str)
def test_imtl_g_is_zero_where_the_rows_sum_to_zero(shape: tuple[int, int]) -> None:
    # 1 is orthogonal to the range of G, in which v lies.
    for seed in range(5):
        J = integers(*shape, seed=seed)
        J[-1] = -J[:-1].sum(0)
        assert not IMTLG()(J).any()


@pytest.mark.parametrize("spec", DETERMINISTIC)
@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7, 1e-9])
def test_nearly_opposed_rows_are_aggregated(spec: str, distance: float) -> None:
    J = matrix([[1.0, 0.0], [-1.0, distance], [0.0, -1.0]])
    assert bool(torch.isfinite(named(spec, 3)(J)).all())


@pytest.mark.parametrize("spec", ["UPGrad", "DualProj", "MGDA"])
@pytest.mark.parametrize("decade", range(-9, -2))
def test_nearly_opposed_rows_conflict_by_no_more_than_a_gramian_must(spec: str, decade: int) -> None:
    for distance in (10.0 ** (decade + tenth / 10) for tenth in range(10)):
        J = matrix([[1.0, 0.0], [-1.0, distance], [0.0, -1.0]])
        a = named(spec, 3)(J)
        assert float(((J @ a) / rounding.row_norms(J)).min()) >= -tolerances.nearly_dependent(3)
