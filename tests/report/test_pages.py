"""The report's pages: whole, offline, escaped, the same every time, whatever the store holds."""

import importlib
import re
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import jdbench.report
from jdbench.errors import InputError, MissingExtraError, StoreError
from jdbench.report import site, write_report
from jdbench.runs.record import Record
from support.report_stores import (
    AGGREGATORS,
    ODD,
    STEPS,
    analytic,
    failure,
    read_pages,
    training,
    usual,
    words,
    write_store,
)

pytestmark = pytest.mark.filterwarnings("error")

PAGES = {
    "index.html",
    "choose.html",
    "problem-EWQ.html",
    "problem-CQF.html",
    "problem-IWRM-digits.html",
    "family-convex.html",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "runs.sqlite", usual())


@pytest.fixture(scope="module")
def out(store: Path) -> Path:
    page = write_report(store, store.parent / "out")
    assert page == store.parent / "out" / "index.html"
    return page.parent


def test_each_family_and_problem_has_a_page(out: Path) -> None:
    pages = read_pages(out)
    assert set(pages) > PAGES
    assert len(pages) == len(PAGES) + 1  # the digits' family
    for name in (*AGGREGATORS, ODD, "EWQ", "CQF", "IWRM-digits"):
        assert name in words(pages["index.html"])


def test_pages_refer_to_nothing_outside_their_folder(out: Path) -> None:
    for file, page in read_pages(out).items():
        for tag, name, value in page.attributes:
            if name.startswith("xmlns"):
                continue
            assert not re.match(r"(https?:)?//", value), (file, tag, name, value)
            if name in {"href", "src", "xlink:href"} and not value.startswith(("#", "data:")):
                assert (out / value.partition("#")[0]).is_file(), (file, value)
        assert not re.search(r"@import|url\((?!#)", (out / file).read_text(encoding="utf-8"))


def test_ids_are_unique_and_references_resolve(out: Path) -> None:
    pages = read_pages(out)
    ids = {file: [value for _, name, value in page.attributes if name == "id"] for file, page in pages.items()}
    for file, page in pages.items():
        assert len(ids[file]) == len(set(ids[file])), file
        for _, name, value in page.attributes:
            for target in re.findall(r"url\(#([^)]+)\)", value):
                assert target in ids[file]
            if name.endswith("href") and "#" in value:
                where, _, target = value.partition("#")
                assert target in ids[where or file], (file, value)


def test_figures_are_well_formed(out: Path) -> None:
    figures = {
        "index.html": {"ranking-figure", "profiles", "dual-cone"},
        "problem-EWQ.html": {
            f"{name}-EWQ" for name in ("curves", "reaching", "parameters", "objectives", "decades")
        },
        "problem-IWRM-digits.html": {
            f"{name}-IWRM-digits" for name in ("curves", "cosine", "decades", "weights")
        },
        "family-convex.html": {"profiles"},
    }
    for file, expected in figures.items():
        html = (out / file).read_text(encoding="utf-8")
        found = re.findall(
            r'<div class="drawing"[^>]*>(<svg.*?</svg>)</div>.*?data-file="([^"]+)\.svg"', html, re.S
        )
        assert expected <= {name for _, name in found}, file
        for text, _ in found:
            assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert "Matplotlib" not in html


def test_curves_carry_the_classes_that_the_legend_uses(out: Path) -> None:
    page = read_pages(out)["problem-EWQ.html"]
    entries = [value for _, name, value in page.attributes if name == "data-agg"]
    assert len(entries) == len(AGGREGATORS) + 1
    classes = [value.split() for _, name, value in page.attributes if name == "class"]
    for entry in entries:
        assert sum(f"agg-{entry}" in names for names in classes) > 4


