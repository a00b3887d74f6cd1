"""The exact oracle: the values of [JD] Appendix C, the properties exactly, and the float aggregators."""

import importlib
import itertools
import math
import sys

import pytest
import torch
from flint import fmpq, fmpq_mat
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from jdbench.aggregator import GramianAggregator
from jdbench.aggregators import MGDA, DualProj, Mean, PCGrad, UPGrad
from jdbench.errors import InputError, MissingExtraError, NonFiniteError, SolverError
from jdbench.rounding import largest_entry, row_norms
from jdbench.verification import predicates, tolerances
from jdbench.verification.exact import aggregations as exact
from jdbench.verification.strategies import (
    Matrix,
    classes,
    matrices,
    near_stationary,
    strongly_stationary,
    weakly_stationary,
)

EXACT = {
    "Mean": exact.mean_exactly,
    "MGDA": exact.mgda_exactly,
    "DualProj": exact.dualproj_exactly,
    "UPGrad": exact.upgrad_exactly,
}
FLOATING = [Mean(), MGDA(), DualProj(), UPGrad()]
DRAWN = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
FEW = settings(DRAWN, max_examples=15)
CLASSES = sorted(classes(torch.float64))
POSITIVE = st.builds(fmpq, st.integers(1, 9), st.integers(1, 9))


def rational(rows: list[list[fmpq | int]]) -> fmpq_mat:
    return fmpq_mat(len(rows), len(rows[0]), [entry for row in rows for entry in row])


def column(*entries: fmpq | int) -> fmpq_mat:
    return fmpq_mat(len(entries), 1, entries)


def scaled(c: list[fmpq], J: fmpq_mat) -> fmpq_mat:
    return rational([[factor * entry for entry in row] for factor, row in zip(c, J.tolist(), strict=True)])


def largest(J: Tensor) -> fmpq:
    return max(abs(entry) for entry in exact.exact_matrix(J).entries())


