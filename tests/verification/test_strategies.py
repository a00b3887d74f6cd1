"""The classes of matrices: each is reached, and every matrix of a class is what the class says."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor

from jdbench.rounding import gamma
from jdbench.verification.captured import snapshots, training
from jdbench.verification.strategies import Matrix, captured, classes, matrices, regular
from jdbench.verification.strategies.matrix import RANGES
from jdbench.verification.strategies.regular import EIGENVALUE

DTYPES = [torch.float64, torch.float32]
KINDS = [(kind, dtype) for dtype in DTYPES for kind in (*classes(dtype), *regular(dtype))]
OUT_OF_RANGE = "squares out of range"


def drawn(strategy: st.SearchStrategy[Matrix], examples: int) -> list[Matrix]:
    """Return so many matrices, the same every time."""
    found: list[Matrix] = []

    @settings(max_examples=examples, derandomize=True, deadline=None, database=None)
    @given(strategy)
    def draw(matrix: Matrix) -> None:
        found.append(matrix)

    draw()
    return found


def rank(J: Tensor) -> int:
    return int(torch.linalg.matrix_rank(J))


def cosines(J: Tensor) -> Tensor:
    """Cosines of the rows, zero for zero rows; entries may be as large as 1e±150."""
    rows = J / J.abs().amax(-1, keepdim=True).clamp(min=torch.finfo(J.dtype).tiny)
    units = rows / rows.norm(dim=-1, keepdim=True).clamp(min=1)
    return units @ units.T


def decades(J: Tensor) -> float:
    norms = J.norm(dim=-1)
    norms = norms[norms > 0]
    return float((norms.max() / norms.min()).log10()) if len(norms) else 0.0


def pairs(J: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(itertools.permutations(J, 2))


def has_multiple(J: Tensor, sign: int) -> bool:
    """Whether some row is a multiple of another by a number of that sign, judged exactly on integers."""
    return any(
        bool((torch.outer(a, b) == torch.outer(b, a)).all()) and float(a @ b) * sign > 0 for a, b in pairs(J)
    )


def is_power_of_two(x: Tensor) -> bool:
    return bool(torch.frexp(x.abs()).mantissa == 0.5)


def differ_by_a_power(J: Tensor) -> bool:
    """Whether some row is ± another but for one entry, off by 2⁰ to 2⁻¹²."""
    differences = [a + sign * b for a, b in pairs(J) for sign in (1, -1)]
    single = [d[d != 0] for d in differences if int((d != 0).sum()) == 1]
    return any(is_power_of_two(entry) and 2**-12 <= float(entry.abs()) <= 1 for entry in single)


def has_tiny_conflict(J: Tensor) -> bool:
    """Whether two rows share a single column, where their product is negative and the second's entry small."""
    for a, b in pairs(J):
        shared = (a != 0) & (b != 0)
        if int(shared.sum()) == 1 and float(a @ b) < 0 and float(cosines(torch.stack([a, b]))[0, 1]) >= -0.25:
            return True
    return False


def balances(m: Matrix) -> bool:
    assert m.certificate is not None
    return bool((m.certificate >= 0).all()) and bool(m.certificate.any()) and not (m.certificate @ m.J).any()


def has_balance(J: Tensor, without: int) -> bool:
    """Whether some w ≥ 1 balances the rows in all columns but one."""
    A = J[:, torch.arange(J.shape[1]) != without].T.numpy()
    feasible = linprog(np.zeros(len(J)), A_eq=A, b_eq=np.zeros(len(A)), bounds=(1, None)) if len(A) else None
    return feasible is None or feasible.status == 0


def is_regular(m: Matrix) -> bool:
    smallest = float(torch.linalg.eigvalsh(cosines(m.J))[0])
    rows, columns = m.J.shape
    return (
        1 <= rows <= 5
        and rows <= columns <= rows + 2
        and smallest >= EIGENVALUE - gamma(8 * rows * columns)
        and decades(m.J) <= torch.tensor(8.0).log10()
    )


