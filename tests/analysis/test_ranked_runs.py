"""Problems whose starts are at the target already: left out of what compares, shown on pages of their own."""

import math
from pathlib import Path

import pandas as pd
import pytest

from jdbench.analysis import results_of
from jdbench.analysis.outcomes import left_out
from jdbench.analysis.run_table import ranked_runs
from jdbench.report import write_report
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batch
from support.report_stores import analytic, read_pages, words, write_store


def runs(starts: dict[tuple[str, str, int], float]) -> pd.DataFrame:
    """Return runs with these criteria at the start, by problem, aggregator and seed."""
    return pd.DataFrame([
        {"problem": p, "aggregator": a, "seed": s, "start": start} for (p, a, s), start in starts.items()
    ])


def test_runs_from_optimal_starts_are_left_out_for_all_aggregators_alike() -> None:
    frame = runs({
        ("P", "A", 1): 0.0, ("P", "B", 1): 0.0, ("P", "A", 2): 0.5, ("P", "B", 2): 0.5,
        ("Q", "A", 1): 0.0, ("Q", "B", 1): math.nan,
        ("R", "A", 1): math.nan, ("R", "B", 1): 2.0, ("R", "A", 2): math.nan, ("R", "B", 2): math.nan,
    })  # fmt: skip
    kept = ranked_runs(frame)
    assert set(zip(kept["problem"], kept["seed"], strict=True)) == {("P", 2), ("R", 1), ("R", 2)}
    assert len(kept) == 6
    assert left_out(frame).to_numpy().tolist() == [["P", 1, 2], ["Q", 1, 1]]
    assert len(left_out(kept)) == 0


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [
        record
        for problem in ("ZeroSum", "RegularisedGame", "EWQ")
        for name in ("UPGrad", "RGW", "Mean")
        for record in [
            *run_batch([RunSpec(problem, name, rate, seed, 40) for rate in (0.1, 0.2) for seed in (1, 2)]),
            *run_batch([RunSpec(problem, name, 0.5, seed, 40, trace=True) for seed in (1, 2)]),
        ]
    ]


def test_the_zero_sum_game_ranks_nobody_and_weighs_nothing(records: list[Record]) -> None:
    results = results_of(records)
    without = results_of([record for record in records if record.spec.problem != "ZeroSum"])
    assert set(results.table("selected")["problem"]) == {"ZeroSum", "RegularisedGame", "EWQ"}
    for name in ("ranking", "problem_ranks", "profiles", "profile_areas", "rank_tests"):
        own, others = results.table(name), without.table(name)
        # The norms of weights stand beside ranks whether or not a problem is ranked.
        names = [column for column in own if not column.startswith("weights_")]
        pd.testing.assert_frame_equal(own[names], others[names])


def test_pages_say_what_is_left_out_and_who_rests(records: list[Record], tmp_path: Path) -> None:
    out = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out").parent
    pages = {name: words(page) for name, page in read_pages(out).items()}
    for name in ("index.html", "family-adversarial.html"):
        assert "Left out of rankings, choices and performance profiles: all 2 starts of ZeroSum." in pages[name]
        assert "nobody: starts are optimal" in pages[name]
    own = pages["problem-ZeroSum.html"]
    assert "All 2 starts are optimal already: the distance there is 0." in own
    # Equal weights on opposed gradients cancel as well; random ones do not.
    assert "With a path of length 0 rest: Mean, UPGrad. These move, by a path of up to: RGW" in own
    assert "left out" not in pages["problem-RegularisedGame.html"]
    assert "Left out" not in pages["family-convex.html"]
    ranks = pd.read_csv(out / "data" / "problem_results.csv").set_index("problem")["rank"]
    assert ranks.loc["ZeroSum"].isna().all()
    assert ranks.loc["EWQ"].notna().all()
    counted = pd.read_csv(out / "data" / "choices.csv").set_index("situation")["problems"]
    assert set(counted.loc["adversarial problems"]) == {1}


def test_a_report_of_nothing_but_optimal_starts_is_written(tmp_path: Path) -> None:
    found = [analytic(name, "ZeroSum", start=0.0, area=0.0, final=0.0) for name in ("Mean", "UPGrad")]
    out = write_report(write_store(tmp_path / "s.sqlite", found), tmp_path / "out").parent
    pages = {name: words(page) for name, page in read_pages(out).items()}
    assert "There is nothing to rank." in pages["family-adversarial.html"]
    assert "There is nothing to rank." in pages["index.html"]
    assert "profiles: 1 of 1 starts of ZeroSum." in pages["index.html"]
