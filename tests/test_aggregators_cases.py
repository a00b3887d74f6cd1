"""Every built-in aggregator where formulas break: few or dependent rows, extreme scales, bad input."""

import dataclasses
import itertools
import math
from collections.abc import Callable
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, GramianAggregator, resolve
from jdbench.aggregators import IMTLG, MGDA, AlignedMTL, CAGrad, DualProj, NashMTL, PCGrad, UPGrad
from jdbench.errors import InputError, NonFiniteError
from jdbench.gramian import gramian
from jdbench.verification import tolerances

SPECS = [
    "Mean",
    "MGDA",
    "DualProj",
    "DualProj(trace_regularization=1e-4)",
    "DualProj(preferences)",
    "PCGrad",
    "GradDrop",
    "IMTLG",
    "CAGrad(c=0)",
    "CAGrad(c=0.5)",
    "CAGrad(c=1)",
    "CAGrad(c=2)",
    "RGW",
    "NashMTL",
    "NashMTL(epsilon=0.25)",
    "AlignedMTL",
    "AlignedMTL(scale='median')",
    "AlignedMTL(scale='rmse')",
    "AlignedMTL(preferences)",
    "UPGrad",
    "UPGrad(trace_regularization=1e-4)",
    "UPGrad(preferences)",
]
RANDOM = [spec for spec in SPECS if spec in {"PCGrad", "GradDrop", "RGW"}]
DETERMINISTIC = [spec for spec in SPECS if spec not in RANDOM]
WEIGHTED = [spec for spec in SPECS if spec != "GradDrop"]
NOT_NASH = [spec for spec in SPECS if not spec.startswith("Nash")]
INDEPENDENT = [(1, 4), (2, 2), (3, 5), (4, 6), (5, 5)]
DEPENDENT = [(2, 1), (3, 2), (4, 2), (5, 3)]


def named(spec: str, m: int) -> Aggregator:
    """Return the aggregator of a spec, in which ``preferences`` stands for 1, 2, …, m."""
    preferences = f"preferences={tuple(float(i + 1) for i in range(m))}"
    A = resolve(spec.replace("preferences", preferences)).aggregator
    assert isinstance(A, Aggregator)
    return A


def weighted(spec: str, m: int) -> GramianAggregator:
    A = named(spec, m)
    assert isinstance(A, GramianAggregator)
    return A


def preference_sum(spec: str, m: int) -> float:
    """Return Σ pᵢ over the rows: 1 for the default."""
    return m * (m + 1) / 2 if "preferences" in spec else 1.0


def matrix(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def integers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-4, 5, shape, generator=seeded(seed)).double()


def eight_decades(m: int, n: int, seed: int) -> Tensor:
    """Return rows in general position whose norms, powers of two, span eight decades: 2±13."""
    exponents = torch.linspace(-13, 13, m, dtype=torch.float64).round()[
        torch.randperm(m, generator=seeded(seed))
    ]
    return draw(m, n, seed=seed) * 2.0 ** exponents.unsqueeze(-1)


CASES: dict[str, Tensor] = {
    "one entry": matrix([[-2.0]]),
    "one row": matrix([[3.0, -4.0, 0.0]]),
    "a zero row": matrix([[1.0, 2.0, -1.0], [0.0, 0.0, 0.0], [-2.0, 1.0, 1.0]]),
    "zero": torch.zeros(3, 4, dtype=torch.float64),
    "parallel rows": matrix([[1.0, -2.0], [3.0, -6.0], [1.0, 1.0]]),
    "duplicate rows": matrix([[1.0, -2.0, 1.0], [1.0, -2.0, 1.0], [-1.0, 1.0, 1.0]]),
    "opposed rows": matrix([[1.0, -2.0, 1.0], [-2.0, 4.0, -2.0], [1.0, 1.0, 1.0]]),
    "more rows than columns": integers(7, 3),
    "one column": matrix([[1.0], [-3.0], [2.0]]),
    "rank two": integers(5, 2) @ integers(2, 6, seed=1),
    "eight decades": eight_decades(4, 6, 0),
    "eight decades, rank two": eight_decades(4, 2, 0),
    "entries of 1e150": integers(3, 4).clamp(-1, 1) * 1e150,
    "entries of 1e-150": integers(3, 4) * 1e-150,
    "one entry of 1e150 among 1e-150": matrix([[1e150, 1e-150], [-1e-150, 1e-150], [1e-150, 0.0]]),
    "stationary": matrix([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]),
    "weakly stationary": matrix([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]),
    "many columns": integers(3, 2000),
    "no columns": torch.zeros(2, 0, dtype=torch.float64),
}

