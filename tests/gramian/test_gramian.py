"""The Gramian of a Jacobian, its unit rows and its rank ([JD] Section 6) against exact arithmetic."""

import math
from fractions import Fraction

import pytest
import torch

from jdbench import rounding
from jdbench.errors import InputError, NonFiniteError
from jdbench.gramian import checked_gramian, combine, eigen, gramian, rank_cutoff, unit_rows
from jdbench.gramian.rank import INNER_PRODUCT_ULPS

EPS = torch.finfo(torch.float64).eps


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def integers(*shape: int, largest: int = 9, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-largest, largest + 1, shape, generator=generator).double()


def exact_inner_product(x: torch.Tensor, y: torch.Tensor) -> Fraction:
    return sum((Fraction(a) * Fraction(b) for a, b in zip(x.tolist(), y.tolist(), strict=True)), Fraction(0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (5, 3), (16, 400)], ids=str)
def test_the_gramian_of_an_integer_matrix_is_exact(shape: tuple[int, int], dtype: torch.dtype) -> None:
    J = integers(*shape)
    expected = [[sum(int(a) * int(b) for a, b in zip(x, y, strict=True)) for y in J] for x in J]
    G = gramian(J.to(dtype))
    assert G.dtype == torch.float64
    assert G.tolist() == expected


def test_the_gramian_of_a_batch_is_that_of_each_matrix() -> None:
    J = integers(2, 3, 4, 5)
    G = gramian(J)
    assert G.shape == (2, 3, 4, 4)
    for i in range(2):
        for j in range(3):
            assert torch.equal(G[i, j], gramian(J[i, j]))


def test_the_gramian_of_reals_errs_by_the_rounding_of_its_inner_products() -> None:
    J = draw(4, 50)
    G, norms = gramian(J), rounding.row_norms(J)
    for i in range(4):
        for k in range(4):
            error = abs(Fraction(float(G[i, k])) - exact_inner_product(J[i], J[k]))
            assert error <= rounding.inner_product(50) * float(norms[i] * norms[k])


def test_squares_below_the_range_of_float32_do_not_vanish() -> None:
    J = torch.tensor([[1e-23, 0.0], [1e-23, 1e-23]], dtype=torch.float32)
    assert float((J @ J.mT).abs().max()) == 0.0  # the hazard
    value = float(J[0, 0]) ** 2
    assert gramian(J).tolist() == [[value, value], [value, 2 * value]]


def test_the_gramian_leaves_its_argument_and_its_graph_alone() -> None:
    J = draw(3, 4).requires_grad_()
    before = J.detach().clone()
    assert not gramian(J).requires_grad
    assert not combine(J, torch.ones(3, dtype=torch.float64)).requires_grad
    assert torch.equal(J.detach(), before)


def test_rows_without_entries_have_a_zero_gramian() -> None:
    assert torch.equal(gramian(torch.zeros(3, 0)), torch.zeros(3, 3, dtype=torch.float64))


def test_an_empty_batch_has_an_empty_gramian() -> None:
    assert gramian(torch.zeros(0, 3, 4)).shape == (0, 3, 3)


@pytest.mark.parametrize(
    ("shape", "where"), [((3, 4), (1, 2)), ((2, 3, 4), (1, 2, 0)), ((2, 2, 3, 4), (0, 1, 0, 3))], ids=str
)
@pytest.mark.parametrize(
    ("value", "name"), [(math.nan, "NaN"), (math.inf, "infinity"), (-math.inf, "infinity")]
)
def test_a_non_finite_entry_is_named(
    shape: tuple[int, ...], where: tuple[int, ...], value: float, name: str
) -> None:
    J = draw(*shape)
    J[where] = value
    J[tuple(length - 1 for length in shape)] = value  # a later one
    with pytest.raises(NonFiniteError) as caught:
        gramian(J)
    assert f"J{list(where)}={name}" in str(caught.value)


@pytest.mark.parametrize("shape", [(2, 3), (4, 2, 3)], ids=str)
def test_entries_whose_squares_overflow_are_named_as_too_large(shape: tuple[int, ...]) -> None:
    J = torch.ones(shape, dtype=torch.float64)
    J[..., 1, 1] = 1e160
    with pytest.raises(NonFiniteError, match=r"max\|J\|=1e\+160, required entries within 1e±150"):
        gramian(J)


def test_entries_at_the_ends_of_the_promised_range_have_finite_gramians() -> None:
    J = torch.tensor([[1e150, -1e150], [1e-150, 1e-150]], dtype=torch.float64)
    large, small = Fraction(1e150) ** 2 * 2, Fraction(1e-150) ** 2 * 2
    G = gramian(J)
    assert G[0, 1] == 0.0
    assert float(G[0, 0]) == pytest.approx(float(large), rel=rounding.inner_product(2))
    assert float(G[1, 1]) == pytest.approx(float(small), rel=rounding.inner_product(2))