def tensor(*rows: list[float]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


# [JD] Appendix C


def test_mean_of_c1() -> None:
    assert exact.mean_exactly(rational([[-2], [4]])) == column(1)
    assert exact.mean_exactly(rational([[1, 0], [0, 1], [0, 0]])) == column(fmpq(1, 3), fmpq(1, 3))


@pytest.mark.parametrize("a", [fmpq(0), fmpq(1, 3), fmpq(1), fmpq(7, 5), fmpq(100)], ids=str)
def test_mgda_of_c2(a: fmpq) -> None:
    assert exact.mgda_exactly(rational([[2, 0], [0, 2], [a, a]])) == column(min(a, fmpq(1)), min(a, fmpq(1)))


@pytest.mark.parametrize("a", [fmpq(1, 2), fmpq(2, 3), fmpq(1), fmpq(7, 5), fmpq(100)], ids=str)
def test_dualproj_of_c3(a: fmpq) -> None:
    assert exact.dualproj_exactly(rational([[2, 0], [-2 * a, 2 * a]])) == column(max(1 - a, fmpq(0)), a)


def test_pcgrad_of_c4() -> None:
    J = rational([[1, 0], [0, 1], [fmpq(-1, 2), -1]])
    others = [itertools.permutations([j for j in range(3) if j != i]) for i in range(3)]
    found = {
        tuple(map(str, exact.pcgrad_exactly(J, orders).entries())) for orders in itertools.product(*others)
    }
    assert found == {("2/5", "1/5"), ("4/5", "1/5"), ("2/5", "-1/5"), ("4/5", "-1/5")}
    for entries in found:
        assert exact.non_conflicting_exactly(J, column(*(fmpq(*map(int, e.split("/"))) for e in entries))) < 0


@DRAWN
@given(classes(torch.float64)["any shape"])
def test_pcgrad_of_two_rows_is_twice_upgrad(matrix: Matrix) -> None:
    J = exact.exact_matrix(matrix.J[:2])
    assert exact.pcgrad_exactly(J, [[1], [0]]) == 2 * exact.upgrad_exactly(J)
    a = PCGrad()(matrix.J[:2], generator=torch.Generator().manual_seed(0))
    tolerance = 2 * tolerances.direction(matrix.J[:2], a, torch.float64)
    assert distance(matrix.J[:2], a, exact.pcgrad_exactly(J, [[1], [0]])) <= tolerance


# The properties, without a tolerance


@pytest.mark.parametrize("kind", CLASSES)
def test_upgrad_keeps_its_three_properties(kind: str) -> None:
    @FEW
    @given(classes(torch.float64)[kind], st.data())
    def check(matrix: Matrix, data: st.DataObject) -> None:
        J = exact.exact_matrix(matrix.J)
        c1, c2 = (data.draw(st.lists(POSITIVE, min_size=J.nrows(), max_size=J.nrows())) for _ in range(2))
        both = [x + y for x, y in zip(c1, c2, strict=True)]
        first, second, third = (exact.upgrad_exactly(scaled(c, J)) for c in (c1, c2, both))
        assert exact.linear_exactly(first, second, third)
        for a in (exact.upgrad_exactly(J), first):
            assert exact.non_conflicting_exactly(J, a) >= 0
            assert exact.weighted_exactly(J, a)

    check()


@DRAWN
@given(matrices(torch.float64))
def test_mgda_and_dualproj_are_non_conflicting_and_weighted(matrix: Matrix) -> None:
    J = exact.exact_matrix(matrix.J)
    for name in ("MGDA", "DualProj"):
        assert exact.non_conflicting_exactly(J, EXACT[name](J)) >= 0
        assert exact.weighted_exactly(J, EXACT[name](J))


def test_mgda_and_dualproj_are_not_linear_under_scaling() -> None:
    J, c = rational([[2, 0], [0, 2], [1, 1]]), [[fmpq(1), fmpq(1), fmpq(k, 2)] for k in (1, 3)]
    both = [x + y for x, y in zip(*c, strict=True)]
    assert not exact.linear_exactly(*(exact.mgda_exactly(scaled(k, J)) for k in (*c, both)))
    J, c = rational([[2, 0], [-2, 2]]), [[fmpq(1), fmpq(1, 2)], [fmpq(1), fmpq(2)]]
    both = [x + y for x, y in zip(*c, strict=True)]
    assert not exact.linear_exactly(*(exact.dualproj_exactly(scaled(k, J)) for k in (*c, both)))


def test_predicates_reject_what_lacks_the_property() -> None:
    J = rational([[-2, 0], [4, 0]])
    assert exact.non_conflicting_exactly(J, exact.mean_exactly(J)) == -2
    assert exact.weighted_exactly(J, column(1, 0))
    assert not exact.weighted_exactly(J, column(1, fmpq(1, 2**200)))
    assert not exact.weighted_exactly(fmpq_mat(2, 2), column(0, 1))


@DRAWN
@given(st.one_of(matrices(torch.float64), strongly_stationary(), near_stationary()))
@example(Matrix(tensor([1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]), "weakly stationary only"))
def test_upgrad_and_dualproj_vanish_iff_positive_weights_balance(matrix: Matrix) -> None:
    # Stiemke: either some w > 0 has Jᵀw = 0, or some a has Ja ≥ 0, Ja ≠ 0. Each has its certificate.
    J = exact.exact_matrix(matrix.J)
    m = J.nrows()
    for u, a in ((None, exact.upgrad_exactly(J)), (column(*[fmpq(1, m)] * m), exact.dualproj_exactly(J))):
        if any(a.entries()):
            assert exact.non_conflicting_exactly(J, a) >= 0
            assert any((J * a).entries())
        else:
            units = [column(*(fmpq(i == k, m) for k in range(m))) for i in range(m)] if u is None else [u]
            w = sum((exact.project_weights_exactly(J, unit) for unit in units), fmpq_mat(m, 1))
            assert min(w.entries()) > 0
            assert not any((J.transpose() * w).entries())


@DRAWN
@given(strongly_stationary())
def test_everything_non_conflicting_vanishes_where_strongly_stationary(matrix: Matrix) -> None:
    J = exact.exact_matrix(matrix.J)
    assert matrix.certificate is not None
    assert not any((J.transpose() * exact.exact_matrix(matrix.certificate)).entries())
    for name in ("UPGrad", "DualProj", "MGDA"):
        assert not any(EXACT[name](J).entries())


@DRAWN
@given(st.one_of(matrices(torch.float64), weakly_stationary()))
def test_mgda_vanishes_iff_weakly_stationary(matrix: Matrix) -> None:
    # Gordan: either some w ≥ 0, w ≠ 0, has Jᵀw = 0, or some a has Ja > 0.
    J = exact.exact_matrix(matrix.J)
    a = exact.mgda_exactly(J)
    if any(a.entries()):
        assert matrix.certificate is None
        assert exact.non_conflicting_exactly(J, a) > 0
    else:
        assert min(max(row) for row in (J * a).tolist()) == 0


@FEW
@given(matrices(torch.float64), st.data())
def test_preferences_are_scalings_of_rows(matrix: Matrix, data: st.DataObject) -> None:
    # πJ(pᵢgᵢ) = pᵢπJ(gᵢ), and the cone of pᵢgᵢ is that of gᵢ.
    J = exact.exact_matrix(matrix.J)
    p = data.draw(st.lists(POSITIVE, min_size=J.nrows(), max_size=J.nrows()))
    m = J.nrows()
    assert exact.upgrad_exactly(J, column(*p)) == m * exact.upgrad_exactly(scaled(p, J))
    assert exact.dualproj_exactly(J, column(*p)) == m * exact.dualproj_exactly(scaled(p, J))


# The float aggregators


def distance(J: Tensor, a: Tensor, expected: fmpq_mat) -> float:
    """Return ‖a - expected‖ / max_j ‖gⱼ‖, subtracted exactly."""
    entry = largest_entry(J)
    error = (exact.exact_matrix(a) - expected) / fmpq(*entry.as_integer_ratio())
    norm = float(row_norms(J / entry).max()) or 1.0
    return math.hypot(*(int(e.p) / int(e.q) for e in error.entries())) / norm


@pytest.mark.parametrize("aggregator", FLOATING, ids=repr)
@pytest.mark.parametrize("kind", CLASSES)
def test_float_aggregator_agrees(aggregator: GramianAggregator, kind: str) -> None:
    @FEW
    @given(classes(torch.float64)[kind])
    def check(matrix: Matrix) -> None:
        J = matrix.J
        a, expected = aggregator(J), EXACT[repr(aggregator)](exact.exact_matrix(J))
        assert distance(J, a, expected) <= tolerances.direction(J, a, torch.float64)
        assert math.isfinite(exact.ulps(a, expected, largest(J)))

    check()


@pytest.mark.parametrize("power", range(0, 60, 3))
def test_mgda_is_zero_between_opposed_rows_however_long(power: int) -> None:
    J = 2.0**power * tensor([1.0, 0.0], [-1.0, 0.0], [2.0**-power, 2.0**-power])
    a = MGDA()(J)
    assert not any(exact.mgda_exactly(exact.exact_matrix(J)).entries())
    assert float(predicates.non_conflicting(J, a)) >= -tolerances.direction(J, a, torch.float64)
    assert float(a.norm()) <= tolerances.direction(J, a, torch.float64) * float(J.norm())


# Numbers


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4))
def test_exact_matrix_does_not_round(entries: list[float]) -> None:
    column_ = exact.exact_matrix(torch.tensor(entries, dtype=torch.float64))
    assert [int(e.p) / int(e.q) for e in column_.entries()] == entries


