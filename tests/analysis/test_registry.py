"""The registry of tables: each is made once, when asked for, after its needs, and is what it declares."""

import pickle
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jdbench.analysis import Column, Results, Table, declared_tables, results_of
from jdbench.analysis.schema import AGGREGATOR, PROBLEM, SCORE
from jdbench.analysis.table_files import write_tables
from jdbench.analysis.tables import in_order_of_needs
from jdbench.analysis.upgrad_variants import EXACT, REGULARISED
from jdbench.errors import InputError, UnknownNameError
from jdbench.report import write_report
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import failed, run_batch
from jdbench.runs.store import Store
from support.report_stores import usual, write_store


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
    results = results_of(records)
    rows = {
        "indicators": len(records), "selected": 14, "references": 2, "runs": len(records), "outcomes": 8,
        "outcome_totals": 3, "errors": 1, "ranking": 6, "problem_ranks": 4, "seed_ranks": 14,
        "profile_areas": 6, "rank_tests": 3, "friedman_tests": 1, "along": 7, "problem_results": 8,
        "end_point_sets": 6, "selected_judgement": 6, "reference_judgement": 2,
        "upgrad_against_regularised": 2, "traits": 4,
    }  # fmt: skip
    assert {name: len(results.table(name)) for name in rows} == rows
    # Only Mean ran on all problems; each family has its own ranking.
    sizes = results.table("ranking").groupby("family")["aggregator"].size()
    assert sizes["convex"] == 3
    assert sorted(sizes) == [1, 1, 1, 3]
    assert (results.table("end_point_sets")["ends"] == 2).all()
    outcomes = results.table("outcomes").set_index("problem")
    assert outcomes.loc["nowhere:Problem", ["runs", "finished", "diverged", "failed"]].tolist() == [1, 0, 0, 1]
    assert outcomes.loc["EWQ", "diverged"].tolist() == [2, 2, 2]


def test_every_column_of_every_table_says_what_it_means(records: list[Record]) -> None:
    results = results_of(records)
    for name, table in declared_tables().items():
        assert table.caption
        for column in results.table(name).columns:
            assert type(column) is str
            assert table.column(column).note, (name, column)
            assert table.column(column) == column


def test_files_hold_the_tables(records: list[Record], tmp_path: Path) -> None:
    results = results_of(records)
    tables = {name: results.table(name) for name in ("ranking", "selected", "profiles")}
    files = write_tables(tables, tmp_path / "deep")
    assert [file.name for file in files[:2]] == ["ranking.csv", "ranking.parquet"]
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
        results_of([])
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="folder="):
        write_tables({"a": pd.DataFrame({"x": [1]})}, tmp_path / "file")


VALUE = Column("value", "a value", better="less")


def counting(name: str, needs: Sequence[str], made: list[str], *asked: str) -> Table:
    """A table that notes when it is made, and asks for the tables that it needs, or for others."""

    def make(results: Results) -> pd.DataFrame:
        for one in asked or needs:
            results.table(one)
        made.append(name)
        return pd.DataFrame({VALUE: [len(made)]})

    return Table(name, name, (VALUE,), make, needs=needs)


def with_tables(*tables: Table) -> Results:
    return replace(results_of(usual()), declared=in_order_of_needs(tables))


def test_a_table_is_made_once_when_asked_for_and_after_its_needs() -> None:
    made: list[str] = []
    needs = {"top": ("left", "right"), "left": ("ground",), "right": ("ground",), "ground": (), "aside": ()}
    results = with_tables(*(counting(name, below, made) for name, below in needs.items()))
    assert made == []
    assert results.table("top")["value"].tolist() == [4]
    assert made == ["ground", "left", "right", "top"]
    assert results.table("right") is results.table("right")
    assert made == ["ground", "left", "right", "top"]
    assert list(results.declared) == ["ground", "left", "right", "top", "aside"]


def test_needs_that_cannot_be_met_are_named() -> None:
    made: list[str] = []
    with pytest.raises(InputError, match=r"needs of table=a, required .* got a → b → c → a, break"):
        with_tables(*(counting(name, (need,), made) for name, need in ("ab", "bc", "ca")))
    with pytest.raises(InputError, match=r"needs of table=a, required tables that are declared, got gone,"):
        with_tables(counting("a", ("gone",), made))
    with pytest.raises(InputError, match=r"table=a, required one of that name, got two"):
        with_tables(counting("a", (), made), counting("a", (), made))
    secretive = with_tables(counting("a", (), made), counting("b", (), made, "a"))
    with pytest.raises(InputError, match=r"table=b, required to ask for .* got a, add it"):
        secretive.table("b")
    with pytest.raises(UnknownNameError, match="did you mean secret"):
        with_tables(counting("secret", (), made)).table("secrets")


def test_a_table_that_is_not_what_it_declares_is_named() -> None:
    def make(results: Results) -> pd.DataFrame:
        return results.table("selected").filter(items=[PROBLEM, AGGREGATOR, SCORE])

    few = Table("few", "", (PROBLEM, AGGREGATOR), make, needs=("selected",))
    many = Table("many", "", (PROBLEM, AGGREGATOR, SCORE, VALUE), make, needs=("selected",))
    open_ended = Table("open", "", (PROBLEM,), make, needs=("selected",), rest=SCORE)
    own = replace(results_of(usual()), declared={one.name: one for one in (few, many, open_ended)})
    for name in ("few", "many"):
        with pytest.raises(
            InputError, match=rf"table={name}, required the columns .*, got problem, aggregator"
        ):
            own.table(name)
    assert own.table("open").columns.tolist() == ["problem", "aggregator", "score"]
    with pytest.raises(InputError, match=r"table='a b', required a name of letters"):
        Table("a b", "", (), make)
    with pytest.raises(InputError, match=r"table=a, required different columns, got problem twice"):
        Table("a", "", (PROBLEM, PROBLEM), make)


def test_a_column_is_its_name_and_keeps_what_it_means() -> None:
    back = pickle.loads(pickle.dumps(VALUE))
    assert back == VALUE == "value"
    assert (back.note, back.heading) == ("a value; less is better", "value")
    assert pd.DataFrame({"value": [1]})[VALUE].tolist() == [1]


def test_a_report_reads_its_store_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bool] = []
    records = Store.records

    def counted(store: Store, **options: bool) -> Iterable[Record]:
        read.append(True)
        return records(store, **options)

    monkeypatch.setattr(Store, "records", counted)
    write_report(write_store(tmp_path / "s.sqlite", usual()), tmp_path / "out")
    assert read == [True]