EACH_CASE = pytest.mark.parametrize("J", CASES.values(), ids=CASES.keys())


# The contract, in every case


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
    assert bool((error <= tolerances.combination(J, w)).all())


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


# Randomness


@pytest.mark.parametrize("spec", SPECS)
def test_the_generator_is_the_only_source_of_randomness(spec: str) -> None:
    A, J = named(spec, 4), draw(3, 4, 5)
    torch.manual_seed(11)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = A(J, generator=seeded(5))
    assert torch.equal(A(J, generator=seeded(5)), first)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert A.random == (not torch.equal(A(J, generator=seeded(6)), first))


@pytest.mark.parametrize("spec", RANDOM)
def test_without_a_generator_the_global_one_is_used(spec: str) -> None:
    A, J = named(spec, 4), draw(3, 4, 5)
    torch.manual_seed(11)
    first = A(J)
    second = A(J)
    torch.manual_seed(11)
    assert torch.equal(A(J), first)
    assert not torch.equal(second, first)


@pytest.mark.parametrize("spec", SPECS)
def test_the_number_of_draws_does_not_depend_on_the_entries(spec: str) -> None:
    # So that draws can be coupled: the same generator state means the same draws for another matrix.
    states = []
    for J in (draw(4, 5), torch.zeros(4, 5, dtype=torch.float64), -draw(4, 5).abs()):
        generator = seeded()
        named(spec, 4)(J, generator=generator)
        states.append(generator.get_state())
    assert torch.equal(states[0], states[1])
    assert torch.equal(states[0], states[2])
    assert torch.equal(states[0], seeded().get_state()) == (spec in DETERMINISTIC)


# Few and trivial rows


@pytest.mark.parametrize("spec", SPECS)
def test_one_row_is_returned_but_for_the_length_that_the_definition_sets(spec: str) -> None:
    J = draw(1, 5)
    A = named(spec, 1)
    expected = J[0]
    if isinstance(A, NashMTL):
        expected = A.epsilon * J[0] / tolerances.row_norms(J)
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


# Dependent rows


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


OPPOSED = {
    "Mean": [0.0, 0.0],
    "MGDA": [0.0, 0.0],
    "DualProj": [0.0, 0.0],
    "PCGrad": [0.0, 0.0],
    "IMTLG": [0.0, 0.0],
    "CAGrad(c=0.5)": [0.0, 0.0],
    "CAGrad(c=1)": [0.0, 0.0],
    "CAGrad(c=2)": [0.0, 0.0],
    "NashMTL": [0.0, 0.0],
    "AlignedMTL": [0.0, 0.0],
    "AlignedMTL(scale='median')": [0.0, 0.0],
    "AlignedMTL(scale='rmse')": [0.0, 0.0],
    "UPGrad": [0.0, 0.0],
    "DualProj(trace_regularization=1e-4)": [0.0, 0.0],
    "UPGrad(trace_regularization=1e-4)": [0.0, 0.0],
}


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


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (4, 5), (5, 3)], ids=str)
def test_imtl_g_is_zero_where_the_rows_sum_to_zero(shape: tuple[int, int]) -> None:
    # 1 is orthogonal to the range of G, in which v lies.
    for seed in range(5):
        J = integers(*shape, seed=seed)
        J[-1] = -J[:-1].sum(0)
        assert not IMTLG()(J).any()


# Row norms over eight decades


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
        for row, norm in zip(fractions(J), tolerances.row_norms(J).tolist(), strict=True):
            assert float(product(row, a)) / norm >= -limit


