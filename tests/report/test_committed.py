"""What is committed: `reports/` is small, whole and leads nowhere that is not there; nor does the README."""

import re
from pathlib import Path

import pytest

from jdbench.report.manifest import read_manifest
from support.report_stores import Page

ROOT = Path(__file__).parents[2]
REPORTS = ROOT / "reports"
PAGES = sorted(REPORTS.rglob("*.html"))

LARGEST = 6_000_000
"""Bytes of `reports/`, so that a clone stays small."""


def test_the_compact_leaderboard_verification_and_kernels_are_there_and_small() -> None:
    names = {page.relative_to(REPORTS).as_posix() for page in PAGES}
    assert names == {"index.html", "choose.html", "verification/index.html", "kernels/index.html"}
    assert sum(file.stat().st_size for file in REPORTS.rglob("*") if file.is_file()) <= LARGEST


def test_its_list_names_what_make_reports_wrote() -> None:
    listed = read_manifest(REPORTS)
    assert listed is not None
    assert listed.store == "../results/quick.sqlite"
    assert not listed.unfinished
    assert {"index.html", "choose.html", "data/ranking.csv"} <= {*listed.files}
    own = {f"data/{file.name}" for file in (REPORTS / "data").iterdir()} | {"index.html", "choose.html"}
    assert {*listed.files} == own


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(REPORTS).as_posix())
def test_a_committed_page_leads_to_what_is_there(page: Path) -> None:
    links = {value for _, name, value in Page(page.read_text(encoding="utf-8")).attributes if name == "href"}
    local = {link.partition("#")[0] for link in links if not re.match(r"(https?|data):", link)} - {""}
    assert [link for link in sorted(local) if not (page.parent / link).is_file()] == []


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md"])
def test_links_of_the_readme_lead_to_what_is_there(file: str) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)", (ROOT / file).read_text(encoding="utf-8"))
    assert [target for target in targets if not (ROOT / target).exists()] == []
