"""‖w‖ along runs and beside ranks: recorded at every logged step, medians by hand, both UPGrads shown."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jdbench.analysis.curves import Band
from jdbench.analysis.problems import entry_of
from jdbench.analysis.upgrad_variants import EXACT, REGULARISED
from jdbench.report import write_report
from jdbench.report.figures.curves import curve_figures
from jdbench.report.figures.lines import SUPERSCRIPTS
from jdbench.report.figures.palette import styles
from jdbench.report.tables.cells import Heading, PageTable, aggregator, number
from jdbench.report.tables.upgrad_variants import upgrad_pair
from jdbench.rounding import gamma
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batch
from support.report_stores import analytic, read_pages, words, write_store

SPHERES = "Spheres(m=3,n=2)"
STEPS = 31
DIGITS = {high: chr(low) for low, high in SUPERSCRIPTS.items()}


def traced(name: str, rate: float = 0.05, trace: bool = True) -> Record:
    (record,) = run_batch([RunSpec(SPHERES, name, rate, 1, STEPS, trace=trace)])
    return record


def test_the_norm_of_equal_weights_is_one_over_the_root_of_m_at_every_step_but_the_last() -> None:
    weights = traced("Mean").curves["weights"]
    assert len(weights) == STEPS + 1
    np.testing.assert_allclose(weights[:-1], 3**-0.5, rtol=gamma(8))
    assert math.isnan(weights[-1])


def test_norms_along_a_run_have_the_median_and_the_maximum_that_its_indicators_tell() -> None:
    record = traced("UPGrad")
    weights = record.curves["weights"][:-1]
    assert np.ptp(weights) > 0.1
    # All steps are logged, and their number is odd: the median is one of them.
    assert record.indicators["weights_median"] == np.median(weights)
    assert record.indicators["weights_largest"] == weights.max()


def test_runs_that_are_not_traced_or_have_no_weights_keep_no_norms() -> None:
    assert "weights" not in traced("GradDrop").curves
    assert "weights" not in traced("UPGrad", trace=False).curves


def with_norms(record: Record, norm: float) -> Record:
    steps = len(record.curves["steps"])
    return replace(record, curves={**record.curves, "weights": np.append(np.full(steps - 1, norm), np.nan)})


def reported(tmp_path: Path, records: list[Record]) -> Path:
    return write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out").parent


def test_the_page_draws_the_median_over_the_reference_runs(tmp_path: Path) -> None:
    records = [
        with_norms(analytic("UPGrad", seed=seed, trace=True), norm) for seed, norm in ((1, 2), (2, 3), (3, 9))
    ]
    out = reported(tmp_path, [*records, analytic("UPGrad")])
    curves = pd.read_parquet(out / "data" / "curves.parquet")
    own = curves[curves["curve"] == "reference weights"]
    assert (own[["middle", "low", "high"]] == [3, 2, 9]).all(axis=None)
    assert own["step"].tolist() == [0, 1, 2, 3, 5]
    page = read_pages(out)["problem-EWQ.html"]
    assert "weights-EWQ.svg" in [value for _, name, value in page.attributes if name == "data-file"]
    assert "is not drawn" not in words(page)


@pytest.mark.parametrize("mixed", [False, True])
def test_a_store_of_before_is_reported_and_what_lacks_is_said(mixed: bool, tmp_path: Path) -> None:
    old = [analytic(name, trace=True) for name in ("Mean", "UPGrad")]
    new = [with_norms(analytic("UPGrad", seed=2, trace=True), 4.0)] if mixed else []
    out = reported(tmp_path, [*old, *new])
    curves = pd.read_parquet(out / "data" / "curves.parquet")
    assert ("reference weights" in set(curves["curve"])) == mixed
    assert ("‖w‖ is not drawn" in words(read_pages(out)["problem-EWQ.html"])) != mixed


def test_huge_weights_do_not_press_the_others_flat() -> None:
    steps = np.arange(4.0)
    bands = {
        name: Band(steps, *3 * [np.full(4, norm)])
        for name, norm in (("Mean", 0.7), ("MGDA", 1.0), ("UPGrad", 20.0), ("NashMTL", 1e100))
    }
    entry = entry_of("EWQ", measured=True)
    drawing = curve_figures(entry, {"reference weights": bands}, styles(bands))["reference weights"]
    exponents = {int(text.translate(DIGITS)) for text in re.findall(r">10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)<", drawing.svg)}
    # Median of the highest points 10.5: the top is at 3e6 times that.
    assert 0 in exponents
    assert 6 <= max(exponents) <= 7


RUNS = [
    analytic("UPGrad", "EWQ", seed=1, weights_median=2.0, weights_largest=5.0),
    analytic("UPGrad", "EWQ", seed=2, weights_median=4.0, weights_largest=70.0),
    analytic("UPGrad", "Dent", seed=1, weights_median=10.0, weights_largest=12.0),
    *(analytic("GradDrop", problem, seed=s) for problem, s in (("EWQ", 1), ("EWQ", 2), ("Dent", 1))),
    *(
        analytic(REGULARISED, problem, seed=s, halving=0.5, weights_median=0.7, weights_largest=0.8)
        for problem, s in (("EWQ", 1), ("EWQ", 2), ("Dent", 1))
    ),
]


def test_norms_beside_ranks_are_medians_over_runs_then_problems_and_the_largest(tmp_path: Path) -> None:
    out = reported(tmp_path, RUNS)
    ranking = pd.read_parquet(out / "data" / "ranking.parquet").set_index(["family", "aggregator"])
    norms = ranking[["weights_median", "weights_largest"]]
    # On EWQ the median of 2 and 4 is 3, on Dent 10: over both problems 6.5.
    assert norms.loc[("all problems", "UPGrad")].tolist() == [6.5, 70]
    assert norms.loc[("convex", "UPGrad")].tolist() == [3, 70]
    assert norms.loc[("non-convex", "UPGrad")].tolist() == [10, 12]
    assert norms.loc[("all problems", "GradDrop")].isna().all()
    results = pd.read_parquet(out / "data" / "problem_results.parquet").set_index(["problem", "aggregator"])
    assert results.loc[("EWQ", "UPGrad"), ["weights_median", "weights_largest"]].tolist() == [3, 70]
    text = words(read_pages(out)["index.html"])
    assert "6.5 70 0 of 3" in text
    assert "– – 0 of 3" in text


def test_every_ranking_has_the_two_upgrads_side_by_side(tmp_path: Path) -> None:
    pages = read_pages(reported(tmp_path, RUNS))
    rankings = {
        "index.html": ("ranking", "families"),
        "family-convex.html": ("ranking", "ranks"),
        "problem-EWQ.html": ("results",),
    }
    for page, names in rankings.items():
        ids = {value for _, name, value in pages[page].attributes if name == "id"}
        assert {f"table-{name}-upgrad" for name in names} <= ids
        assert "Exact and trace-regularised UPGrad side by side" in words(pages[page])


def test_the_pair_keeps_order_and_columns_and_needs_both() -> None:
    names = [REGULARISED, "Mean", EXACT, "torchjd.aggregation:UPGrad"]
    looks = styles(names)
    rows = [[number(i), aggregator(looks[name])] for i, name in enumerate(names)]
    table = PageTable("ranking", "Ranking", [Heading("position"), Heading("aggregator")], rows)
    pair = upgrad_pair(table)
    assert pair is not None
    assert (pair.headings, pair.rows) == (table.headings, [rows[0], rows[2]])
    assert upgrad_pair(replace(table, rows=rows[:2])) is None