@pytest.mark.parametrize("shape", INDEPENDENT, ids=str)
def test_imtl_g_over_eight_decades_has_equal_projections_on_all_rows(shape: tuple[int, int]) -> None:
    for seed in range(4):
        J = eight_decades(*shape, seed)
        w = IMTLG().weights(gramian(J))
        assert abs(float(w.sum()) - 1) <= tolerances.gamma(2 * shape[0]) * float(w.abs().sum())
        a = [Fraction(value) for value in IMTLG()(J).tolist()]
        norms = tolerances.row_norms(J).tolist()
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
        beta = alpha * tolerances.row_norms(J)
        rows = fractions(J)
        direction = combined(rows, [Fraction(value) for value in alpha.tolist()])
        for i in range(m):
            # αᵢ gᵢᵀJᵀα = 1, off by βᵢ times the error of a slack.
            limit = float(beta[i] * tolerances.improvement(J, alpha)) + tolerances.gamma(8)
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
        p, norms = w - 1 / m, tolerances.row_norms(J).tolist()
        limit = float(tolerances.improvement(J, w))
        assert float((p * tolerances.row_norms(J)).min()) >= -limit
        shares = [max(Fraction(value), Fraction(0)) for value in p.tolist()]
        rows = fractions(J)
        d = combined(rows, [Fraction(value) for value in w.tolist()])
        improvements = [product(row, d) for row in rows]
        level = sum(s * i for s, i in zip(shares, improvements, strict=True)) / sum(shares)
        assert max(float(level - i) / norm for i, norm in zip(improvements, norms, strict=True)) <= limit
        mean, radius = J.mean(0), float(c * J.mean(0).norm())
        slack = tolerances.improvement(J, p) * tolerances.size(J, p)
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
        assert float(((J @ a) / tolerances.row_norms(J)).min()) >= -tolerances.nearly_dependent(3)


# Stationary matrices ([JD] Section 2.1)


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


# Bad input


@pytest.mark.parametrize(
    ("value", "where"), [(math.nan, (1, 2)), (math.inf, (0, 0)), (-math.inf, (2, 1))], ids=str
)
@pytest.mark.parametrize("batch", [(), (2,)], ids=["matrix", "batch"])
@pytest.mark.parametrize("spec", SPECS)
def test_entries_that_are_not_finite_are_refused(
    spec: str, batch: tuple[int, ...], value: float, where: tuple[int, int]
) -> None:
    J = draw(*batch, 3, 4)
    J[(*(0 for _ in batch), *where)] = value
    with pytest.raises(NonFiniteError, match=r"^J"):
        named(spec, 3)(J, generator=seeded())


@pytest.mark.parametrize(
    "J",
    [
        torch.ones(3, 2, dtype=torch.int64),
        torch.ones(3),
        torch.ones(0, 3),
        torch.tensor(1.0),
        [[1.0, 2.0]],
        None,
    ],
    ids=["integers", "1-D", "no rows", "0-D", "list", "None"],
)
@pytest.mark.parametrize("spec", SPECS)
def test_what_is_no_jacobian_is_refused(spec: str, J: object) -> None:
    with pytest.raises(InputError, match=r"^J, required"):
        named(spec, 3)(J, generator=seeded())  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("G", [torch.ones(3, 2), torch.ones(3), torch.ones(2, 2, dtype=torch.int64)])
@pytest.mark.parametrize("spec", WEIGHTED)
def test_what_is_no_gramian_is_refused(spec: str, G: Tensor) -> None:
    with pytest.raises(InputError, match=r"^G, required"):
        weighted(spec, G.shape[-1]).weights(G, generator=seeded())


@pytest.mark.parametrize("spec", [spec for spec in WEIGHTED if spec not in {"Mean", "RGW"}])
def test_a_negative_diagonal_is_refused_where_weights_depend_on_it(spec: str) -> None:
    with pytest.raises(InputError, match=r"^G, required .*negative diagonal"):
        weighted(spec, 2).weights(-torch.eye(2), generator=seeded())


@pytest.mark.parametrize(
    ("spec", "argument"),
    [
        ("CAGrad(c=-0.1)", "c=-0.1"),
        ("CAGrad(c=1e999)", "c=inf"),
        ("NashMTL(epsilon=0)", "epsilon=0"),
        ("NashMTL(epsilon=-1.0)", "epsilon=-1.0"),
        ("NashMTL(epsilon=1e999)", "epsilon=inf"),
        ("AlignedMTL(scale='max')", "scale='max'.*choose one of median, min, rmse"),
        ("AlignedMTL(scale=None)", "scale='None'"),
        *(
            (f"{name}(preferences={value})", "preferences=")
            for name in ("UPGrad", "DualProj", "AlignedMTL")
            for value in ((), (1.0, 0.0), (1.0, -1.0), "(1.0, 1e999)")
        ),
        *(
            (f"{name}(trace_regularization={value})", f"trace_regularization={value}")
            for name in ("UPGrad", "DualProj")
            for value in (-1e-4,)
        ),
    ],
)
def test_invalid_arguments_are_refused_at_construction(spec: str, argument: str) -> None:
    with pytest.raises(InputError, match=f"^{argument}"):
        resolve(spec)