def test_names_and_errors_are_escaped(out: Path) -> None:
    for file in out.glob("*.html"):
        html = file.read_text(encoding="utf-8")
        assert "<b>$x$" not in html
        assert "<script>alert" not in html
        assert "<none>" not in html
    for file in ("index.html", "problem-CQF.html"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in (out / file).read_text(encoding="utf-8")


def test_two_reports_are_identical_in_one_process_or_many(
    store: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "IN_PROCESS", 0)
    again = write_report(store, store.parent / "again", workers=2).parent
    names = sorted(file.relative_to(out) for file in out.rglob("*.*"))
    assert names == sorted(file.relative_to(again) for file in again.rglob("*.*"))
    for name in names:
        assert (out / name).read_bytes() == (again / name).read_bytes(), name


def zero_distance() -> Record:
    record = analytic("Mean", trace=True)
    curves = {**record.curves, "distance": np.zeros(len(STEPS)), "f": np.zeros((len(STEPS), 2))}
    return Record(record.spec, "finished", 8, 0.1, {**record.indicators, "start": 0.0, "final": 0.0}, curves)


CASES = {
    "one run": [analytic("Mean")],
    "one run of training": [training("UPGrad")],
    "only reference runs": [analytic("Mean", trace=True), analytic("MGDA", seed=2, trace=True)],
    "only diverged": [analytic("Mean", state="diverged"), analytic("Mean", state="diverged", trace=True)],
    "only failed": [
        failure("Mean"),
        failure("Mean", trace=True),
        failure("MGDA", "IWRM-digits", "€ \x1b[0m \x00 ]]> -->"),
    ],
    "aggregators miss problems": [
        analytic("Mean"),
        training("UPGrad"),
        analytic("UPGrad", problem="CQF", trace=True),
    ],
    "no seed in common": [analytic("Mean", seed=1), analytic("UPGrad", seed=2)],
    "zero distances": [zero_distance(), analytic("Mean", halving=200.0), analytic("MGDA", halving=0.0)],
    "unknown problem": [
        analytic("Mean", problem="gone:P(a='<i>\x01')"),
        analytic("Mean", problem="gone:P(a='<i>\x01')", trace=True),
    ],
    "odd names": [
        analytic(name, trace=trace)
        for name in (ODD, "m:Über日本_(d='/../x')", "_a:B", "a:B", "a:B(c=1)", "a:B(c=2)", "m:" + "Long" * 30)
        for trace in (True, False)
    ],
}


@pytest.mark.parametrize("records", CASES.values(), ids=CASES)
def test_any_store_gives_pages(records: list[Record], tmp_path: Path) -> None:
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out")
    text = "".join("".join(one.text) for one in read_pages(page.parent).values())
    for record in records:
        assert record.spec.aggregator in text
        assert record.spec.problem in text
    assert {file.parent for file in page.parent.rglob("*.*")} == {page.parent, page.parent / "data"}


def test_page_says_who_is_not_ranked(tmp_path: Path) -> None:
    records = [analytic("Mean"), training("Mean"), analytic("UPGrad")]
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out")
    assert "Not ranked: UPGrad (no selected run on IWRM-digits)." in words(
        read_pages(page.parent)["index.html"]
    )


def test_empty_store_is_an_error(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.sqlite", [])
    with pytest.raises(StoreError, match=r"store=.*, required at least one record, got none, run"):
        write_report(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unwritable_folder_is_an_error(tmp_path: Path) -> None:
    path = write_store(tmp_path / "s.sqlite", [failure("Mean")])
    with pytest.raises(InputError, match=r"out=.*, required a folder .*, got .*, choose another"):
        write_report(path, path)


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("jdbench.report.", package))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r'pip install "jdbench\[report\]"'):
        importlib.reload(jdbench.report)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium, which is not installed")
@pytest.mark.parametrize("file", sorted(PAGES - {"problem-CQF.html"}))
def test_pages_run_in_a_browser_without_errors(file: str, out: Path, tmp_path: Path) -> None:
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom"
    )
    done = subprocess.run(
        ["chromium", *flags.split(), f"--user-data-dir={tmp_path}", (out / file).as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert 'data-ready="true"' in done.stdout
    assert "CONSOLE" not in done.stderr
