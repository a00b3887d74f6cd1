"""Friedman's statistic by hand, pairs against scipy, and groups."""

import math

import numpy as np
import pandas as pd
import pytest
from scikit_posthocs import posthoc_conover_friedman
from scipy.stats import friedmanchisquare, studentized_range

from jdbench.analysis.rank_tests import friedman, groups, rank_tests
from jdbench.rounding import gamma

# Rank sums 5, 8, 11 over four problems: 12 / (4·3·4) · (25 + 64 + 121) - 3·4·4 = 52.5 - 48.
HAND = pd.DataFrame([[1, 2, 3], [1, 3, 2], [1, 2, 3], [2, 1, 3]], index=list("PQRS"), columns=list("ABC"))


def test_friedman_by_hand() -> None:
    whole = friedman(HAND)
    assert whole.statistic == pytest.approx(4.5, rel=gamma(64))
    assert whole.p_value == pytest.approx(math.exp(-4.5 / 2), rel=gamma(256))  # χ² with 2 degrees of freedom
    assert (whole.blocks, whole.aggregators) == (4, 3)


def test_friedman_allows_for_ties_as_scipy_does() -> None:
    ranks = pd.DataFrame(np.random.default_rng(2).integers(0, 3, (9, 4)).astype(float)).rank(axis=1)
    expected = friedmanchisquare(*ranks.to_numpy().T)
    assert friedman(ranks).statistic == pytest.approx(expected.statistic, rel=1e-12)  # another order of sums
    assert friedman(ranks).p_value == pytest.approx(expected.pvalue, rel=1e-12)


def test_nemenyi_is_the_studentised_range_of_the_difference() -> None:
    tests = rank_tests(HAND).set_index(["aggregator", "other"])
    assert tests["difference"].to_dict() == {("A", "B"): -0.75, ("A", "C"): -1.5, ("B", "C"): -0.75}
    error = math.sqrt(3 * 4 / (6 * 4))
    for pair, difference in (("AB", 0.75), ("AC", 1.5), ("BC", 0.75)):
        expected = studentized_range.sf(difference / error * 2**0.5, 3, np.inf)
        assert tests.loc[tuple(pair), "p_nemenyi"] == pytest.approx(expected, rel=1e-6)  # its quadrature
    assert not tests["apart"].any()
    assert groups(HAND, rank_tests(HAND)) == {"A": "a", "B": "a", "C": "a"}


def test_groups_overlap_where_neighbours_cannot_be_told_apart_but_the_ends_can() -> None:
    ranks = pd.DataFrame([[1.0, 2, 3]] * 8, columns=list("ABC"))
    tests = rank_tests(ranks)
    # z = 2·√8·√2/√12… : ends differ by 2, neighbours by 1, the critical difference is 2.344·√(12/48) = 1.17.
    assert tests["apart"].tolist() == [False, True, False]
    assert groups(ranks, tests) == {"A": "a", "B": "a b", "C": "b"}


def test_three_clear_classes_have_three_letters() -> None:
    ranks = pd.DataFrame([[3.0, 1, 2]] * 40, columns=list("ABC"))
    assert groups(ranks, rank_tests(ranks)) == {"B": "a", "C": "b", "A": "c"}


@pytest.mark.parametrize(
    "ranks",
    [
        pd.DataFrame([[1.0, 2.0]], columns=["A", "B"]),
        pd.DataFrame([[1.0], [1.0]], columns=["A"]),
        pd.DataFrame([[1.0, math.nan], [1.0, 1.0]], columns=["A", "B"]),
    ],
    ids=["one problem", "one aggregator", "a missing cell"],
)
def test_too_little_to_test_gives_no_pairs_and_one_group(ranks: pd.DataFrame) -> None:
    tests = rank_tests(ranks)
    assert len(tests) == 0
    assert math.isnan(friedman(ranks).p_value)
    assert set(groups(ranks, tests).values()) == {"a"}


def test_all_tied_is_no_difference() -> None:
    ranks = pd.DataFrame([[2.0, 2, 2]] * 5, columns=list("ABC"))
    assert friedman(ranks)[:2] == (0.0, 1.0)
    assert not rank_tests(ranks)["apart"].any()


@pytest.mark.parametrize("blocks", [2, 7, 8, 49])
def test_twins_are_equal_where_everything_else_is_ordered_the_same(blocks: int) -> None:
    """No variance is left: what differs does so for certain, what does not has no chance of a difference."""
    # Means over seeds differ by rounding, and a seventh of the sums would too.
    ranks = pd.DataFrame(np.tile([0.1 + 0.2, 0.3, 3.0, 4.0, 5.0], (blocks, 1)), columns=list("ABCDE"))
    tests = rank_tests(ranks).set_index(["aggregator", "other"])
    expected = {pair: float(pair == ("A", "B")) for pair in tests.index}
    assert tests["p_conover"].to_dict() == expected
    assert not tests["p_nemenyi"].isna().any()


def test_conover_is_that_of_scikit_posthocs_with_holms_correction_where_that_is_defined() -> None:
    ranks = pd.DataFrame(np.random.default_rng(4).integers(0, 5, (9, 4)).astype(float), columns=list("ABCD"))
    ours = rank_tests(ranks)["p_conover"].to_numpy()
    peers = np.asarray(posthoc_conover_friedman(ranks.rank(axis=1).to_numpy(), p_adjust="holm"))
    assert ours == pytest.approx(peers[np.triu_indices(4, 1)], rel=1e-9)  # another order of sums, then a tail


def test_order_of_problems_and_aggregators_does_not_matter() -> None:
    ranks = pd.DataFrame(np.random.default_rng(3).random((12, 5)), columns=list("ABCDE")).rank(axis=1)
    mixed = ranks.loc[ranks.index[::-1], list("DBEAC")]
    assert friedman(mixed).statistic == pytest.approx(friedman(ranks).statistic, rel=gamma(256))
    first, second = groups(ranks, rank_tests(ranks)), groups(mixed, rank_tests(mixed))
    assert first == second
