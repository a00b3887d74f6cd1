"""The page of the kernels: it says what the tables hold, needs no network, and cites the paper rightly."""

import json
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from benchmarks import kernels
from benchmarks.gramians import RANKS
from benchmarks.kernels_page import ratios_table, seconds_table
from benchmarks.methods import METHODS
from benchmarks.scaling import SolverTiming, StepTiming
from benchmarks.solvers import SOLVERS
from benchmarks.table7 import LIBRARIES, PAPER, EpochTime
from jdbench.problems.networks import NETWORKS


def entries() -> list[EpochTime]:
    found: list[EpochTime] = []
    for network in NETWORKS:
        found.append(EpochTime(network, "SGD", "torch", "SGD", 0.5, 0.4, 0.6, 3, 1.0, 0.79, 1.0))
        for aggregator, library in product(PAPER, LIBRARIES):
            ratio = 1.25 if library == "ours" else 2.5
            if aggregator != "SGD":
                found.append(
                    EpochTime(network, aggregator, library, "engine", ratio / 2, 0.1, 2.0, 3, ratio, 1.0, 4.02)
                )
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    solved = [
        SolverTiming(rank, m, solver, 0.1 * m, 3, 0.0) for rank in RANKS for m in (8, 32) for solver in SOLVERS
    ]
    trained = [
        StepTiming(network, batch, method, what, 0.1, 3, 1e6)
        for network, batch, method, what in product(NETWORKS, (4, 32), METHODS, ("step", "gramian"))
    ]
    for name, rows in (("table7", entries()), ("projection", solved), ("training", trained)):
        pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
    (tmp_path / "environment.json").write_text(json.dumps({"processor": "one <of> ours"}))
    return tmp_path


def test_the_page_is_whole_and_needs_no_network(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kernels.main(["--page", "--out", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "index.html")
    page = (folder / "index.html").read_text()
    assert "one &lt;of&gt; ours" in page
    assert page.count("<svg ") > 4
    for name in ("projection", "step", "gramian", "memory"):
        assert (folder / f"{name}.svg").read_text().startswith("<?xml")
        assert f'href="{name}.svg"' in page
    for loading in ("src=", "@import", "url(http", "<link"):
        assert loading not in page


def test_what_is_slower_than_torchjd_is_marked() -> None:
    slower = [one._replace(ratio=3.0) if one[1:3] == ("MGDA", "ours") else one for one in entries()]
    table = ratios_table(pd.DataFrame(slower))
    marks = {row[0].text: {cell.mark for cell in row[3::3]} for row in table.rows}
    assert marks.pop("MGDA") == {"bad"}
    assert set(marks) == set(PAPER) - {"SGD", "MGDA"}
    assert all(mark == {"good"} for mark in marks.values())
    assert [cell.text for cell in table.rows[0]] == ["Mean"] + ["4.02", "2.5", "1.25"] * len(NETWORKS)


def test_seconds_of_every_method_of_every_library() -> None:
    rows = seconds_table(pd.DataFrame(entries())).rows
    assert len(rows) == 1 + len(LIBRARIES) * (len(PAPER) - 1)
    assert [cell.text for cell in rows[0]] == ["SGD", "torch", "SGD", "0.5", "0.5", "0.5", "0.5", "3, 3, 3, 3"]


def test_a_page_without_tables_names_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert kernels.main(["--page", "--out", str(tmp_path)]) == 2
    assert "required table7.csv, projection.csv" in capsys.readouterr().err


def test_the_papers_ratios() -> None:
    """[JD] E.3 for UPGrad and Mean on SVHN: 1.80 and 1.41 s, of SGD 0.79 s."""
    assert PAPER["UPGrad"][0] / PAPER["SGD"][0] == pytest.approx(2.278, abs=1e-3)
    assert PAPER["Mean"][0] / PAPER["SGD"][0] == pytest.approx(1.785, abs=1e-3)
    assert {len(row) for row in PAPER.values()} == {len(NETWORKS)}