CHECKS = {
    "any shape": lambda m: m.J.shape[0] >= 2,
    "one row": lambda m: m.J.shape[0] == 1,
    "many rows": lambda m: max(m.J.shape) > 6 and m.J.shape[0] <= 12 and m.J.shape[1] <= 16,
    "full rank": lambda m: rank(m.J) == len(m.J),
    "rank-deficient": lambda m: rank(m.J) < len(m.J),
    "parallel or duplicate": lambda m: has_multiple(m.J, 1),
    "opposed": lambda m: has_multiple(m.J, -1),
    "nearly opposed or parallel": lambda m: differ_by_a_power(m.J),
    "nearly orthogonal": lambda m: has_tiny_conflict(m.J),
    "zero row": lambda m: bool((m.J == 0).all(-1).any()),
    "strongly stationary": lambda m: balances(m) and bool((m.certificate > 0).all()),
    "weakly stationary": balances,
    "near-stationary": lambda m: any(has_balance(m.J, j) for j in range(m.J.shape[1])),
    "uneven row norms": lambda m: len(m.J) >= 2,
    "tiny or huge": lambda m: not m.J.any() or not 1e-14 < float(m.J.abs().max()) < 1e14,
    OUT_OF_RANGE: lambda m: (
        bool((~torch.isfinite(1 / m.J.to(torch.float32).square()) | (m.J == 0)).all())
        or bool(torch.isinf(m.J[m.J != 0].to(torch.float32).square()).all())
    ),
    "captured": lambda m: rank(m.J / m.J.norm(dim=-1, keepdim=True)) == len(m.J) and not m.J.triu(1).any(),
    "regular": is_regular,
    "regular, tiny or huge": lambda m: is_regular(m) and not 1e-14 < float(m.J.abs().max()) < 1e14,
}


@pytest.mark.parametrize(("kind", "dtype"), KINDS, ids=str)
def test_every_matrix_of_a_class_belongs_to_it_and_is_exact_with_finite_squares(
    kind: str, dtype: torch.dtype
) -> None:
    for matrix in drawn({**classes(dtype), **regular(dtype)}[kind], 80):
        assert matrix.kind == kind
        assert CHECKS[kind](matrix), matrix
        for factor in (1, 3):
            assert torch.equal((factor * matrix.J).to(dtype).to(torch.float64), factor * matrix.J)
        squares = matrix.J.to(dtype).square().sum(-1)
        present = (matrix.J != 0).any(-1)
        if kind == OUT_OF_RANGE:  # that is the class: the dtype holds the entries and not their squares
            assert not bool(((squares > 0) & torch.isfinite(squares)).any())
        else:
            assert bool(torch.isfinite(squares).all())
            assert bool(((squares > 0) == present).all())


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_class_is_reached(dtype: torch.dtype) -> None:
    assert {matrix.kind for matrix in drawn(matrices(dtype), 400)} == set(classes(dtype))


def test_the_simplest_classes_come_first_and_the_exotic_ones_last() -> None:
    kinds = list(classes(torch.float32))
    assert kinds[:2] == ["one row", "any shape"]
    assert kinds[-3:] == ["captured", "tiny or huge", OUT_OF_RANGE]
    assert list(classes(torch.float64)) == kinds[:-1]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_half_of_the_uneven_rows_span_far_and_some_span_all(dtype: torch.dtype) -> None:
    spans = [decades(matrix.J) for matrix in drawn(classes(dtype)["uneven row norms"], 300)]
    often, far, all_ = {torch.float64: (0.5, 8, 13), torch.float32: (0.5, 4, 7)}[dtype]
    assert sum(span > far for span in spans) > often * len(spans)
    assert max(spans) >= all_
    assert min(spans) < 4


def test_a_tiny_row_often_conflicts_clearly_with_a_large_one() -> None:
    found = drawn(classes(torch.float64)["uneven row norms"], 300)

    def conflicts(J: Tensor) -> bool:
        smallest = int(J.norm(dim=-1).argmin())
        return decades(J) > 8 and float(cosines(J)[smallest].min()) <= -(6**-0.5)

    assert sum(conflicts(matrix.J) for matrix in found) > len(found) / 4


