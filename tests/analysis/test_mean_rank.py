"""The mean rank over tasks beside Δm%, computed by hand."""

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from jdbench.analysis.reading import read
from jdbench.analysis.results import Results
from jdbench.analysis.schema import TASK_RANK
from jdbench.problem import Measure
from jdbench.report.figures.palette import styles
from jdbench.report.tables.problems import held_out_table
from jdbench.runs.record import Record
from support.report_stores import training, write_store

HITS, MISSES = Measure("hits", larger_is_better=True), Measure("misses", larger_is_better=False)


def loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, records: list[Record], measures: Sequence[Measure]
) -> Results:
    found = read(write_store(tmp_path / "s.sqlite", records))
    monkeypatch.setattr(found.problems[0].problem, "measures", tuple(measures), raising=False)
    return found


def run(name: str, seed: int, hits: float, misses: float) -> Record:
    return training(name, seed=seed, **{"held_out: hits": hits, "held_out: misses": misses, "delta_m": 1.0})


RUNS = [
    # Ranks by hits 1 2 3, by misses 2.5 2.5 1.
    run("Mean", 1, 0.9, 0.5),
    run("MGDA", 1, 0.8, 0.5),
    run("UPGrad", 1, 0.7, 0.1),
    # By hits 1.5 1.5 3, by misses 3 2 1.
    run("Mean", 2, 0.6, 0.9),
    run("MGDA", 2, 0.6, 0.4),
    run("UPGrad", 2, 0.2, 0.3),
    # Not all have run the third seed.
    run("Mean", 3, 0.0, 1.0),
]


def test_mean_rank_averages_ranks_over_measures_then_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = loaded(tmp_path, monkeypatch, RUNS, (HITS, MISSES)).table("held_out")
    ranks = table[table["measure"] == TASK_RANK].set_index("aggregator")
    by_seed = {"Mean": (1.75, 2.25), "MGDA": (2.25, 1.75), "UPGrad": (2.0, 2.0)}
    assert ranks["mean"].to_dict() == {name: (a + b) / 2 for name, (a, b) in by_seed.items()}
    # √(((a - b)/2)² · 2 / 1) / √2 = |a - b| / 2
    assert ranks["sem"].to_dict() == pytest.approx({name: abs(a - b) / 2 for name, (a, b) in by_seed.items()})
    assert (ranks["runs"] == 2).all()
    assert not ranks["larger_is_better"].any()


def test_it_stands_after_the_change_against_single_tasks_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = loaded(tmp_path, monkeypatch, RUNS, (HITS, MISSES))
    table = held_out_table(found, found.problems[0], styles(found.aggregators))
    assert table is not None
    assert [heading.text for heading in table.headings[-2:]] == ["Δm %", "MR"]
    assert "less is better" in table.headings[-1].note
    assert [row[-1].text for row in table.rows] == ["2.00 ± 0.25", "2.00 ± 0.25", "2 ± 0"]


def test_a_run_that_did_not_finish_ranks_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = run("UPGrad", 1, 1.0, 0.0)
    lost = Record(lost.spec, "diverged", 3, 0.1, {**lost.indicators, "area": math.inf}, lost.curves)
    records = [run("Mean", 1, 0.9, 0.5), run("MGDA", 1, 0.8, 0.4), lost]
    table = loaded(tmp_path, monkeypatch, records, (HITS, MISSES)).table("held_out")
    ranks = table[table["measure"] == TASK_RANK].set_index("aggregator")["mean"]
    assert ranks.to_dict() == {"MGDA": 1.5, "Mean": 1.5, "UPGrad": 3.0}


def test_one_measure_has_no_mean_over_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = loaded(tmp_path, monkeypatch, RUNS, (HITS,)).table("held_out")
    assert isinstance(table, pd.DataFrame)
    assert len(table)
    assert TASK_RANK not in set(table["measure"])
