"""All tables of real runs, and their files read back."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jdbench.analysis.tables import score_tables, write_tables
from jdbench.analysis.upgrad_variants import EXACT, REGULARISED
from jdbench.errors import InputError
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import failed, run_batch


@pytest.fixture(scope="module")
def records() -> Iterable[Record]:
    found = []
    for problem in ("EWQ", "CQF"):
        for aggregator in (EXACT, REGULARISED, "Mean"):
            spec = RunSpec(problem, aggregator, 0.1, 1, 60)
            found += run_batch([
                replace(spec, rate=rate, seed=seed) for rate in (0.1, 0.3, 90.0) for seed in (1, 2)
            ])
        found += run_batch([RunSpec(problem, EXACT, 0.3, 1, 60, trace=True)])
    found += run_batch([RunSpec("IWRM-digits", "Mean", 0.1, 1, 0)])
    return [*found, failed(RunSpec("nowhere:Problem", "Mean", 0.1, 1, 60), "ImportError: no")]


def test_every_table_has_its_rows(records: list[Record]) -> None:
    tables = score_tables(records)
    assert {name: len(table) for name, table in tables.items() if name != "profiles"} == {
        "indicators": len(records), "selected": 14, "outcomes": 8, "ranking": 6, "problem_ranks": 4,
        "profile_areas": 6, "rank_tests": 3, "end_point_sets": 6, "selected_judgement": 6,
        "reference_judgement": 2, "upgrad_against_regularised": 2,
    }  # fmt: skip
    # Only Mean ran on all problems; each family has its own ranking.
    sizes = tables["ranking"].groupby("family")["aggregator"].size()
    assert sizes["convex"] == 3
    assert sorted(sizes) == [1, 1, 1, 3]
    assert (tables["end_point_sets"]["ends"] == 2).all()
    outcomes = tables["outcomes"].set_index("problem")
    assert outcomes.loc["nowhere:Problem", ["runs", "finished", "diverged", "failed"]].tolist() == [1, 0, 0, 1]
    assert outcomes.loc["EWQ", "diverged"].tolist() == [2, 2, 2]


def test_files_hold_the_tables(records: list[Record], tmp_path: Path) -> None:
    tables = score_tables(records)
    files = write_tables(tables, tmp_path / "deep")
    assert [file.name for file in files[:2]] == ["indicators.csv", "indicators.parquet"]
    assert len(files) == 2 * len(tables)
    for name, table in tables.items():
        back = pd.read_parquet(tmp_path / "deep" / f"{name}.parquet")
        pd.testing.assert_frame_equal(back, table, check_dtype=False)
        text = pd.read_csv(tmp_path / "deep" / f"{name}.csv")
        assert text.columns.tolist() == table.columns.tolist()
        for column in table.select_dtypes("number"):
            assert np.array_equal(text[column], table[column].astype(np.float64), equal_nan=True)


def test_scoring_and_writing_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="records, required at least one"):
        score_tables([])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder="):
        write_tables({"a": pd.DataFrame({"x": [1]})}, tmp_path / "file")