def test_some_tiny_rows_are_the_mean_of_two_that_conflict() -> None:
    def is_mean(J: Tensor) -> bool:
        *rows, tiny = J / J.abs().max()  # powers of two apart: multiples are exact
        return len(rows) >= 2 and has_multiple(torch.stack([rows[0] + rows[-1], tiny]), 1)

    found = drawn(classes(torch.float64)["uneven row norms"], 300)
    assert sum(decades(m.J) > 8 and bool(m.J[-1].any()) and is_mean(m.J) for m in found) > len(found) / 10


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_conflicts_of_nearly_orthogonal_rows_become_tiny(dtype: torch.dtype) -> None:
    found = drawn(classes(dtype)["nearly orthogonal"], 300)
    products = [cosines(matrix.J) for matrix in found]
    tiny = [float(-c[c < 0].max()) for c in products if bool((c < 0).any())]
    bits = RANGES[dtype].conflict
    assert min(tiny) < 2.0 ** (2 - bits)
    assert sum(t < 2 ** (-bits / 2) for t in tiny) > len(tiny) / 4


@pytest.mark.parametrize("kind", ["strongly stationary", "weakly stationary"])
def test_some_stationary_matrices_are_scaled_row_by_row(kind: str) -> None:
    found = drawn(classes(torch.float64)[kind], 100)
    whole = [bool((matrix.J.round() == matrix.J).all()) for matrix in found]
    assert 0.2 < sum(whole) / len(whole) < 0.9
    assert all(bool((matrix.certificate > 0).all()) for matrix in found if kind.startswith("strongly"))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_many_rows_are_often_more_than_columns_and_fewer(dtype: torch.dtype) -> None:
    shapes = [matrix.J.shape for matrix in drawn(classes(dtype)["many rows"], 200)]
    assert sum(m > 6 for m, _ in shapes) > 50
    assert sum(n > 6 for _, n in shapes) > 50
    assert any(m > n for m, n in shapes)


def test_regular_rows_conflict_and_keep_within_a_factor() -> None:
    found = drawn(regular(torch.float64)["regular"], 300)
    assert min(float(cosines(matrix.J).min()) for matrix in found) < -0.5
    assert {len(matrix.J) for matrix in found} == {1, 2, 3, 4, 5}


# The packaged file: measured 0.15, 0.23, 2.40, 7.23, 16.43 and 17.64 decades on MNIST, up to 12.7 on EuroSAT.


def test_the_packaged_gramians_span_decades_and_stay_conditioned() -> None:
    networks = ["SVHN", "CIFAR-10", "EuroSAT", "MNIST"]
    assert list(dict.fromkeys(one.network for one in snapshots())) == networks
    assert all([one.step for one in training(n)] == [0, 10, 40, 80, 160, 320] for n in networks)
    for one in snapshots():
        assert one.factor.shape == (32, 32)
        assert one.factor.dtype == torch.float64
        assert not one.factor.triu(1).any()
        assert 10 < one.condition < (200 if one.network == "MNIST" else 3e4)
        assert 0.3 < one.conflicting < 0.9
        assert one.step > 0 or one.decades < 1
    assert training("MNIST")[-1].decades > 17


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_captured_matrices_have_the_networks_inner_products(dtype: torch.dtype) -> None:
    batches = [one.factor for one in snapshots()]
    for matrix in drawn(captured(dtype), 100):
        J, m = matrix.J, len(matrix.J)
        # Two norms rounded to the dtype's digits, and a decomposition of unit rows (Higham 2002, Theorem 19.4).
        error = 2 * m**0.5 * 2.0 ** -RANGES[dtype].digits + gamma(32 * 32 * m)
        assert any(_found(J, L, error) for L in batches)


def _found(J: Tensor, L: Tensor, error: float) -> bool:
    """Whether rows of L have the same norms and cosines."""
    norms, ours = L.norm(dim=-1), J.norm(dim=-1, keepdim=True)
    distance = (norms / ours - 1).abs()
    nearest = distance.argmin(-1)
    if bool((distance.amin(-1) > error).any()):
        return False
    return bool(((cosines(L[nearest]) - cosines(J)).abs() <= error).all())


@pytest.mark.parametrize(("dtype", "span"), [(torch.float64, 12), (torch.float32, 12)], ids=str)
def test_captured_matrices_are_small_and_often_span_decades(dtype: torch.dtype, span: float) -> None:
    found = drawn(captured(dtype), 200)
    assert {len(matrix.J) for matrix in found} == {2, 3, 4, 5, 6}
    spans = [decades(matrix.J) for matrix in found]
    assert max(spans) > span
    assert sum(s > 4 for s in spans) > len(spans) / 4