@pytest.mark.parametrize(
    ("J", "got"),
    [
        ([[1.0, 2.0]], "list"),
        (torch.ones(2, 2, dtype=torch.int64), "torch.int64"),
        (torch.ones(2, 2, dtype=torch.bool), "torch.bool"),
        (torch.ones(3), r"\(3,\)"),
        (torch.tensor(1.0), r"\(\)"),
        (torch.ones(0, 3), r"\(0, 3\)"),
        (torch.ones(2, 0, 3), r"\(2, 0, 3\)"),
    ],
    ids=["list", "int64", "bool", "1-D", "0-D", "no rows", "no rows in a batch"],
)
def test_what_is_no_jacobian_is_refused_with_what_arrived(J: object, got: str) -> None:
    with pytest.raises(InputError, match=rf"^J, required .* got .*{got}"):
        gramian(J)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("G", "got"),
    [
        ([[1.0]], "list"),
        (torch.ones(2, 2, dtype=torch.int64), "torch.int64"),
        (torch.ones(2, 3), r"\(2, 3\)"),
        (torch.ones(4), r"\(4,\)"),
        (torch.ones(0, 0), r"\(0, 0\)"),
        (-torch.eye(2), "negative diagonal"),
    ],
    ids=["list", "int64", "not square", "1-D", "no rows", "negative diagonal"],
)
def test_what_is_no_gramian_is_refused_with_what_arrived(G: object, got: str) -> None:
    with pytest.raises(InputError, match=rf"^G, required .* got .*{got}"):
        checked_gramian(G)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("value", "name"), [(math.nan, "NaN"), (math.inf, "infinity")])
def test_a_non_finite_entry_of_a_gramian_is_named(value: float, name: str) -> None:
    G = torch.eye(3, dtype=torch.float64).repeat(2, 1, 1)
    G[1, 0, 2] = value
    with pytest.raises(NonFiniteError, match=rf"^G\[1, 0, 2\]={name}"):
        checked_gramian(G)


def test_unit_rows_have_ones_on_the_diagonal_and_put_back_give_the_gramian() -> None:
    G = gramian(integers(4, 6) * torch.tensor([[1.0], [1e8], [1e-8], [3.0]], dtype=torch.float64))
    norms, cosines = unit_rows(G)
    assert torch.equal(cosines.diagonal(), torch.ones(4, dtype=torch.float64))
    errors = (norms.unsqueeze(1) * cosines * norms - G).abs() / (norms.unsqueeze(1) * norms)
    assert float(errors.max()) <= rounding.cosine(0)


def test_zero_rows_keep_norm_zero_and_zero_cosines() -> None:
    J = integers(2, 4, 3)
    J[0, 1] = 0.0
    J[1, :] = 0.0
    norms, cosines = unit_rows(gramian(J))
    assert norms[0, 1] == 0.0
    assert torch.equal(cosines[0, 1], torch.zeros(4, dtype=torch.float64))
    assert torch.equal(cosines[0, :, 1], torch.zeros(4, dtype=torch.float64))
    assert torch.equal(cosines[0].diagonal(), torch.tensor([1.0, 0.0, 1.0, 1.0], dtype=torch.float64))
    assert not cosines[1].any()


def test_cosines_do_not_depend_on_row_norms_from_1e_minus_150_to_1e150() -> None:
    J = draw(4, 5)
    scales = torch.tensor([2.0**-498, 2.0**-1, 2.0**3, 2.0**498], dtype=torch.float64)  # 1e±150, exact
    norms, cosines = unit_rows(gramian(J))
    scaled_norms, scaled_cosines = unit_rows(gramian(J * scales.unsqueeze(-1)))
    assert torch.equal(scaled_cosines, cosines)
    assert torch.equal(scaled_norms, norms * scales)


def test_a_cosine_is_at_most_one_in_absolute_value() -> None:
    J = draw(1000, 1, 7)
    _, cosines = unit_rows(gramian(torch.cat([J, 3 * J, -7 * J], dim=1)))
    assert float(cosines.abs().max()) == 1.0


def rows_of_one_sign(kind: str, n: int) -> torch.Tensor:
    base = draw(n)
    return {
        "random": torch.stack([base, draw(n, seed=1), draw(n, seed=2), draw(n, seed=3)]),
        "positive": torch.stack([base, draw(n, seed=1), draw(n, seed=2), draw(n, seed=3)]).abs(),
        "nearly parallel": torch.stack([base + draw(n, seed=i) / 4 for i in range(4)]),
        "constant": torch.tensor([[0.1], [0.3], [0.7], [1.1]], dtype=torch.float64).repeat(1, n),
    }[kind]


