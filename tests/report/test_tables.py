"""The numbers of a report: its files equal the tables, and the tables say what the records say."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from jdbench.analysis import read, results_of
from jdbench.analysis.problem_results import problem_table
from jdbench.analysis.run_table import indicator_table, selected_runs
from jdbench.analysis.stops import COUNTS, margin_tolerance
from jdbench.errors import InputError
from jdbench.report import write_report
from jdbench.report.figures import palette
from jdbench.report.tables import cells as tables
from jdbench.report.tables import problems as problem_tables
from jdbench.runs.record import Record
from jdbench.verification.predicates import non_conflicting
from jdbench.verification.summary import Verdicts, read_verdicts
from support.report_stores import analytic, failure, read_pages, training, usual, words, write_store

SHOWN = {"selected", "references", "runs", "curves", "ranking", "problem_results", "selected_judgement"}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    return write_report(write_store(folder / "s.sqlite", usual()), folder / "out").parent


def test_each_table_is_a_csv_and_a_parquet_file_of_the_same_numbers(out: Path) -> None:
    names = {file.stem for file in (out / "data").iterdir()}
    assert names >= SHOWN | {"traits", "choices", "along"}
    links = [value for _, name, value in read_pages(out)["index.html"].attributes if name == "href"]
    for name in names:
        csv, parquet = out / "data" / f"{name}.csv", out / "data" / f"{name}.parquet"
        assert f"data/{csv.name}" in links
        assert f"data/{parquet.name}" in links
        whole = pd.read_parquet(parquet)
        read = pd.read_csv(csv)
        assert list(read.columns) == list(whole.columns)
        for column in whole.select_dtypes("number").columns:
            np.testing.assert_array_equal(
                read[column].to_numpy(dtype=np.float64), whole[column].to_numpy(dtype=np.float64)
            )


def test_files_hold_all_runs_and_the_results_of_each_problem(out: Path) -> None:
    table = indicator_table(usual())
    written = pd.read_parquet(out / "data" / "runs.parquet")
    keys = ["problem", "aggregator", "seed", "rate", "trace"]
    pd.testing.assert_frame_equal(
        written.sort_values(keys, ignore_index=True)[[*keys, "state", "score"]],
        table.sort_values(keys, ignore_index=True)[[*keys, "state", "score"]],
        check_dtype=False,
    )
    found = pd.read_parquet(out / "data" / "problem_results.parquet")
    for problem in ("EWQ", "IWRM-digits"):
        expected = problem_table(selected_runs(table), problem)
        own = found[found["problem"] == problem].reset_index(drop=True)[list(expected.columns)]
        pd.testing.assert_frame_equal(own, expected, check_dtype=False)


def test_the_ranking_is_shown_in_order(tmp_path: Path) -> None:
    records = [record for record in usual() if record.spec.problem != "CQF" and not record.spec.trace]
    page = write_report(write_store(tmp_path / "s.sqlite", records), tmp_path / "out")
    expected = results_of(records).table("ranking")
    expected = expected[expected["family"] == "all problems"]
    written = pd.read_csv(page.parent / "data" / "ranking.csv", dtype={"position": str})
    overall = written[written["family"] == "all problems"].reset_index(drop=True)
    pd.testing.assert_series_equal(overall["mean_rank"], expected["mean_rank"])
    text = words(read_pages(page.parent)["index.html"]).partition("Ranking over all problems position")[2]
    places = [text.index(f" {name} ") for name in expected["aggregator"] if name.isalnum()]
    assert places == sorted(places)


def judged(tmp_path: Path, records: list[Record]) -> pd.DataFrame:
    found = read(write_store(tmp_path / "s.sqlite", records))
    return found.table("reference_judgement").set_index("aggregator")


def test_judgement_tells_where_runs_stopped(tmp_path: Path) -> None:
    start = float(np.linalg.norm([4.0, 1.0]))
    ends = {
        "optimal": analytic("Mean", trace=True, final=1e-6 * start, steps_to_reach=3.0),
        "only_stationary": analytic("MGDA", trace=True, final=1.0, stationarity_relative=1e-9),
        "neither": analytic("CAGrad", trace=True, final=1.0, stationarity_relative=1e-2),
        "lost": analytic("NashMTL", trace=True, state="diverged"),
    }
    table = judged(tmp_path, list(ends.values()))
    for end, record in ends.items():
        row = table.loc[record.spec.aggregator]
        assert {name: row[name] for name in COUNTS} == {name: int(name == end) for name in COUNTS}
    assert table.loc["Mean", "steps"] == 3
    assert np.isinf(table.loc["MGDA", "steps"])
    assert table.loc["Mean", "reached"] == 1


def test_margins_within_rounding_are_no_conflicts(tmp_path: Path) -> None:
    tolerance = margin_tolerance((2, 2))
    table = judged(
        tmp_path,
        [
            analytic("Mean", trace=True, worst_margin=-2 * tolerance),
            analytic("UPGrad", trace=True, worst_margin=-0.9 * tolerance),
            analytic("NashMTL", trace=True, worst_margin=-2 * tolerance, weights=3.0),
        ],
    )
    assert table["conflicts"].to_dict() == {"Mean": 1, "NashMTL": 0, "UPGrad": 0}


def test_tolerance_covers_the_rounding_of_projections() -> None:
    generator = torch.Generator().manual_seed(1)
    J = torch.randn(20_000, 2, 2, dtype=torch.float64, generator=generator)
    # Removing from g₂ its component along g₁ leaves a margin of exactly 0, were it not for rounding.
    g, h = J.unbind(-2)
    share = (g * h).sum(-1, keepdim=True) / (g * g).sum(-1, keepdim=True)
    margins = non_conflicting(g.unsqueeze(-2), h - share * g)
    sizes = (h.norm(dim=-1) + share.abs().squeeze(-1) * g.norm(dim=-1)) / g.norm(dim=-1)
    assert (margins < 0).any()
    assert (margins >= -margin_tolerance((2, 2)) * sizes).all()
    assert margin_tolerance(None) > margin_tolerance((32, 4000))


def test_traits_follow_from_the_problem_and_the_runs(tmp_path: Path) -> None:
    records = [
        analytic("Mean", "CQF", seed=1, decades_median=3.0),
        analytic("Mean", "CQF", seed=2, decades_median=2.5),
        analytic("UPGrad", "EWQ", worst_margin=-0.1),
        training("Mean"),
    ]
    found = read(write_store(tmp_path / "s.sqlite", records)).table("traits").set_index("problem")
    assert found.loc["CQF", "traits"] == "convex, conflicting, norms spread"
    assert found.loc["CQF", "decades"] == 2.75
    assert found.loc["EWQ", "traits"] == "convex"
    assert found.loc["EWQ", "conflict"] == 0
    assert found.loc["IWRM-digits", "traits"] == "conflicting, norms spread, training"


def test_those_whose_scores_agree_lead_together(tmp_path: Path) -> None:
    records = [
        *(analytic(name, "EWQ") for name in ("Mean", "UPGrad")),
        analytic("MGDA", "EWQ", halving=0.5),
        *(analytic(name, "CQF") for name in ("Mean", "UPGrad", "MGDA", "RGW")),
        failure("Mean", "IWRM-digits"),
    ]
    found = read(write_store(tmp_path / "s.sqlite", records))
    table = problem_tables.problems_table(found, found.problems, palette.styles(found.aggregators))
    leads = {row[0].text: row[6].text for row in table.rows}
    assert leads == {"EWQ": "Mean, UPGrad", "CQF": "4 of 4 tied", "IWRM-digits": "Mean"}


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


def test_a_missing_or_broken_file_of_verdicts_is_an_error(tmp_path: Path) -> None:
    assert read_verdicts(None, tmp_path) == Verdicts()
    for content in (None, "no json", '[{"aggregator": "Mean"}]'):
        file = tmp_path / "verdicts.json"
        if content is not None:
            file.write_text(content, encoding="utf-8")
        with pytest.raises(InputError, match=r"verdicts=.*, required a file of `jdbench verify"):
            read_verdicts(file, tmp_path)
