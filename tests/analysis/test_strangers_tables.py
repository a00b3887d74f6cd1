"""A metric and a table of a package that is not ours: one file and one entry point each, in pages and files."""

from pathlib import Path

import pandas as pd
import pytest

from jdbench.analysis import declared_metrics, declared_tables, read
from jdbench.errors import InputError
from jdbench.report import write_report
from support.report_stores import Page, read_pages, usual, words, write_store

METRIC = '''\
"""Steps a second."""

from jdbench.analysis import Column, Metric

PACE = Metric(
    Column("pace", "steps in a second", unit="steps a second", better="more", heading="Pace of a run"),
    lambda record: record.steps_taken / record.seconds if record.seconds else float("nan"),
)
LENGTH = Metric(Column("logged", "logged steps"), lambda record: len(record.curves.get("steps", ())))
'''

TABLE = '''\
"""The fastest aggregator of each problem."""

from jdbench.analysis import Column, Table
from jdbench.analysis.schema import AGGREGATOR, PROBLEM

PACE = Column("pace", "mean steps in a second", better="more", heading="Pace")


def fastest(results):
    means = results.table("selected").groupby(["problem", "aggregator"])["pace"].mean().reset_index()
    return means.sort_values("pace", ascending=False).groupby("problem").head(1).sort_values("problem")


FASTEST = Table("fastest", "Who runs fastest", (PROBLEM, AGGREGATOR, PACE), fastest, needs=("selected",))
'''

