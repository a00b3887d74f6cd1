"""The claims of [JD] Table 1, observed on draws and on integers."""

import pytest
import torch

import jdbench.aggregators
from jdbench import rounding
from jdbench.aggregator import Aggregator, GramianAggregator, resolve
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.paper_shapes import SHAPES, margins
from support.tensors import draw, integers, seeded

NON_CONFLICTING = ["MGDA", "DualProj", "NashMTL", "UPGrad"]
LINEAR = ["Mean", "PCGrad", "RGW", "UPGrad"]
WEIGHTED = ["Mean", "MGDA", "DualProj", "PCGrad", "IMTLG", "CAGrad", "RGW", "NashMTL", "AlignedMTL", "UPGrad"]


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
        limit = rounding.size(J[i], w[i]) * rounding.gamma(4 * sum(shape)) * shape[0]
        assert float(outside.norm()) <= float(limit) * shape[1] ** 0.5


def test_the_table_names_every_built_in_aggregator() -> None:
    assert sorted([*WEIGHTED, "GradDrop"]) == sorted(jdbench.aggregators.__all__)
    for name in jdbench.aggregators.__all__:
        A = resolve(name).aggregator
        assert isinstance(A, Aggregator)
        assert A.random == (name in {"PCGrad", "GradDrop", "RGW"})
        assert isinstance(A, GramianAggregator) == (name in WEIGHTED)
