"""The compact report: two pages with the CSV of their tables, and nothing that leads to what is not there."""

import re
from pathlib import Path

import pandas as pd
import pytest

from jdbench.report import write_report
from jdbench.report.manifest import read_manifest
from support.report_stores import analytic, read_pages, usual, words, write_store


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compact")
    return write_report(write_store(folder / "s.sqlite", usual()), folder / "out", compact=True).parent


def test_there_are_two_pages_with_the_csv_of_their_tables(out: Path) -> None:
    assert {one.name for one in out.glob("*.html")} == {"index.html", "choose.html"}
    names = {one.name for one in (out / "data").iterdir()}
    assert {"ranking.csv", "choices.csv", "problem_results.csv", "profiles.csv", "outcomes.csv"} <= names
    assert all(name.endswith(".csv") for name in names)
    assert not {"curves.csv", "runs.csv", "selected.csv", "paths.csv"} & names
    assert set(pd.read_csv(out / "data" / "ranking.csv")["aggregator"]) >= {"Mean", "UPGrad"}
    listed = read_manifest(out)
    assert listed is not None
    assert {*listed.files} == {"index.html", "choose.html", *(f"data/{name}" for name in names)}


def test_no_page_leads_to_what_is_not_there(out: Path) -> None:
    pages = read_pages(out)
    for file, page in pages.items():
        links = {value for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
        local = {value.partition("#")[0] for value in links} - {""}
        assert local >= {"index.html", "choose.html"}
        assert not [value for value in local if not (out / value).is_file()], file
        assert "<a></a>" not in (out / file).read_text(encoding="utf-8")
    text = words(pages["index.html"])
    assert "This is the compact report" in text
    assert not re.search(r"has its page|Parquet", text)
    assert "jdbench report --compact --store results/quick.sqlite" in text
    assert "EWQ" in text  # the table of problems is there, without its links


def test_a_whole_report_in_its_place_and_back(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s.sqlite", [analytic("Mean"), analytic("UPGrad")])

    def written(*, compact: bool) -> set[str]:
        folder = write_report(store, tmp_path / "out", compact=compact).parent
        return {one.relative_to(folder).as_posix() for one in folder.rglob("*.*")}

    first = written(compact=True)
    assert written(compact=False) > first | {"problem-EWQ.html", "data/ranking.parquet"}
    assert written(compact=True) == first