ENTRY_POINTS = """\
[jdbench.metrics]
logged = stranger_metric:LENGTH
pace = stranger_metric:PACE

[jdbench.tables]
fastest = stranger_table:FASTEST
"""


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], points: str) -> None:
    """Write a package to a folder on the path, with what pip would have written about it."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    facts = folder / "strangers-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(folder))


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install(tmp_path, monkeypatch, {"stranger_metric": METRIC, "stranger_table": TABLE}, ENTRY_POINTS)
    return write_report(write_store(tmp_path / "s.sqlite", usual()), tmp_path / "out").parent


def tooltips(page: Page) -> set[str]:
    return {value for tag, name, value in page.attributes if (tag, name) == ("th", "title")}


def test_both_come_with_the_pages_and_the_downloads(out: Path) -> None:
    for name in ("runs", "selected", "references"):
        table = pd.read_parquet(out / "data" / f"{name}.parquet")
        ended = table[table["state"] != "failed"]
        assert (ended["pace"] == 80).all()
        assert table[table["state"] == "failed"]["pace"].isna().all()
    runs = pd.read_parquet(out / "data" / "runs.parquet")
    assert set(runs["logged"]) == {0.0, 6.0}
    fastest = pd.read_csv(out / "data" / "fastest.csv")
    assert fastest["problem"].tolist() == ["CQF", "EWQ", "IWRM-digits"]
    assert fastest["pace"].dropna().tolist() == [80, 80]

    pages = read_pages(out)
    index = words(pages["index.html"])
    assert "Further tables Who runs fastest problem aggregator Pace CQF" in index
    assert "fastest: CSV, Parquet" in index
    assert "mean steps in a second; more is better" in tooltips(pages["index.html"])
    assert ("th", "data-better", "more") in pages["index.html"].attributes
    own = pages["problem-EWQ.html"]
    assert "Pace of a run" in words(own)
    assert "steps in a second, in steps a second; more is better" in tooltips(own)
    for tag, name, value in pages["index.html"].attributes:
        if (tag, name) == ("a", "href") and "fastest" in value:
            assert (out / value).is_file()


def test_without_strangers_there_are_no_further_tables(tmp_path: Path) -> None:
    out = write_report(write_store(tmp_path / "s.sqlite", usual()), tmp_path / "out").parent
    assert "Further tables" not in words(read_pages(out)["index.html"])


@pytest.mark.parametrize(
    ("points", "files", "message"),
    [
        (
            "[jdbench.metrics]\npace = gone:PACE\n",
            {},
            r"entry point pace of jdbench.metrics, required gone:PACE",
        ),
        (
            "[jdbench.metrics]\npace = wrong:PACE\n",
            {"wrong": "PACE = 3"},
            r"entry point pace of jdbench.metrics, required a jdbench.analysis.Metric, got int",
        ),
        (
            "[jdbench.tables]\nmine = wrong_table:MINE\n",
            {"wrong_table": "MINE = print"},
            r"required a jdbench.analysis.Table, got builtin_function_or_method",
        ),
        (
            "[jdbench.metrics]\narea = area_twice:AREA\n",
            {
                "area_twice": (
                    "from jdbench.analysis import Column, Metric\n"
                    "AREA = Metric(Column('area', 'x'), lambda r: 1.0)"
                )
            },
            r"metric=area, required a name of its own",
        ),
        (
            "[jdbench.metrics]\nedge = edge_twice:EDGE\n",
            {
                "edge_twice": (
                    "from jdbench.analysis import Column, Metric\n"
                    "EDGE = Metric(Column('at_edge', 'x'), lambda r: 1.0)"
                )
            },
            r"metric=at_edge, required a name of its own",
        ),
        (
            "[jdbench.metrics]\none = pace_twice:PACE\nother = pace_twice:PACE\n",
            {
                "pace_twice": (
                    "from jdbench.analysis import Column, Metric\n"
                    "PACE = Metric(Column('pace', 'x'), lambda r: 1.0)"
                )
            },
            r"metric=pace, required one of that name, got two",
        ),
        (
            "[jdbench.metrics]\nbad = bad_metric:BAD\n",
            {
                "bad_metric": (
                    "from jdbench.analysis import Column, Metric\n"
                    "BAD = Metric(Column('bad', 'x'), lambda r: {}['k'])"
                )
            },
            r"metric=bad, required a number, got KeyError: 'k' for Mean on CQF, seed 1",
        ),
        (
            "[jdbench.tables]\nbad = failing_table:BAD\n",
            {"failing_table": "BAD = 1 / 0"},
            r"entry point bad of jdbench\.tables, required failing_table:BAD, got ZeroDivisionError\('division",
        ),
        (
            "[jdbench.metrics]\nbad = no_python:BAD\n",
            {"no_python": "BAD = ("},
            r"entry point bad of jdbench\.metrics, required no_python:BAD, got SyntaxError\(",
        ),
        (
            "[jdbench.metrics]\nbad = exiting:BAD\n",
            {"exiting": "raise SystemExit(0)"},
            r"entry point bad of jdbench\.metrics, required exiting:BAD, got ProcessEndedError\('SystemExit",
        ),
        (
            "[jdbench.tables]\nbad = bad_table:BAD\n",
            {
                "bad_table": (
                    "from jdbench.analysis import Table\nBAD = Table('bad', 'x', (), lambda results: 1 / 0)"
                )
            },
            r"table=bad, required a frame, got ZeroDivisionError: division by zero",
        ),
        (
            "[jdbench.tables]\nruns = same_name:RUNS\n",
            {"same_name": "from jdbench.analysis import Table\nRUNS = Table('runs', 'x', (), print)"},
            r"table=runs, required one of that name, got two",
        ),
    ],
    ids=[
        "gone",
        "no metric",
        "no table",
        "indicator twice",
        "column of selected runs",
        "metric twice",
        "import fails",
        "no Python",
        "import exits",
        "metric raises",
        "table raises",
        "table twice",
    ],
)
def test_what_is_wrong_with_a_strangers_package_is_said(
    points: str, files: dict[str, str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, monkeypatch, files, points)
    store = write_store(tmp_path / "s.sqlite", usual())
    with pytest.raises(InputError, match=message):
        read(store).table("bad")


def test_ours_are_found_without_a_package_and_strangers_after_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = list(declared_tables())
    assert declared_metrics() == []
    install(tmp_path, monkeypatch, {"stranger_metric": METRIC, "stranger_table": TABLE}, ENTRY_POINTS)
    assert list(declared_tables()) == [*ours, "fastest"]
    assert [metric.column for metric in declared_metrics()] == ["logged", "pace"]
