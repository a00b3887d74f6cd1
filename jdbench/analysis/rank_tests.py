"""Are the ranks more than chance? Friedman's test over problems, pairs by Nemenyi and Conover, and groups.

M. Friedman (1937), P. Nemenyi (1963), W. J. Conover and R. L. Iman (1979); for comparisons over data sets J.
Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006). A block is a problem:
seeds of one problem are no independent evidence about problems.
"""

import itertools
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2
from scipy.stats import t as student

from jdbench.analysis.declarations import Table
from jdbench.analysis.frames import flags, names, numbers, parts, where
from jdbench.analysis.problems import by_family, families
from jdbench.analysis.results import Results
from jdbench.analysis.schema import (
    AGGREGATOR,
    APART,
    BETTER,
    BLOCKS,
    DIFFERENCE,
    FAMILY,
    FRIEDMAN,
    OTHER,
    P_CONOVER,
    P_FRIEDMAN,
    P_NEMENYI,
    PAIRS,
    PAIRS_APART,
    WORSE,
)
from jdbench.analysis.seed_ranks import by_problem, problem_ranks
from jdbench.errors import MissingExtraError
from jdbench.runs.record import Array

SIGNIFICANCE = 0.05
"""Aggregators are told apart where the chance of such a difference under equality is below this."""

PAIR = (AGGREGATOR, OTHER, DIFFERENCE, P_NEMENYI, P_CONOVER, APART)


class Friedman(NamedTuple):
    """Friedman's test.

    Attributes:
        statistic: χ² = (k - 1) Σⱼ (Rⱼ - b(k + 1)/2)² / (Σᵢⱼ rᵢⱼ² - bk(k + 1)²/4), Rⱼ the sum of the ranks of
            aggregator j, which allows for ties; 0 where all ranks are tied.
        p_value: Chance of as much or more if all aggregators are alike, by χ² with k - 1 degrees of freedom;
            NaN with fewer than two blocks or aggregators.
        blocks: b, number of problems.
        aggregators: k.
    """

    statistic: float
    p_value: float
    blocks: int
    aggregators: int


