"""Where aggregators vanish: at weakly stationary matrices, or only at stronger ones ([JD] Section 2.1)."""

import pytest
import torch

from jdbench.aggregators import MGDA
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.aggregator_cases import weighted
from support.tensors import integers, matrix


@pytest.mark.parametrize("seed", range(10))
def test_mgda_vanishes_where_a_mean_of_rows_does(seed: int) -> None:
    # Weakly stationary: the third row is a negative combination of the first two, the fourth is anything.
    J = integers(4, 5, seed=seed)
    J[2] = -2 * J[0] - 3 * J[1]
    w = MGDA().weights(gramian(J))
    assert float(MGDA()(J).norm()) <= float(tolerances.projection(J, w))


@pytest.mark.parametrize("spec", ["UPGrad", "DualProj", "UPGrad(preferences)", "DualProj(preferences)"])
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4, 5), (5, 3)], ids=str)
def test_projections_vanish_where_a_positive_combination_of_all_rows_does(
    spec: str, shape: tuple[int, int]
) -> None:
    m = shape[0]
    A = weighted(spec, m)
    for seed in range(10):
        J = integers(*shape, seed=seed)
        J[-1] = -((torch.arange(m - 1) + 1.0).double() @ J[:-1])
        w = A.weights(gramian(J))
        assert float(A(J).norm()) <= float(tolerances.projection(J, w))


@pytest.mark.parametrize("spec", ["UPGrad", "DualProj"])
def test_projections_do_not_vanish_at_every_weakly_stationary_point(spec: str) -> None:
    J = matrix([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    A = weighted(spec, 3)
    assert float((A(J) - matrix([[0.0, 1 / 3]])).norm()) <= float(
        tolerances.projection(J, A.weights(gramian(J)))
    )
    assert float(MGDA()(J).norm()) <= float(tolerances.projection(J, MGDA().weights(gramian(J))))
