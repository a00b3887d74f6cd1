"""The report: one offline page, its figures and its tables, whatever the store holds."""

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch

import jdbench.report
from jdbench.errors import InputError, MissingExtraError, StoreError
from jdbench.leaderboard import problem_table, ranking
from jdbench.metrics import indicator_table, selected_runs
from jdbench.protocol import RunSpec
from jdbench.record import Record
from jdbench.report import bands, judgement, palette, results, rounding, tables, write_report
from jdbench.store import Store
from jdbench.verification.predicates import non_conflicting

pytestmark = pytest.mark.filterwarnings("error")

AGGREGATORS = ("Mean", "UPGrad", "UPGrad(trace_regularization=0.0001)")
ODD = "mymodule:Agg(c='<b>$x$&')"
STEPS = np.array([0.0, 1, 2, 3, 5, 8])
VOID = {"br", "wbr", "link", "meta", "hr", "img", "input"}


def analytic(
    aggregator: str,
    problem: str = "EWQ",
    seed: int = 1,
    rate: float = 0.1,
    state: str = "finished",
    trace: bool = False,
    halving: float = 1.0,
    **indicators: float,
) -> Record:
    """Return the record of a run that halves x in every step, ``halving`` times."""
    start = np.array([2.0, 1.0]) / seed
    x = start * 0.5 ** (halving * STEPS[:, None])
    f = x**2
    distance = np.linalg.norm(f, axis=1)
    finished = state == "finished"
    found = {
        "area": float(distance.mean()) if finished else np.inf,
        "start": float(distance[0]),
        "final": float(distance[-1]) if finished else np.inf,
        "steps_to_reach": np.inf,
        "worst_margin": 0.1,
        "stationarity": float(x.min()),
        **({"weights": 0.5} if trace else {}),
        **indicators,
    }
    curves = {"steps": STEPS, "distance": distance, **({"x": x, "f": f} if trace else {})}
    spec = RunSpec(problem, aggregator, rate, seed, 8, trace=trace)
    return Record(spec, state, 8, 0.1, found, curves)


def training(aggregator: str, problem: str = "IWRM-digits", seed: int = 1, rate: float = 0.1) -> Record:
    loss = 2.3 * np.exp(-rate * STEPS)
    found = {"area": float(loss.mean()), "start": 2.3, "final": float(loss[-1]), "worst_margin": -0.2}
    curves = {"steps": STEPS, "loss": loss, "cosine_steps": STEPS[:-1], "cosine": np.cos(STEPS[:-1])}
    return Record(RunSpec(problem, aggregator, rate, seed, 1), "finished", 8, 0.1, found, curves)


def failure(
    aggregator: str, problem: str = "EWQ", error: str = "ValueError: no", trace: bool = False
) -> Record:
    indicators = {"area": np.inf, "start": np.nan, "final": np.nan}
    return Record(RunSpec(problem, aggregator, 0.1, 1, 8, trace=trace), "failed", 0, 0.0, indicators, {}, error)


def write_store(path: Path, records: Iterable[Record]) -> Path:
    with Store(path, create=True) as store:
        store.stamp("quick")
        store.append(list(records), {"python": "3", "processor": "<none>"})
    return path


def usual() -> list[Record]:
    names = (*AGGREGATORS, ODD)
    return [
        *(
            analytic(name, seed=seed, rate=rate, halving=(i + 1) * rate)
            for i, name in enumerate(names)
            for seed in (1, 2)
            for rate in (0.1, 0.2)
        ),
        *(analytic(name, seed=seed, trace=True) for name in names for seed in (1, 2)),
        *(training(name, seed=seed, rate=rate) for name in names for seed in (1, 2, 3) for rate in (0.1, 0.2)),
        failure("Mean", "CQF", "RuntimeError: <script>alert(1)</script>"),
    ]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("store") / "runs.sqlite", usual())


@pytest.fixture(scope="module")
def out(store: Path) -> Path:
    page = write_report(store, store.parent / "out")
    assert page == store.parent / "out" / "index.html"
    return page.parent


