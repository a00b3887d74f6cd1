"""Margins in rational arithmetic: they agree with the float ones, and see what those round away."""

import pytest
import torch
from flint import fmpq, fmpq_mat
from hypothesis import given, settings
from hypothesis import strategies as st

from jdbench.verification import predicates
from jdbench.verification.exact.aggregations import (
    exact_matrix,
    linear_exactly,
    non_conflicting_exactly,
    weighted_exactly,
)
from jdbench.verification.exact.margins import MARGINS
from jdbench.verification.properties import TABLE_1
from jdbench.verification.strategies import Matrix, matrices
from support.tensors import tensor

NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1
F64 = torch.float64
DRAWN = settings(max_examples=100, derandomize=True, deadline=None, database=None)


@DRAWN
@given(matrices(F64), st.data())
def test_exact_margins_agree_with_the_float_ones_and_their_signs_with_the_exact_predicates(
    matrix: Matrix, data: st.DataObject
) -> None:
    J = matrix.J
    n = J.shape[1]
    whole = st.lists(st.integers(-5, 5), min_size=n, max_size=n)
    a = torch.tensor(data.draw(whole), dtype=F64) * float(J.abs().max())
    exact = [exact_matrix(J)], [exact_matrix(a)]
    margin = MARGINS[NON_CONFLICTING](*exact)
    assert (margin < 0) == (non_conflicting_exactly(exact[0][0], exact[1][0]) < 0)
    assert margin == pytest.approx(float(predicates.non_conflicting(J, a)), rel=1e-12, abs=1e-12)
    margin = MARGINS[WEIGHTED](*exact)
    assert (margin == 0) == weighted_exactly(exact[0][0], exact[1][0])
    assert margin == pytest.approx(float(predicates.weighted(J, a)), rel=1e-6, abs=1e-6)


@DRAWN
@given(matrices(F64), st.data())
def test_exact_margin_of_linearity(matrix: Matrix, data: st.DataObject) -> None:
    n = matrix.J.shape[1]
    whole = st.lists(st.integers(-5, 5), min_size=n, max_size=n)
    scale = float(matrix.J.abs().max())
    vectors = [torch.tensor(data.draw(whole), dtype=F64) * scale for _ in range(3)]
    margin = MARGINS[LINEAR]([exact_matrix(matrix.J)] * 3, [exact_matrix(a) for a in vectors])
    assert (margin == 0) == linear_exactly(*(exact_matrix(a) for a in vectors))
    assert margin == pytest.approx(float(predicates.linear_under_scaling(*vectors, matrix.J)), rel=1e-12)


def test_a_conflict_that_floats_round_away_is_seen() -> None:
    # gᵀa = 2⁻⁸⁰ - 2⁻⁷⁹ beside terms of 1: float64 sums to zero.
    J, a = tensor([1.0, 1.0, 2.0**-40]), torch.tensor([1.0, -1.0, -(2.0**-40)], dtype=F64)
    assert float(J[0] @ a) in {0.0, -(2.0**-80)}
    margin = MARGINS[NON_CONFLICTING]([exact_matrix(J)], [exact_matrix(a)])
    assert margin == pytest.approx(-(2.0**-81), rel=1e-9)


@pytest.mark.parametrize("power", [-490, 0, 490])
def test_margins_have_the_range_of_the_matrices(power: int) -> None:
    J = tensor([0.0, 1.0], [0.0, -2.0]) * 2.0**power
    a = exact_matrix(J.mean(0))
    assert MARGINS[NON_CONFLICTING]([exact_matrix(J)], [a]) == -0.25
    assert MARGINS[WEIGHTED]([exact_matrix(J)], [a]) == 0
    beside = exact_matrix(tensor([1.0, 0.0])[0])
    assert MARGINS[WEIGHTED]([exact_matrix(J)], [beside]) == -(2.0 ** -(power + 1))
    assert MARGINS[NON_CONFLICTING]([fmpq_mat(2, 2)], [beside]) == 0


def test_a_fraction_is_rounded_once() -> None:
    J = fmpq_mat(1, 1, [fmpq(3)])
    assert MARGINS[NON_CONFLICTING]([J], [fmpq_mat(1, 1, [fmpq(-1)])]) == -1 / 3