def block_ranks(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return the ranks within each problem, of aggregators that all problems have.

    Args:
        ranks: Mean rank over seeds, one row a problem, one column an aggregator; NaN where it did not run.

    Returns:
        Ranks from 1 within each row, ties sharing their mean.
    """
    # Means of equal ranks in another order differ by rounding.
    return ranks.dropna(axis=1).round(9).rank(axis=1)


def friedman(ranks: pd.DataFrame) -> Friedman:
    """Return Friedman's test of mean ranks per problem.

    Args:
        ranks: As `block_ranks` takes them.

    Returns:
        The test.
    """
    r = block_ranks(ranks).to_numpy(dtype=np.float64)
    b, k = r.shape
    if b < 2 or k < 2:
        return Friedman(float("nan"), float("nan"), b, k)
    between = ((r.sum(0) - b * (k + 1) / 2) ** 2).sum()
    within = (r**2).sum() - b * k * (k + 1) ** 2 / 4
    statistic = (k - 1) * between / within if within > 0 else 0.0
    return Friedman(float(statistic), float(chi2.sf(statistic, k - 1)), b, k)


def rank_tests(ranks: pd.DataFrame) -> pd.DataFrame:
    """Return each pair of aggregators and whether their ranks differ by more than chance.

    Args:
        ranks: As `block_ranks` takes them.

    Returns:
        Columns ``aggregator other difference p_nemenyi p_conover apart``: the difference of their mean ranks,
        the p-values of Nemenyi's test and of Conover's with Holm's correction, and whether Friedman's and
        Nemenyi's are both below `SIGNIFICANCE`. No rows with fewer than two blocks or aggregators.

    Raises:
        MissingExtraError: scikit-posthocs is not installed.
    """
    whole = friedman(ranks)
    if not whole.p_value <= 1:
        return pd.DataFrame(columns=[*PAIR])
    r = block_ranks(ranks)
    mean = r.to_numpy(dtype=np.float64).mean(0)
    nemenyi, conover = _pairwise(r.to_numpy(dtype=np.float64))
    rows = [
        (
            str(r.columns[i]),
            str(r.columns[j]),
            mean[i] - mean[j],
            nemenyi[i, j],
            conover[i, j],
            bool(whole.p_value < SIGNIFICANCE and nemenyi[i, j] < SIGNIFICANCE),
        )
        for i, j in itertools.combinations(range(r.shape[1]), 2)
    ]
    return pd.DataFrame(rows, columns=[*PAIR])


def groups(ranks: pd.DataFrame, tests: pd.DataFrame) -> dict[str, str]:
    """Return the groups of aggregators that cannot be told apart, as letters.

    A group is a largest run of aggregators, in the order of their mean ranks, no two of which are apart.
    Groups overlap: being told apart is not transitive.

    Args:
        ranks: As `block_ranks` takes them.
        tests: Of `rank_tests` with the same ranks.

    Returns:
        The letters of the groups of each aggregator, ``a`` for the best; all ``a`` where there were no tests.
    """
    order = [str(name) for name in block_ranks(ranks).mean().sort_values(kind="stable").index]
    pairs = zip(tests[AGGREGATOR], tests[OTHER], tests[APART], strict=True)
    apart = {frozenset((str(one), str(other))) for one, other, told in pairs if told}
    letters = dict.fromkeys(order, "")
    reach = -1
    for first in range(len(order)):
        last = first
        while last + 1 < len(order) and not any(
            frozenset((order[last + 1], name)) in apart for name in order[first : last + 1]
        ):
            last += 1
        if last > reach:
            letter = _letter(len({c for text in letters.values() for c in text.split()}))
            for name in order[first : last + 1]:
                letters[name] = f"{letters[name]} {letter}".strip()
            reach = last
    return letters


def family_rank_tests(ranks: pd.DataFrame, family_of: Mapping[str, str]) -> pd.DataFrame:
    """Return `rank_tests` of every family of problems, and over all.

    Args:
        ranks: Of seeds, see `jdbench.analysis.seed_ranks.all_seed_ranks`.
        family_of: Family of each problem.

    Returns:
        Columns ``family blocks friedman p_friedman`` and those of the pairs. Families with fewer than two
        problems or aggregators are left out.
    """

    def tests(_: str, part: pd.DataFrame) -> pd.DataFrame:
        means = problem_ranks(by_problem(part))
        pairs, whole = rank_tests(means), friedman(means)
        head = {BLOCKS: whole.blocks, FRIEDMAN: whole.statistic, P_FRIEDMAN: whole.p_value}
        for place, (column, value) in enumerate(head.items()):
            pairs.insert(place, str(column), value)
        return pairs

    return by_family(ranks, family_of, tests)


def friedman_of_families(tests: pd.DataFrame) -> pd.DataFrame:
    """Return Friedman's test of each family and of all problems, and how many pairs are told apart."""
    found: list[tuple[object, ...]] = []
    for family, own in parts(tests, FAMILY, sort=False):
        blocks, statistic, p_value = (float(numbers(own, name)[0]) for name in (BLOCKS, FRIEDMAN, P_FRIEDMAN))
        found.append((family, int(blocks), statistic, p_value, len(own), int(flags(own, APART).sum())))
    return pd.DataFrame(found, columns=[*FRIEDMAN_TESTS.columns])


def pairs_apart(tests: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that are told apart, the better one first, those with the largest difference first."""
    apart = where(tests, flags(tests, APART))
    difference = numbers(apart, DIFFERENCE)
    one, other = (np.array(names(apart, name), dtype=object) for name in (AGGREGATOR, OTHER))
    found = pd.DataFrame({
        FAMILY: apart[FAMILY],
        BETTER: np.where(difference < 0, one, other),
        WORSE: np.where(difference < 0, other, one),
        DIFFERENCE: np.abs(difference),
        P_NEMENYI: apart[P_NEMENYI],
        P_CONOVER: apart[P_CONOVER],
    })
    return found.sort_values(DIFFERENCE, ascending=False, kind="stable", ignore_index=True)


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else f"z{number - 25}"


def _pairwise(r: Array) -> tuple[Array, Array]:
    """Return the p-values of Nemenyi's and Conover's tests, as square matrices."""
    try:
        from scikit_posthocs import posthoc_nemenyi_friedman
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            'rank tests, required scikit-posthocs, got no such package, run `pip install "jdbench[report]"`'
        ) from error
    # Where all ranks are tied Nemenyi's test warns of what it then leaves out.
    with np.errstate(all="ignore"):
        return np.asarray(posthoc_nemenyi_friedman(r)), _holm(_conover(r))


def _conover(r: Array) -> Array:
    """Return the p-values of Conover's test before any correction, as a symmetric matrix.

    t = |Rᵢ - Rⱼ| / √(2 (b Σ rᵢⱼ² - Σ Rⱼ²) / ((b - 1)(k - 1))), by Student's distribution with (b - 1)(k - 1)
    degrees of freedom. Where every problem ranks alike nothing is left under the root: what differs then is
    told apart for certain, what does not is equal. By hand: ranks are halves, and in whole numbers that case
    is told from rounding.
    """
    b, k = r.shape
    twice = np.rint(2 * r).astype(np.int64)
    sums = twice.sum(0)
    freedom = (b - 1) * (k - 1)
    # Four times what stands under the root, and twice the differences.
    root = np.sqrt(2 * (b * (twice**2).sum() - (sums**2).sum()) / freedom)
    differences = np.abs(sums[:, None] - sums).astype(np.float64)
    p = np.ones((k, k))
    apart = differences > 0
    p[apart] = 2 * student.sf(differences[apart] / root, freedom)
    return p


def _holm(p: Array) -> Array:
    """Return p-values of pairs with Holm's correction (1979), as a symmetric matrix.

    By hand: statsmodels collects garbage in each call, which takes seconds with a store in memory.
    """
    rows, columns = np.triu_indices(len(p), 1)
    pairs = p[rows, columns]
    order = np.argsort(pairs, kind="stable")
    stepped = np.maximum.accumulate(pairs[order] * np.arange(len(pairs), 0, -1)).clip(max=1.0)
    corrected = np.ones_like(p)
    corrected[rows[order], columns[order]] = corrected[columns[order], rows[order]] = stepped
    return corrected


def _family_tests(results: Results) -> pd.DataFrame:
    return family_rank_tests(results.table("seed_ranks"), families(results.problems))


RANK_TESTS = Table(
    "rank_tests",
    "Are the ranks more than chance? Friedman's test, and each pair of aggregators",
    (FAMILY, BLOCKS, FRIEDMAN, P_FRIEDMAN, *PAIR),
    _family_tests,
    needs=("seed_ranks",),
    listed=False,
)
FRIEDMAN_TESTS = Table(
    "friedman_tests",
    "Friedman's test: are the ranks more than chance?",
    (FAMILY, BLOCKS, FRIEDMAN, P_FRIEDMAN, PAIRS, PAIRS_APART),
    lambda results: friedman_of_families(results.table("rank_tests")),
    needs=("rank_tests",),
    download=False,
    listed=False,
)
PAIRS_TOLD_APART = Table(
    "pairs_apart",
    "Pairs told apart",
    (FAMILY, BETTER, WORSE, DIFFERENCE, P_NEMENYI, P_CONOVER),
    lambda results: pairs_apart(results.table("rank_tests")),
    needs=("rank_tests",),
    download=False,
    listed=False,
)