class Page(HTMLParser):
    """The text, the attributes and the balance of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(folder: Path) -> Page:
    return Page((folder / "index.html").read_text(encoding="utf-8"))


def test_page_names_every_aggregator_and_problem(out: Path) -> None:
    text = "".join(read(out).text)
    for name in (*AGGREGATORS, ODD, "EWQ", "CQF", "IWRM-digits"):
        assert name in text


def test_page_refers_to_nothing_outside_its_folder(out: Path) -> None:
    page = read(out)
    for tag, name, value in page.attributes:
        if name.startswith("xmlns"):
            continue
        assert not re.match(r"(https?:)?//", value), (tag, name, value)
        if name in {"href", "src", "xlink:href"} and not value.startswith(("#", "data:")):
            assert (out / value).is_file(), value
    assert not re.search(r"@import|url\((?!#)", (out / "index.html").read_text(encoding="utf-8"))


def test_ids_are_unique_and_references_resolve(out: Path) -> None:
    page = read(out)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    targets = [value[1:] for _, name, value in page.attributes if name.endswith("href") and value[:1] == "#"]
    targets += [found for _, _, value in page.attributes for found in re.findall(r"url\(#([^)]+)\)", value)]
    assert targets
    assert set(targets) <= set(ids)


def test_figures_are_well_formed_and_embedded(out: Path) -> None:
    html = (out / "index.html").read_text(encoding="utf-8")
    files = sorted(out.glob("*.svg"))
    names = {file.stem for file in files}
    assert {"ranking", "curves-EWQ", "parameters-EWQ", "objectives-EWQ", "reaching-EWQ", "dual-cone"} <= names
    assert {"curves-IWRM-digits", "cosine-IWRM-digits"} <= names
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert ElementTree.fromstring(text).tag == "{http://www.w3.org/2000/svg}svg"
        assert text.partition("\n")[2].strip() in html
        assert "Matplotlib" not in text


def test_curves_carry_the_classes_that_the_legend_uses(out: Path) -> None:
    page = read(out)
    entries = [value for _, name, value in page.attributes if name == "data-agg"]
    assert len(entries) == len(AGGREGATORS) + 1
    classes = [value.split() for _, name, value in page.attributes if name == "class"]
    for entry in entries:
        assert sum(f"agg-{entry}" in names for names in classes) > 4


def test_variant_shares_the_colour_and_is_dashed() -> None:
    looks = palette.styles(AGGREGATORS)
    definition, variant = looks["UPGrad"], looks["UPGrad(trace_regularization=0.0001)"]
    assert definition.colour == variant.colour
    assert definition.dash == palette.SOLID != variant.dash
    assert variant.label == "UPGrad(ρ=0.0001)"


def test_csv_files_equal_the_tables(store: Path, out: Path) -> None:
    with Store(store) as opened:
        table = indicator_table(opened.records(curves=False))
    selected = selected_runs(table)
    pd.testing.assert_frame_equal(
        pd.read_csv(out / "indicators.csv").fillna({"error": ""}), table, check_dtype=False
    )
    for problem in ("EWQ", "IWRM-digits"):
        written = pd.read_csv(out / f"problem-{problem}.csv")
        pd.testing.assert_frame_equal(
            written.drop(columns="conflicting"), problem_table(selected, problem), check_dtype=False
        )
    written = pd.read_csv(out / "states.csv").set_index(["problem", "aggregator"])
    assert written.loc[("CQF", "Mean"), "failed"] == 1
    assert written["runs"].sum() == len(table)


def test_ranking_file_equals_the_ranking(tmp_path: Path) -> None:
    records = [record for record in usual() if record.spec.problem != "CQF" and not record.spec.trace]
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out")
    expected = ranking(selected_runs(indicator_table(records)))
    written = pd.read_csv(page.with_name("ranking.csv"), dtype={"position": str})
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)
    html = page.read_text(encoding="utf-8").partition('id="table-ranking"')[2].partition("</table>")[0]
    rows = re.findall(r'<tr><td data-key="[^"]+">([^<]+)</td>', html)
    assert rows == list(expected["position"])


def test_names_and_errors_are_escaped(out: Path) -> None:
    html = (out / "index.html").read_text(encoding="utf-8")
    assert "<b>$x$" not in html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<none>" not in html


def test_two_reports_are_identical(store: Path, out: Path, tmp_path: Path) -> None:
    write_report(store, tmp_path)
    names = sorted(file.name for file in out.iterdir())
    assert names == sorted(file.name for file in tmp_path.iterdir())
    for name in names:
        assert (out / name).read_bytes() == (tmp_path / name).read_bytes(), name


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
def test_any_store_gives_a_page(records: list[Record], tmp_path: Path) -> None:
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out")
    text = "".join(read(page.parent).text)
    for record in records:
        assert record.spec.aggregator in text
        assert record.spec.problem in text
    for file in page.parent.glob("*.svg"):
        ElementTree.fromstring(file.read_text(encoding="utf-8"))
    assert all(file.parent == page.parent for file in page.parent.rglob("*"))


def test_page_says_who_is_not_ranked(tmp_path: Path) -> None:
    records = [analytic("Mean"), training("Mean"), analytic("UPGrad")]
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out")
    text = " ".join("".join(read(page.parent).text).split())
    assert "Not ranked: UPGrad (no selected run on IWRM-digits)." in text


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


def judged(tmp_path: Path, records: list[Record]) -> pd.DataFrame:
    found = results.read(write_store(tmp_path / "s.sqlite", records))
    return judgement.judge(found, found.subjects[0]).set_index("aggregator")


def test_judgement_tells_where_runs_ended(tmp_path: Path) -> None:
    start = float(np.linalg.norm([4.0, 1.0]))
    ends = {
        judgement.ON_FRONT: analytic("Mean", trace=True, final=1e-6 * start, steps_to_reach=3.0),
        judgement.LEFT: analytic("RGW", trace=True, final=1e-2, steps_to_reach=3.0),
        judgement.STATIONARY: analytic("MGDA", trace=True, final=1.0, stationarity=1e-9),
        judgement.NOT_YET: analytic("CAGrad", trace=True, final=1.0, stationarity=1e-2),
        judgement.LOST: analytic("NashMTL", trace=True, state="diverged"),
    }
    table = judged(tmp_path, list(ends.values()))
    for end, record in ends.items():
        assert table.loc[record.spec.aggregator, "ended"] == f"1 {end}"
    assert table.loc["Mean", "steps"] == 3
    assert np.isinf(table.loc["MGDA", "steps"])
    assert list(table["reached"]) == [0, 0, 1, 0, 1]


def test_margins_within_rounding_are_no_conflicts(tmp_path: Path) -> None:
    tolerance = rounding.margin_tolerance((2, 2))
    table = judged(
        tmp_path,
        [
            analytic("Mean", trace=True, worst_margin=-2 * tolerance),
            analytic("UPGrad", trace=True, worst_margin=-0.9 * tolerance),
            analytic("NashMTL", trace=True, worst_margin=-2 * tolerance, weights=3.0),
        ],
    )
    assert list(table["conflicts"]) == [1, 0, 0]


def test_tolerance_covers_the_rounding_of_projections() -> None:
    generator = torch.Generator().manual_seed(1)
    J = torch.randn(20_000, 2, 2, dtype=torch.float64, generator=generator)
    # Removing from g₂ its component along g₁ leaves a margin of exactly 0, were it not for rounding.
    g, h = J.unbind(-2)
    share = (g * h).sum(-1, keepdim=True) / (g * g).sum(-1, keepdim=True)
    margins = non_conflicting(g.unsqueeze(-2), h - share * g)
    sizes = (h.norm(dim=-1) + share.abs().squeeze(-1) * g.norm(dim=-1)) / g.norm(dim=-1)
    assert (margins < 0).any()
    assert (margins >= -rounding.margin_tolerance((2, 2)) * sizes).all()
    assert rounding.margin_tolerance(None) > rounding.margin_tolerance((32, 4000))


def test_mean_band_is_the_standard_error_of_the_paper() -> None:
    values = np.array([[1.0, 2.0, 4.0], [1.0, 3.0, 5.0], [1.0, 7.0, 9.0]])
    steps = np.arange(3.0)
    band = bands.mean_band([{"s": steps, "v": row} for row in values], "s", "v")
    assert band is not None
    np.testing.assert_allclose(band.middle, values.mean(0))
    np.testing.assert_allclose(band.high - band.middle, values.std(0, ddof=1) / np.sqrt(3))
    np.testing.assert_allclose(band.low + band.high, 2 * band.middle)


def test_bands_use_the_steps_that_all_runs_share_and_are_finite_at() -> None:
    runs = [
        {"s": np.array([0.0, 1, 2, 3]), "v": np.array([2.0, 1, np.nan, 4])},
        {"s": np.array([0.0, 2, 3]), "v": np.array([4.0, 1, 8])},
        {"s": np.array([0.0]), "v": np.array([0.0])},
    ]
    band = bands.median_band(runs[:2], "s", "v")
    assert band is not None
    np.testing.assert_allclose(band.steps, [0, 3])
    np.testing.assert_allclose(band.middle, [1, 2])
    assert bands.median_band(runs[2:], "s", "v") is None
    assert bands.mean_band([], "s", "v") is None


def test_slugs_differ_for_different_names() -> None:
    names = ["a:B", "a-B", "a.B", "a:B(c=1)", "a:B(c=-1)", "日本", "本日", "::", *AGGREGATORS]
    slugs = [palette.slug(name) for name in names]
    assert len(set(slugs)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", slug) for slug in slugs)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.2770, 0.0126, "0.277 ± 0.013"),
        (0.0016667, 7.7e-20, "0.00167 ± 0"),
        (7.43e-9, 7.40e-9, "(7.4 ± 7.4)e-09"),
        (0.0, 0.0, "0 ± 0"),
        (1.5, np.nan, "1.5"),
        (np.inf, np.nan, "∞"),
        (np.nan, np.nan, tables.MISSING),
    ],
)
def test_measures_show_the_digits_that_their_error_leaves(value: float, error: float, text: str) -> None:
    assert tables.measure(value, error).text == text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium, which is not installed")
def test_page_runs_in_a_browser_without_errors(out: Path, tmp_path: Path) -> None:
    flags = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
        "--disable-component-update --disable-sync --enable-logging=stderr --dump-dom"
    )
    done = subprocess.run(
        ["chromium", *flags.split(), f"--user-data-dir={tmp_path}", (out / "index.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert 'data-ready="true"' in done.stdout
    assert "CONSOLE" not in done.stderr
