"""Which of exact and regularised UPGrad is better, and when the page says that nobody can tell."""

import math
from pathlib import Path

import pandas as pd
import pytest

from jdbench.analysis import read
from jdbench.analysis.upgrad_variants import EXACT, FEWEST, REGULARISED, VERDICTS, upgrad_against_regularised
from jdbench.report.tables.upgrad_variants import SIGN, regularisation_summary, regularisation_table
from jdbench.rounding import gamma
from support.report_stores import analytic, write_store

INF = math.inf


def compared(exact: list[float], regularised: list[float]) -> pd.Series:
    """Return the row of one problem with these scores by seed."""
    frame = pd.DataFrame([
        {"problem": "P", "aggregator": name, "seed": seed, "state": "finished", "score": score}
        for name, scores in ((EXACT, exact), (REGULARISED, regularised))
        for seed, score in enumerate(scores, 1)
    ])
    return upgrad_against_regularised(frame).iloc[0]


@pytest.mark.parametrize(
    ("exact", "regularised", "p_value", "gap", "better"),
    [
        # 6 of 6: 2 / 2⁶.
        ([1.0] * 6, [2.0] * 6, 1 / 32, 0.5, "exact"),
        ([2.0] * 6, [1.0] * 6, 1 / 32, -0.5, "regularised"),
        # 5 of 5, 2 / 2⁵, is the least p of five seeds.
        ([1.0] * 5, [2.0] * 5, 1 / 16, 0.5, "too few seeds"),
        ([1.0], [2.0], 1.0, 0.5, "too few seeds"),
        # 7 of 8: 2 (1 + 8) / 2⁸, with equal scores but for the last digits.
        ([1.0] * 7 + [1.0002], [1.0001] * 8, 18 / 256, 1e-4 / 1.0001, "not told apart"),
        # 3 : 2 and 3 ties: everything beyond 3 of 5 or below 2, which is all.
        ([1.0] * 3 + [2.0] * 2 + [1.0] * 3, [2.0] * 3 + [1.0] * 5, 1.0, 0.0, "not told apart"),
        # Ever the same winner, by 0.9 % and by 1.1 %.
        ([0.991] * 8, [1.0] * 8, 2 / 256, 0.009, "not told apart"),
        ([0.989] * 8, [1.0] * 8, 2 / 256, 0.011, "exact"),
        # 7 : 1 of 9, the tie put aside, is not enough; 8 : 0 with one tie is.
        ([1.0] * 8 + [2.0], [2.0] * 7 + [1.0, 1.0], 18 / 256, 0.5, "not told apart"),
        ([1.0] * 9, [2.0] * 8 + [1.0], 2 / 256, 0.5, "exact"),
        # One that never finishes loses; two that never finish are alike.
        ([INF] * 6, [1.0] * 6, 1 / 32, -1.0, "regularised"),
        ([INF] * 6, [INF] * 6, 1.0, 0.0, "not told apart"),
        # It wins all six seeds that are not lost, and is yet lost in most.
        ([1.0] * 6 + [INF] * 8, [INF] * 14, 1 / 32, 0.0, "not told apart"),
        ([0.0] * 6, [0.0] * 6, 1.0, 0.0, "not told apart"),
    ],
)
def test_verdicts_by_hand(
    exact: list[float], regularised: list[float], p_value: float, gap: float, better: str
) -> None:
    row = compared(exact, regularised)
    assert row["p_value"] == pytest.approx(p_value, rel=gamma(64))  # a sum of at most 14 binomial terms
    assert row["gap"] == pytest.approx(gap, rel=0, abs=gamma(4))  # a difference of medians over the larger
    assert row["better"] == better


def test_six_seeds_are_the_fewest_whose_sign_test_can_tell() -> None:
    assert FEWEST == 6
    assert 2 * 0.5**5 > 0.05 > 2 * 0.5**6


def test_wins_against_the_medians_name_nobody() -> None:
    """Six narrow wins of thirteen and seven ties: by pairs the exact one, by medians neither by 1 %."""
    row = compared([1.0] * 6 + [5.0] * 7, [1.1] * 6 + [5.0] * 7)
    assert row["p_value"] == pytest.approx(1 / 32)
    assert (row["gap"], row["better"]) == (0.0, "not told apart")


def test_the_page_names_a_winner_only_where_told_apart(tmp_path: Path) -> None:
    halvings = {"EWQ": (2.0, 1.0, 6), "CQF": (1.0, 2.0, 6), "Toy": (1.0, 1.0, 7), "Dent": (2.0, 1.0, 2)}
    records = [
        analytic(name, problem, seed=seed, halving=halving)
        for problem, (exact, regularised, seeds) in halvings.items()
        for name, halving in ((EXACT, exact), (REGULARISED, regularised))
        for seed in range(1, seeds + 1)
    ]
    found = read(write_store(tmp_path / "s.sqlite", records))
    table = regularisation_table(found)
    assert table is not None
    shown = {row[0].text: (row[1].text, row[1].mark, row[2].text) for row in table.rows}
    assert shown == {
        "EWQ": ("exact", "good", "6 : 0 : 0"),
        "CQF": ("regularised", "", "0 : 6 : 0"),
        "Toy": ("not told apart", "", "0 : 0 : 7"),
        "Dent": ("too few seeds: 2", "", "2 : 0 : 0"),
    }
    said = " ".join(regularisation_summary(found))
    assert "On 3 problems there were enough seeds (6 to 7)" in said
    assert "the exact one is better on 1, the regularised one on 1, and on 1 they are not told apart" in said
    assert "On 1 problem there were too few seeds (2) to say which is better: with fewer than 6" in said


def test_with_few_seeds_everywhere_nobody_is_named(tmp_path: Path) -> None:
    records = [
        analytic(name, halving=halving, seed=seed)
        for name, halving in ((EXACT, 2.0), (REGULARISED, 1.0))
        for seed in (1, 2)
    ]
    said = regularisation_summary(read(write_store(tmp_path / "s.sqlite", records)))
    assert len(said) == 1
    assert said[0].startswith("On 1 problem there were too few seeds (2)")


def test_every_verdict_has_its_colour() -> None:
    assert tuple(SIGN) == VERDICTS
