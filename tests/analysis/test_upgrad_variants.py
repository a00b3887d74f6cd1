"""Exact against regularised UPGrad: wins, the sign test and what stands beside."""

import math

import pandas as pd
import pytest

from jdbench.analysis.upgrad_variants import EXACT, REGULARISED, upgrad_against_regularised


def rows(problem: str, aggregator: str, scores: list[float], **others: float) -> list[dict[str, object]]:
    return [
        {
            "problem": problem,
            "aggregator": aggregator,
            "seed": seed,
            "state": "finished",
            "score": score,
            "rate": 0.1,
            **others,
        }
        for seed, score in enumerate(scores, 1)
    ]


def test_wins_and_the_sign_test_by_hand() -> None:
    frame = pd.DataFrame([
        *rows("P", EXACT, [1.0, 1.0, 1.0, 1.0, 1.0, 2.0], weights_median=8.0),
        *rows("P", REGULARISED, [2.0, 2.0, 2.0, 2.0, 1.0 + 1e-9, 1.0], weights_median=3.0),
        *rows("Q", EXACT, [math.inf, 1.0]),
        *rows("Q", REGULARISED, [1.0, 0.5]),
        *rows("R", EXACT, [math.inf]),
        *rows("R", REGULARISED, [math.inf]),
        *rows("S", EXACT, [1.0]),
        *rows("P", "Mean", [0.1] * 6),
    ])
    found = upgrad_against_regularised(frame).set_index("problem")
    assert found.index.tolist() == ["P", "Q", "R"]
    counts = ["seeds", "exact_wins", "regularised_wins", "ties", "better"]
    assert found.loc["P", counts].tolist() == [6, 4, 1, 1, "not told apart"]
    assert found.loc["Q", counts].tolist() == [2, 0, 2, 0, "too few seeds"]
    assert found.loc["R", counts].tolist() == [1, 0, 0, 1, "too few seeds"]
    # At least 4 of 5 fair coins, on either side: 2 (5 + 1) / 32.
    assert found["p_value"].tolist() == pytest.approx([12 / 32, 0.5, 1.0])
    assert found.loc["P", ["weights_median_exact", "weights_median_regularised"]].tolist() == [8.0, 3.0]
    assert math.isnan(found.loc["Q", "weights_median_exact"])
    assert math.isnan(found.loc["P", "decades_largest_exact"])


def test_without_the_pair_there_are_no_rows() -> None:
    assert len(upgrad_against_regularised(pd.DataFrame(rows("P", EXACT, [1.0])))) == 0
