"""Which aggregator to use: ranks and intervals computed by hand, rules that the data decide."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from jdbench.analysis import Results, read
from jdbench.analysis.choices import behind
from jdbench.analysis.seed_ranks import Criterion, seed_ranks
from jdbench.problem import Measure
from jdbench.report import write_report
from jdbench.runs.record import Record
from jdbench.verification.summary import Verdicts
from jdbench.verification.verdict_files import write_verdict_file
from support.report_stores import analytic, read_pages, training, words, write_store
from support.verdicts import verdict

PROPERTIES = ("non-conflicting", "linear-under-scaling", "weighted")


def loaded(tmp_path: Path, records: list[Record], verdicts: Verdicts | None = None) -> Results:
    return read(write_store(tmp_path / "s.sqlite", records), verdicts or Verdicts())


def standing(found: Results, situation: str) -> pd.DataFrame:
    table = found.table("choices")
    return table[table["situation"] == situation].set_index("aggregator")


def test_ranks_are_means_over_measures_and_what_is_missing_is_last() -> None:
    runs = pd.DataFrame({
        "aggregator": ["a", "b", "c"] * 2,
        "seed": [1, 1, 1, 2, 2, 2],
        "rate": 0.1,
        "state": ["finished", "finished", "finished", "finished", "finished", "diverged"],
        "accuracy": [0.9, 0.8, 0.7, 0.5, np.nan, 0.9],
        "error": [1.0, 1.0, 2.0, 3.0, 2.0, 1.0],
    })
    ranks = seed_ranks(runs, [Criterion("accuracy", True), Criterion("error", False)])
    # Seed 1: by accuracy 1 2 3, by error 1.5 1.5 3. Seed 2: by accuracy 1 2.5 2.5, by error 2 1 3.
    np.testing.assert_allclose(ranks.to_numpy(), [[1.25, 1.75, 3.0], [1.5, 1.75, 2.75]])


def test_seeds_that_not_all_have_run_do_not_count() -> None:
    runs = pd.DataFrame({
        "aggregator": ["a", "b", "a"],
        "seed": [1, 1, 2],
        "rate": 0.1,
        "state": "finished",
        "score": [2.0, 1.0, 0.0],
    })
    ranks = seed_ranks(runs)
    assert list(ranks.index) == [1]
    np.testing.assert_allclose(ranks.to_numpy(), [[2.0, 1.0]])


def test_the_interval_of_a_constant_difference_is_that_difference() -> None:
    low, high = behind([np.array([[1.0, 2.0, 3.0]] * 4), np.array([[1.0, 2.0, 3.0]] * 2)], 0)
    np.testing.assert_allclose(low, [0, 1, 2])
    np.testing.assert_allclose(high, [0, 1, 2])


def test_the_interval_spans_the_problems() -> None:
    # One problem with a gap of 1, one of -0.5: the mean of two draws is 1, 0.25 or -0.5, by 1/4, 1/2 and 1/4.
    low, high = behind([np.array([[1.0, 2.0]]), np.array([[1.5, 1.0]])], 0)
    assert (low[1], high[1]) == (-0.5, 1.0)


def test_the_best_and_those_who_tie_with_it_are_chosen(tmp_path: Path) -> None:
    records = [
        analytic(name, problem, seed=seed, halving=halving)
        for name, halving in (("UPGrad", 2.0), ("PCGrad", 2.0), ("Mean", 0.5))
        for problem in ("EWQ", "CQF")
        for seed in (1, 2, 3)
    ]
    table = standing(loaded(tmp_path, records), "anything")
    assert table["close"].to_dict() == {"PCGrad": True, "UPGrad": True, "Mean": False}
    assert table["mean_rank"].to_dict() == {"PCGrad": 1.5, "UPGrad": 1.5, "Mean": 3.0}
    assert table["behind"].to_dict() == {"PCGrad": 0.0, "UPGrad": 0.0, "Mean": 1.5}
    assert set(table["problems"]) == {2}


def test_an_advantage_on_some_problems_only_does_not_tell_apart(tmp_path: Path) -> None:
    records = [
        analytic(name, problem, seed=seed, halving=halving)
        for name, problem, halving in (
            ("UPGrad", "EWQ", 2.0),
            ("UPGrad", "CQF", 1.0),
            ("Mean", "EWQ", 1.0),
            ("Mean", "CQF", 2.0),
        )
        for seed in (1, 2, 3)
    ]
    found = loaded(tmp_path, records)
    assert standing(found, "anything")["close"].all()


def test_only_those_without_a_refutation_qualify_where_nothing_may_conflict(tmp_path: Path) -> None:
    records = [analytic(name, halving=h) for name, h in (("Mean", 3.0), ("UPGrad", 2.0), ("MGDA", 1.0))]
    outcomes = {(name, p): "survived" for name in ("UPGrad", "MGDA", "Unrun") for p in PROPERTIES}
    outcomes |= {("Mean", PROPERTIES[0]): "refuted", ("MGDA", PROPERTIES[1]): "broken"}
    found = loaded(tmp_path, records, Verdicts(outcomes))
    assert list(standing(found, "no update may conflict with a gradient").index) == ["UPGrad", "MGDA"]
    assert list(standing(found, "all three properties of [JD] Table 1").index) == ["UPGrad"]
    assert standing(found, "anything").index[0] == "Mean"


def test_held_out_measures_rank_by_their_own_direction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"Mean": (0.3, 0.9), "UPGrad": (0.1, 0.5)}
    records = [
        training(name, seed=seed, rate=rate, **{"held_out: accuracy": accuracy, "delta_m": -accuracy})
        for name, (rate, accuracy) in {**names, "MGDA": (0.2, 0.7)}.items()
        for seed in (1, 2)
    ]
    found = loaded(tmp_path, records)
    (entry,) = found.problems
    monkeypatch.setattr(entry.problem, "measures", (Measure("accuracy", True),), raising=False)
    table = standing(found, "held-out results matter")
    assert list(table.index) == ["Mean", "MGDA", "UPGrad"]
    assert list(table["mean_rank"]) == [1, 2, 3]
    assert list(standing(found, "no task may pay for the others").index) == ["Mean", "MGDA", "UPGrad"]


def test_the_page_gives_rule_answer_and_marks(tmp_path: Path) -> None:
    records = [
        analytic(name, halving=h, seed=s) for name, h in (("Mean", 3.0), ("UPGrad", 1.0)) for s in (1, 2)
    ]
    verdicts = [
        verdict("Mean", outcome="refuted"),
        verdict("Mean", outcome="survived", dtype=torch.float32),
        verdict("UPGrad", outcome="survived"),
    ]
    file = tmp_path / "v.json"
    write_verdict_file(verdicts, file)
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out", verdicts=file)
    text = words(read_pages(page.parent)["choose.html"])
    assert (
        "Anything Rule. All problems, by score. 1 problem counts. Answer. Mean, and no other comes close."
        in text
    )
    assert "No update may conflict with a gradient Rule." in text
    assert "of non-conflict: UPGrad." in text
    index = words(read_pages(page.parent)["index.html"])
    assert "1 Mean ✗ – – 1.00" in index
    assert "2 UPGrad ✓ – – 2.00" in index


def test_without_verdicts_the_page_says_so(tmp_path: Path) -> None:
    page = write_report(write_store(tmp_path / "s.sqlite", [analytic("Mean")]), tmp_path / "out")
    pages = read_pages(page.parent)
    assert "No verdicts on the aggregators' properties were given" in words(pages["index.html"])
    assert "no verdicts on properties were given" in words(pages["choose.html"])