def test_exact_matrix_wants_one_finite_matrix() -> None:
    with pytest.raises(NonFiniteError):
        exact.exact_matrix(tensor([math.nan]))
    with pytest.raises(InputError, match="ndim=3"):
        exact.exact_matrix(torch.zeros(1, 1, 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("power", [-20, -1, 0, 1, 20])
def test_ulps_count_neighbours_of_the_largest_entry(dtype: torch.dtype, power: int) -> None:
    entries = torch.tensor([1.5, -0.25, 0.0], dtype=dtype) * 2.0**power
    expected = exact.exact_matrix(entries)
    assert exact.ulps(entries, expected) == 0
    neighbour = entries.clone()
    neighbour[0] = torch.nextafter(entries[0], torch.tensor(math.inf, dtype=dtype))
    assert exact.ulps(neighbour, expected) == 1
    neighbour[2] = 3 * torch.finfo(dtype).eps * 2.0**power
    assert exact.ulps(neighbour, expected) == 3
    assert exact.ulps(neighbour, expected, fmpq(2) ** (power + 4)) == 3 / 16


def test_ulps_of_nothing_and_of_too_much() -> None:
    zero = column(0, 0)
    assert exact.ulps(torch.zeros(2), zero) == 0
    assert exact.ulps(torch.tensor([0.0, 1e-30]), zero) == math.inf
    assert exact.ulps(torch.tensor([0.0, math.nan]), zero) == math.inf
    assert exact.ulps(torch.tensor([0.0, 2.0**-149]), column(0, fmpq(1, 2**148))) == 1
    assert exact.ulps(tensor([1e300])[0], column(fmpq(1, 2**1074))) == math.inf


def test_bad_arguments_are_named() -> None:
    J = rational([[1, 0], [0, 1]])
    for p in (column(1), column(1, 0)):
        with pytest.raises(InputError, match="preferences="):
            exact.upgrad_exactly(J, p)
    for orders in ([[1]], [[1], [1]], [[0, 1], [0]]):
        with pytest.raises(InputError, match="orders="):
            exact.pcgrad_exactly(J, orders)


def test_a_wrong_minimiser_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        exact, "_nonnegative_minimiser", lambda Q, _: fmpq_mat(Q.nrows(), 1, range(1, Q.nrows() + 1))
    )
    J = rational([[1, 0], [-1, 1]])
    with pytest.raises(SolverError, match="Lemma 4"):
        exact.upgrad_exactly(J)
    with pytest.raises(SolverError, match="report J="):
        exact.mgda_exactly(J)


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jdbench.verification.exact.aggregations")
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtraError, match=r'pip install "jdbench\[exact\]"'):
        importlib.import_module("jdbench.verification.exact.aggregations")