@pytest.mark.parametrize("build", [lambda x: CAGrad(c=x), lambda x: NashMTL(epsilon=x)], ids=["c", "epsilon"])
def test_nan_is_refused_at_construction(build: Callable[[float], object]) -> None:
    with pytest.raises(InputError, match="=nan, required a"):
        build(math.nan)


@pytest.mark.parametrize("name", ["UPGrad", "DualProj", "AlignedMTL"])
def test_preferences_of_another_number_than_the_rows_are_refused(name: str) -> None:
    A = named(f"{name}(preferences)", 3)
    with pytest.raises(InputError, match=r"^preferences=\(1.0, 2.0, 3.0\), required 2 numbers, got 3"):
        A(draw(2, 4))


# Values, not objects


@pytest.mark.parametrize("spec", SPECS)
def test_aggregators_are_frozen_hashable_values(spec: str) -> None:
    A, B = named(spec, 3), named(spec, 3)
    assert A == B
    assert hash(A) == hash(B)
    assert len({A, B, named("Mean", 3)}) == (1 if spec == "Mean" else 2)
    for name in [field.name for field in dataclasses.fields(A)] or ["anything"]:  # pyright: ignore[reportArgumentType]
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(A, name, None)


@pytest.mark.parametrize("spec", SPECS)
def test_the_representation_resolves_to_an_equal_aggregator(spec: str) -> None:
    A = named(spec, 3)
    assert " " not in repr(A)
    assert resolve(repr(A)) == (repr(A), A)


def test_preferences_given_as_a_list_are_the_same_value() -> None:
    assert UPGrad(preferences=[1, 2]) == UPGrad(preferences=(1.0, 2.0))  # pyright: ignore[reportArgumentType]


# Exact and high-precision references


def forward_error(A: Aggregator, J: Tensor) -> float:
    """Return the error of A(J) that rounding explains, where A is continuous."""
    if not isinstance(A, GramianAggregator):
        return float(tolerances.combination(J, torch.ones(J.shape[0], dtype=torch.float64)).norm())
    w = A.weights(gramian(J), generator=seeded())
    slack = float(tolerances.improvement(J, w))
    if isinstance(A, UPGrad | DualProj) and A.trace_regularization > 0:
        return trace_error(A, J, w)
    if isinstance(A, AlignedMTL):
        rank = int(torch.linalg.matrix_rank(J))
        return slack + tolerances.polar(J, rank) * float(tolerances.size(J, w))
    if isinstance(A, CAGrad) and A.c > 0:
        # The value errs by a slack; the Lagrangian's modulus is that of the references.
        modulus = MGDA()(J).norm() / (A.c * J.mean(0).norm())
        return float(tolerances.strong_convexity(slack * tolerances.row_norms(J).max(), modulus))
    return float(tolerances.projection(J, w))


def trace_error(A: GramianAggregator, J: Tensor, w: Tensor) -> float:
    """Return the error of the regularised program: G/tr(G) + ρI is the Gramian of the rows (J/‖J‖_F, √ρ I)."""
    rho = getattr(A, "trace_regularization", 0.0)
    extended = torch.cat([J / J.norm(), math.sqrt(rho) * torch.eye(J.shape[0], dtype=torch.float64)], dim=1)
    return float(tolerances.projection(extended, w) * J.norm())


def fractions(J: Tensor) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in J.tolist()]


