"""Every built-in aggregator of one row, of zeros, and of rows of which one is zero."""

import pytest
import torch

from jdbench import rounding
from jdbench.aggregators import CAGrad, NashMTL, PCGrad
from jdbench.verification import tolerances
from support.aggregator_cases import SPECS, named
from support.rounding_errors import forward_error
from support.tensors import draw, seeded


@pytest.mark.parametrize("spec", SPECS)
def test_one_row_is_returned_but_for_the_length_that_the_definition_sets(spec: str) -> None:
    J = draw(1, 5)
    A = named(spec, 1)
    expected = J[0]
    if isinstance(A, NashMTL):
        expected = A.epsilon * J[0] / rounding.row_norms(J)
    if isinstance(A, CAGrad):
        expected = (1 + A.c) * J[0]
    w = torch.tensor([1 + getattr(A, "c", 0.0)], dtype=torch.float64)
    limit = tolerances.improvement(J, w) * max(1.0, float(expected.norm() / J.norm()))
    assert float((A(J, generator=seeded()) - expected).norm()) <= float(limit)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (4, 2), (2, 3, 4)], ids=str)
def test_a_zero_matrix_gives_zero(spec: str, shape: tuple[int, ...]) -> None:
    assert not named(spec, shape[-2])(torch.zeros(shape, dtype=torch.float64), generator=seeded()).any()


# A(J with a zero row) as a multiple of A(J): sums and IMTL-G do not see it, means over m rows do.
ZERO_ROW = {
    "Mean": 3 / 4,
    "MGDA": 0.0,
    "DualProj": 3 / 4,
    "DualProj(preferences)": 1.0,
    "GradDrop": 1.0,
    "IMTLG": 1.0,
    "CAGrad(c=0)": 3 / 4,
    "NashMTL": 0.0,
    "AlignedMTL": 3 / 4,
    "AlignedMTL(scale='median')": 3 / 4,
    "AlignedMTL(scale='rmse')": 3 / 4,
    "AlignedMTL(preferences)": 1.0,
    "UPGrad": 3 / 4,
    "UPGrad(preferences)": 1.0,
    "DualProj(trace_regularization=1e-4)": 3 / 4,
    "UPGrad(trace_regularization=1e-4)": 3 / 4,
}


@pytest.mark.parametrize(("spec", "factor"), ZERO_ROW.items())
def test_a_zero_row_counts_in_means_only(spec: str, factor: float) -> None:
    for seed in range(10):
        J = draw(3, 5, seed=seed)
        more = torch.cat([J, torch.zeros(1, 5, dtype=torch.float64)])
        without, with_it = named(spec, 3)(J, generator=seeded()), named(spec, 4)(more, generator=seeded())
        limit = 2 * forward_error(named(spec, 3), J)
        assert float((with_it - factor * without).norm()) <= float(limit)


@pytest.mark.parametrize("seed", range(5))
def test_pcgrad_passes_over_a_zero_row(seed: int) -> None:
    J = draw(2, 5, seed=seed)  # two rows: no order to choose
    more = torch.cat([J[:1], torch.zeros(1, 5, dtype=torch.float64), J[1:]])
    limit = 2 * forward_error(PCGrad(), J)
    assert float((PCGrad()(more, generator=seeded(seed)) - PCGrad()(J)).norm()) <= float(limit)
