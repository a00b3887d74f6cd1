"""Fronts, paths and end points among a report's files: what the runs recorded, and no more than is drawn."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from jdbench.analysis.points import DRAWN_POINTS, FINEST, box_around, drawn
from jdbench.analysis.table_files import FILED_DIGITS, to_filed_digits
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.report import write_report
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batch
from support.report_stores import analytic, read_pages, training, words, write_store

WIDE = "InstanceLeastSquares(m=3,n=5)"
STEPS = 40
KEYS = ["problem", "aggregator", "seed"]
SIX_DIGITS = 0.5 * 10.0 ** (1 - FILED_DIGITS)
"""Largest relative error of a number that was rounded to `FILED_DIGITS` digits."""


def runs(problem: str, *, trace: bool) -> list[Record]:
    found = resolve_problem(problem)
    assert isinstance(found, AnalyticProblem)
    rate = found.reference_rate()
    assert rate is not None
    specs = [RunSpec(problem, "UPGrad", rate, seed, STEPS, trace=trace) for seed in (1, 2)]
    return run_batch(specs)


@pytest.fixture(scope="module")
def records() -> list[Record]:
    made = [
        record for problem in ("Dent", WIDE) for trace in (False, True) for record in runs(problem, trace=trace)
    ]
    return [*made, training("Mean"), analytic("Mean", "Dent", state="diverged", trace=True)]


@pytest.fixture(scope="module")
def out(records: list[Record], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("downloads")
    return write_report(write_store(folder / "s.sqlite", records), folder / "out").parent


def test_end_points_are_those_of_all_selected_and_reference_runs_that_finished(
    out: Path, records: list[Record]
) -> None:
    table = pd.read_parquet(out / "data" / "end_points.parquet")
    rows = 0
    for record in records:
        spec = record.spec
        same = (table[KEYS] == [spec.problem, spec.aggregator, spec.seed]).all(axis=1)
        own = table[same & (table["trace"] == spec.trace)].set_index("coordinate")["value"]
        ends = {space: record.curves.get(f"end_{space}", np.zeros(0)) for space in ("x", "f")}
        expected = {f"{space}{i + 1}": v for space, end in ends.items() for i, v in enumerate(end)}
        assert own.to_dict() == expected
        rows += len(expected)
    # Two problems, two kinds of runs, two seeds.
    assert rows == len(table) == 4 * (2 + 2) + 4 * (5 + 3)


def test_paths_are_the_recorded_ones_thinned_to_what_is_drawn(out: Path, records: list[Record]) -> None:
    table = pd.read_parquet(out / "data" / "paths.parquet")
    traced = [record for record in records if record.spec.trace and record.state == "finished"]
    assert len(table.groupby(KEYS)) == len(traced)
    for record in traced:
        spec, curves = record.spec, record.curves
        own = table[(table[KEYS] == [spec.problem, spec.aggregator, spec.seed]).all(axis=1)]
        steps = own["step"].to_numpy()
        assert steps[0] == 0
        assert (np.diff(steps) > 0).all()
        assert len(steps) < len(curves["steps"])
        # Stores keep paths in float32.
        f = curves["f"].astype(np.float32).astype(np.float64)
        np.testing.assert_allclose(own[["f1", "f2"]], f[steps, :2], rtol=SIX_DIGITS)
        if spec.problem == WIDE:
            assert own[["x1", "x2"]].isna().to_numpy().all()
        else:
            x = curves["x"].astype(np.float32).astype(np.float64)
            np.testing.assert_allclose(own[["x1", "x2"]], x[steps], rtol=SIX_DIGITS)


def test_fronts_are_points_of_the_pareto_set_with_their_objectives(out: Path) -> None:
    table = pd.read_parquet(out / "data" / "fronts.parquet")
    assert set(table["problem"]) == {"Dent", WIDE}
    problem = resolve_problem("Dent")
    assert isinstance(problem, AnalyticProblem)
    points = table[table["problem"] == "Dent"].pivot_table(index="point", columns="coordinate", values="value")
    exact = problem.pareto_set(DRAWN_POINTS)
    assert list(points.index) == list(range(len(exact)))
    np.testing.assert_allclose(points[["x1", "x2"]], exact, rtol=SIX_DIGITS)
    np.testing.assert_allclose(points[["f1", "f2"]], problem.objectives(exact), rtol=SIX_DIGITS)


def test_a_path_is_drawn_where_it_moves_and_is_finite() -> None:
    box = ((0.0, 10.0), (0.0, 1.0))
    small, large = 10 * FINEST * 0.6, 10 * FINEST * 1.1
    x = np.array([np.nan, 0, small, 2 * small, 2 * small + large, np.inf, 1e300, 1e301])
    # The second is drawn, the third too near to it, both others are not; beyond the cut all points are one.
    assert drawn(np.stack([x, np.zeros(8)], -1), box).tolist() == [1, 3, 4, 6]
    assert drawn(np.full((3, 2), np.nan), box_around(np.eye(2))).tolist() == []


def test_numbers_are_rounded_to_six_digits() -> None:
    values = np.array([[1.23456789, -9.87654321e-20], [np.nan, np.inf]])
    np.testing.assert_array_equal(to_filed_digits(values), [[1.23457, -9.87654e-20], [np.nan, np.inf]])


def test_pages_name_the_files_of_their_numbers(out: Path) -> None:
    pages = read_pages(out)
    said = {
        name: words(page).rpartition("The numbers behind this page")[2].partition("every run.")[0]
        for name, page in pages.items()
    }
    named = {name: set(re.findall(r"\w+", text)) for name, text in said.items()}
    points = {"end_points", "paths", "fronts"}
    for file in ("problem-Dent.html", "problem-IWRM-digits.html"):
        assert {"problem_results", "along", "curves", "runs"} <= named[file]
        assert points & named[file] == (points if "Dent" in file else set())
    assert "the points of the trajectories that are drawn and not every step" in words(pages["index.html"])


def test_a_front_that_is_not_attained_has_no_points(tmp_path: Path) -> None:
    problem = resolve_problem("SeparableLogistic(m=4,n=2)")
    assert isinstance(problem, AnalyticProblem)
    assert not problem.attained
    page = write_report(
        write_store(tmp_path / "s.sqlite", runs("SeparableLogistic(m=4,n=2)", trace=True)), tmp_path
    )
    assert not (page.parent / "data" / "fronts.parquet").exists()
    assert (page.parent / "data" / "paths.parquet").is_file()