def product(x: list[Fraction], y: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def combined(rows: list[list[Fraction]], w: list[Fraction]) -> list[Fraction]:
    return [
        sum((a * b for a, b in zip(w, column, strict=True)), Fraction(0)) for column in zip(*rows, strict=True)
    ]


def solution(A: list[list[Fraction]], b: list[Fraction]) -> list[Fraction] | None:
    """Return x with Ax = b by Gauss and Jordan, None if A is singular."""
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for i in range(len(rows)):
        pivot = next((k for k in range(i, len(rows)) if rows[k][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(len(rows)):
            if k != i and rows[k][i] != 0:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


def subsets(m: int) -> list[tuple[int, ...]]:
    return [subset for count in range(m + 1) for subset in itertools.combinations(range(m), count)]


def exact_weights(G: list[list[Fraction]], u: list[Fraction]) -> list[Fraction]:
    """Return argmin of vᵀGv over v ≥ u: the active set among all whose weights satisfy Lemma 4."""
    right = [-product(row, u) for row in G]
    for active in subsets(len(G)):
        z = solution([[G[i][k] for k in active] for i in active], [right[i] for i in active])
        if z is None or min(z, default=Fraction(0)) < 0:
            continue
        v = list(u)
        for i, value in zip(active, z, strict=True):
            v[i] += value
        if all(product(row, v) >= 0 for row in G):
            return v
    raise AssertionError("a positive semi-definite program has a basic solution")


def exact_minimum_norm(rows: list[list[Fraction]]) -> list[Fraction]:
    """Return the shortest vector a of the hull: gᵢᵀa = ‖a‖² on its face, ≥ elsewhere; 0 if there is none."""
    G = [[product(x, y) for y in rows] for x in rows]
    for face in subsets(len(rows))[1:]:
        x = solution([[G[i][k] for k in face] for i in face], [Fraction(1)] * len(face))
        if x is None or min(x) < 0:
            continue
        a = combined([rows[i] for i in face], [value / sum(x) for value in x])
        if all(product(row, a) >= product(a, a) for row in rows):
            return a
    return [Fraction(0)] * len(rows[0])


def assert_exact(spec: str, J: Tensor) -> None:
    m = J.shape[0]
    A, rows = weighted(spec, m), fractions(J)
    G = [[product(x, y) for y in rows] for x in rows]
    p = [Fraction(i + 1) if "preferences" in spec else Fraction(1, m) for i in range(m)]
    if spec == "MGDA":
        expected = exact_minimum_norm(rows)
    elif spec.startswith("DualProj"):
        expected = combined(rows, exact_weights(G, p))
    else:
        bounds = [[p[i] if i == k else Fraction(0) for k in range(m)] for i in range(m)]
        expected = combined(
            rows, [sum(column) for column in zip(*(exact_weights(G, u) for u in bounds), strict=True)]
        )
    a = [Fraction(value) for value in A(J).tolist()]
    error = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, expected, strict=True)))
    assert error <= float(tolerances.projection(J, A.weights(gramian(J)))), f"{spec} of {J.tolist()}"


def singular_values(J: Tensor, rank: int) -> tuple[mpmath.matrix, list[mpmath.mpf], mpmath.matrix]:
    """Return V, Σ and U of J = VΣUᵀ up to the rank, in 60 digits."""
    rows = mpmath.matrix(J.tolist())
    with mpmath.workdps(60):
        if rows.rows >= rows.cols:
            V, sigma, U = mpmath.svd_r(rows)
        else:
            V, sigma, U = mpmath.svd_r(rows.T)
            V, U = U.T, V.T
        return V[:, :rank], list(sigma)[:rank], U[:rank, :].T


def assert_aligned(J: Tensor, rank: int, scale: str) -> None:
    V, sigma, U = singular_values(J, rank)
    with mpmath.workdps(60):
        mean_square = mpmath.sqrt(sum(s**2 for s in sigma) / rank)
        length = {"min": sigma[-1], "median": sigma[rank - 1 - (rank - 1) // 2], "rmse": mean_square}[scale]
        m = J.shape[0]
        expected = length * (U * (V.T * mpmath.matrix([mpmath.mpf(1) / m] * m)))
        error = mpmath.norm(mpmath.matrix(AlignedMTL(scale=scale)(J).tolist()) - expected)
        # ‖p‖ = 1/√m, and the length errs relatively.
        assert error <= length / m**0.5 * tolerances.polar(J, rank)


def assert_imtl_g(J: Tensor, rank: int) -> None:
    V, sigma, U = singular_values(J, rank)
    with mpmath.workdps(60):
        d = mpmath.matrix([mpmath.sqrt(sum(x**2 for x in mpmath.matrix(row))) for row in J.tolist()])
        c = V.T * d
        v = V * mpmath.matrix([c[i] / sigma[i] ** 2 for i in range(rank)])
        expected = U * mpmath.matrix([c[i] / sigma[i] for i in range(rank)])
        total, cancelled = sum(v), sum(abs(value) for value in v)
        a = mpmath.matrix(IMTLG()(J).tolist())
        if abs(total) <= tolerances.polar(J, rank) * cancelled:
            assert mpmath.norm(a) == 0  # 1ᵀv = 0
        else:
            # The division by 1ᵀv multiplies a relative error of v by Σ|vᵢ| / |1ᵀv|.
            limit = tolerances.polar(J, rank) * cancelled / abs(total) * mpmath.norm(expected) / abs(total)
            assert mpmath.norm(a - expected / total) <= limit