@pytest.mark.parametrize("kind", ["random", "positive", "nearly parallel", "constant"])
@pytest.mark.parametrize("n", [10, 1_000, 10_000, 100_000, 1_000_000])
def test_cosines_err_by_no_more_than_the_rank_cut_off_assumes(n: int, kind: str) -> None:
    J = rows_of_one_sign(kind, n)
    _, cosines = unit_rows(gramian(J))
    # math.fsum rounds a sum once. With the products, roots and divisions the reference errs by 8 roundings.
    reference_error = rounding.gamma(8)
    for i, k in ((0, 1), (2, 3)):
        squares = [math.fsum((row * row).tolist()) for row in (J[i], J[k])]
        exact = math.fsum((J[i] * J[k]).tolist()) / math.sqrt(squares[0]) / math.sqrt(squares[1])
        assert abs(float(cosines[i, k]) - exact) <= INNER_PRODUCT_ULPS * EPS + reference_error


@pytest.mark.parametrize("n", [1_000, 100_000, 1_000_000])
def test_the_rank_of_long_parallel_rows_is_one(n: int) -> None:
    assert int(eigen(unit_rows(gramian(rows_of_one_sign("constant", n))).gramian).rank) == 1


def test_the_rank_of_a_product_does_not_depend_on_the_number_of_parameters() -> None:
    left, right = draw(8, 3).abs(), draw(3, 1_000_000, seed=1).abs()
    for n in (10, 1_000, 1_000_000):
        assert int(eigen(unit_rows(gramian(left @ right[:, :n])).gramian).rank) == 3, f"{n=}"


@pytest.mark.parametrize("m", [1, 2, 8, 64])
def test_the_cut_off_is_the_frobenius_norm_of_the_largest_error(m: int) -> None:
    error = torch.full((m, m), INNER_PRODUCT_ULPS * EPS, dtype=torch.float64)
    assert rank_cutoff(m) == pytest.approx(float(error.norm()), rel=rounding.gamma(m * m + 2))


@pytest.mark.parametrize("rank", [1, 2, 3, 5])
@pytest.mark.parametrize(("m", "n"), [(5, 5), (6, 9), (9, 6), (24, 40)], ids=str)
@pytest.mark.parametrize("kind", ["integers", "reals", "reals over 26 decades"])
def test_the_numerical_rank_of_a_product_is_its_inner_dimension(m: int, n: int, rank: int, kind: str) -> None:
    # Two random factors have full rank with probability 1 (integers: checked exactly below).
    if kind == "integers":
        J = integers(50, m, rank, largest=5, seed=m) @ integers(50, rank, n, largest=5, seed=n + 100)
        expected = torch.tensor([exact_rank(matrix) for matrix in J])
        assert (expected == rank).sum() > 25
    else:
        J = draw(50, m, rank, seed=m) @ draw(50, rank, n, seed=n + 100)
        expected = torch.full((50,), rank)
    if kind == "reals over 26 decades":
        J = J * torch.logspace(-13, 13, m, dtype=torch.float64).unsqueeze(-1)
    values, vectors, found = eigen(unit_rows(gramian(J)).gramian)
    assert torch.equal(found, expected)
    assert torch.equal((values > 0).sum(-1), expected)
    assert vectors.shape == (50, m, m)


def test_zero_rows_and_duplicates_add_nothing_to_the_rank() -> None:
    J = draw(3, 6)
    J = torch.cat([J, 2 * J, torch.zeros(2, 6, dtype=torch.float64), -J[:1]])
    assert int(eigen(unit_rows(gramian(J)).gramian).rank) == 3


@pytest.mark.parametrize(("exponent", "rank"), [(-20, 2), (-30, 1)])
def test_rows_closer_than_the_root_of_the_cut_off_count_as_dependent(exponent: int, rank: int) -> None:
    J = torch.tensor([[1.0, 0.0], [1.0, 2.0**exponent]], dtype=torch.float64)
    assert (2.0**exponent > rank_cutoff(2) ** 0.5) == (rank == 2)
    assert int(eigen(unit_rows(gramian(J)).gramian).rank) == rank


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_rows_are_combined_in_float64_and_rounded_once(dtype: torch.dtype) -> None:
    J = torch.tensor([[1.0, 3.0], [1.0, -3.0], [1.0, 5.0]], dtype=dtype)
    w = torch.tensor([2.0**40, -(2.0**40), 1 + 2.0**-30], dtype=torch.float64)
    exact = [w.sum(), 3 * 2.0**41 + 5 * (1 + 2.0**-30)]
    assert torch.equal(combine(J, w), torch.tensor(exact, dtype=torch.float64).to(dtype))


def test_a_batch_is_combined_matrix_by_matrix() -> None:
    J, w = integers(2, 3, 4, 5), integers(2, 3, 4, seed=1)
    expected = torch.stack([torch.stack([J[i, k].T @ w[i, k] for k in range(3)]) for i in range(2)])
    assert torch.equal(combine(J, w), expected)


def exact_rank(matrix: torch.Tensor) -> int:
    rows = [[Fraction(value) for value in row] for row in matrix.tolist()]
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column] != 0), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] / rows[rank][column]
            rows[i] = [a - factor * b for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank
