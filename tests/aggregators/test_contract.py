"""What every built-in aggregator does with every matrix, batch and dtype, extreme scales included."""

import pytest
import torch
from torch import Tensor

from jdbench import rounding
from jdbench.gramian import gramian
from support.aggregator_cases import (
    DEPENDENT,
    DETERMINISTIC,
    EACH_CASE,
    INDEPENDENT,
    RANDOM,
    SPECS,
    WEIGHTED,
    named,
    weighted,
)
from support.rounding_errors import forward_error
from support.tensors import draw, integers, matrix, seeded


@EACH_CASE
@pytest.mark.parametrize("spec", SPECS)
def test_a_case_gives_a_finite_direction_and_is_not_changed(spec: str, J: Tensor) -> None:
    A, before = named(spec, J.shape[0]), J.clone()
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        rows = J.to(dtype)
        if not bool(torch.isfinite(rows).all()):
            continue  # entries of 1e150 are out of range in any narrower dtype
        a = A(rows, generator=seeded())
        assert a.shape == J.shape[1:]
        assert a.dtype == dtype
        assert bool(torch.isfinite(a).all())
    assert torch.equal(J, before)


@EACH_CASE
@pytest.mark.parametrize("spec", WEIGHTED)
def test_a_direction_is_the_rows_combined_with_the_weights_of_the_gramian(spec: str, J: Tensor) -> None:
    A = weighted(spec, J.shape[0])
    G = gramian(J)
    before = G.clone()
    w = A.weights(G, generator=seeded())
    assert torch.equal(G, before)
    assert w.shape == J.shape[:-1]
    assert w.dtype == torch.float64
    error = (A(J, generator=seeded()) - (J * w.unsqueeze(-1)).sum(-2)).abs()
    assert bool((error <= rounding.combination(J, w)).all())


@EACH_CASE
@pytest.mark.parametrize("spec", SPECS)
def test_a_power_of_two_on_all_rows_passes_through_exactly(spec: str, J: Tensor) -> None:
    A = named(spec, J.shape[0])
    for factor in (2.0, 2.0**-3):
        expected = A(J, generator=seeded()) * (1.0 if "Nash" in spec else factor)
        assert torch.equal(A(J * factor, generator=seeded()), expected)


@pytest.mark.parametrize("exponent", [-495, 495])  # 1e±149
@pytest.mark.parametrize("spec", SPECS)
def test_the_ends_of_the_range_of_float64_lose_nothing(spec: str, exponent: int) -> None:
    for m, n in (*INDEPENDENT, *DEPENDENT):
        J = integers(m, n)
        A = named(spec, m)
        expected = A(J, generator=seeded()) * (1.0 if "Nash" in spec else 2.0**exponent)
        assert torch.equal(A(J * 2.0**exponent, generator=seeded()), expected)


@pytest.mark.parametrize("factor", [1e-18, 1.0, 1e18])
@pytest.mark.parametrize("spec", SPECS)
def test_float32_gives_the_float64_result_rounded_once(spec: str, factor: float) -> None:
    for m, n in (*INDEPENDENT, *DEPENDENT):
        J = (draw(m, n) * factor).float()
        A = named(spec, m)
        assert torch.equal(A(J, generator=seeded()), A(J.double(), generator=seeded()).float())


@pytest.mark.parametrize("spec", DETERMINISTIC)
@pytest.mark.parametrize("batch", [(3,), (1,), (2, 3), (2, 1, 2)], ids=str)
def test_a_batch_gives_what_its_matrices_give(spec: str, batch: tuple[int, ...]) -> None:
    for m, n in INDEPENDENT:
        J = draw(*batch, m, n, seed=3)
        A = weighted(spec, m)
        together = A(J).reshape(-1, n)
        assert A(J).shape == (*batch, n)
        for one, rows in zip(together, J.reshape(-1, m, n), strict=True):
            assert float((one - A(rows)).norm()) <= float(forward_error(A, rows))


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("batch", [(0,), (2, 0)], ids=str)
def test_an_empty_batch_gives_an_empty_batch(spec: str, batch: tuple[int, ...]) -> None:
    for m in (1, 3):
        assert named(spec, m)(torch.zeros(*batch, m, 4), generator=seeded()).shape == (*batch, 4)


@pytest.mark.parametrize("spec", RANDOM)
def test_each_matrix_of_a_batch_has_its_own_draws(spec: str) -> None:
    J = matrix([[1.0, 0.0], [-0.5, 1.0], [-0.5, -1.0]])
    assert (
        torch.unique(named(spec, 3)(J.expand(5, 20, 3, 2), generator=seeded()).reshape(-1, 2), dim=0).shape[0]
        > 1
    )


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("scale", [1e-161, 1e-162, 1e-163])
def test_rows_whose_squares_are_next_to_underflow_give_a_finite_direction(spec: str, scale: float) -> None:
    """Their Gramian has a digit or none."""
    for seed in range(6):
        for m, n in ((2, 2), (3, 5)):
            J = scale * draw(m, n, seed=seed)
            assert bool(torch.isfinite(named(spec, m)(J, generator=seeded())).all())
