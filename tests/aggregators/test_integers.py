"""Aggregations of integers, dependent rows included, are those of rational arithmetic or of 60 digits."""

import math
from fractions import Fraction

import pytest
import torch

from jdbench.aggregators import IMTLG, DualProj, UPGrad
from jdbench.gramian import gramian
from support.aggregator_cases import DEPENDENT, INDEPENDENT
from support.exact_references import (
    assert_aligned,
    assert_exact,
    assert_imtl_g,
    exact_weights,
    fractions,
    product,
    solution,
)
from support.rounding_errors import trace_error
from support.tensors import integers


@pytest.mark.parametrize("name", ["UPGrad", "DualProj", "MGDA"])
@pytest.mark.parametrize("shape", [*INDEPENDENT, *DEPENDENT], ids=str)
def test_projections_of_integer_matrices_are_those_of_rational_arithmetic(
    name: str, shape: tuple[int, int]
) -> None:
    for seed in range(8):
        assert_exact(name, integers(*shape, seed=seed))


@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
@pytest.mark.parametrize("shape", [(1, 3), (3, 2), (3, 5), (4, 4)], ids=str)
def test_preferences_weigh_the_projections(name: str, shape: tuple[int, int]) -> None:
    for seed in range(5):
        assert_exact(f"{name}(preferences)", integers(*shape, seed=seed))


@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
@pytest.mark.parametrize("shape", [(1, 3), (3, 2), (3, 5), (4, 2)], ids=str)
def test_the_trace_regularized_program_is_solved_exactly(name: str, shape: tuple[int, int]) -> None:
    rho = 1e-4
    A = {"UPGrad": UPGrad, "DualProj": DualProj}[name](trace_regularization=rho)
    m = shape[0]
    for seed in range(5):
        J = integers(*shape, seed=seed) * 4.0 ** integers(m, 1, seed=seed + 50)
        rows = fractions(J)
        G = [[product(x, y) for y in rows] for x in rows]
        trace = sum(G[i][i] for i in range(m))
        if trace == 0:
            continue
        G = [[G[i][k] / trace + (Fraction(rho) if i == k else 0) for k in range(m)] for i in range(m)]
        unit = [[Fraction(i == k, m) for k in range(m)] for i in range(m)]
        bounds = unit if name == "UPGrad" else [[Fraction(1, m)] * m]
        expected = [sum(column) for column in zip(*(exact_weights(G, u) for u in bounds), strict=True)]
        w = A.weights(gramian(J))
        error = w - torch.tensor([float(value) for value in expected], dtype=torch.float64)
        assert float((error @ J).norm()) <= trace_error(A, J, w)


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
@pytest.mark.parametrize("shape", [(2, 2, 1), (3, 4, 2), (4, 2, 2), (5, 6, 3)], ids=str)
def test_aligned_mtl_of_dependent_rows_is_that_of_their_exact_rank(
    shape: tuple[int, int, int], scale: str
) -> None:
    m, n, rank = shape
    for seed in range(5):
        J = integers(m, rank, seed=seed) @ integers(rank, n, seed=seed + 1)
        if int(torch.linalg.matrix_rank(J)) == rank:
            assert_aligned(J, rank, scale)


@pytest.mark.parametrize("shape", [(2, 2, 1), (3, 4, 2), (4, 2, 2), (5, 6, 3)], ids=str)
def test_imtl_g_of_dependent_rows_is_that_of_the_pseudo_inverse(shape: tuple[int, int, int]) -> None:
    m, n, rank = shape
    for seed in range(5):
        J = integers(m, rank, seed=seed) @ integers(rank, n, seed=seed + 1)
        if int(torch.linalg.matrix_rank(J)) == rank:
            assert_imtl_g(J, rank)


@pytest.mark.parametrize(
    "rows",
    [
        [[2, -1, 2], [4, -4, 2], [4, 4, 2]],
        [[-6, -9, 2], [6, -9, 2], [0, -7, 0]],
        [[0, 8, 6], [1, -2, 2], [0, -10, 0]],
    ],
    ids=str,
)
def test_imtl_g_is_zero_where_its_weights_cannot_sum_to_one(rows: list[list[int]]) -> None:
    # Independent rows of integer norms with 1ᵀG⁻¹d = 0 exactly.
    exact = [[Fraction(value) for value in row] for row in rows]
    d = [Fraction(math.isqrt(sum(value * value for value in row))) for row in rows]
    v = solution([[product(x, y) for y in exact] for x in exact], d)
    assert v is not None
    assert sum(v) == 0
    assert not IMTLG()(torch.tensor(rows, dtype=torch.float64)).any()
