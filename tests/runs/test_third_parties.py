"""An aggregator and a problem of a package that is not ours: announced, run, listed, reported beside ours."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from jdbench.aggregator import resolve
from jdbench.analysis.run_table import indicator_table
from jdbench.errors import UnknownNameError
from jdbench.problem import resolve_problem
from jdbench.runs.protocol import PRESETS, Budget
from jdbench.runs.store import Store
from jdbench.spec import slug

PACKAGE = '''\
"""A stranger's package."""

import torch
from jdbench.problem import AnalyticProblem, seeded


class Halves:
    """Halved sum of the rows."""

    def __init__(self, share=0.5):
        self.share = share

    def __call__(self, J):
        return self.share * J.sum(0)


class TwoBowls(AnalyticProblem):
    """Two bowls, |x - 1|² and |x + 1|²."""

    family, source, m, n, convex, beta = "convex", "a stranger", 2, 1, True, 8.0**0.5

    def objectives(self, x):
        return torch.cat([(x - 1) ** 2, (x + 1) ** 2], -1)

    def jacobian(self, x):
        return torch.stack([2 * (x - 1), 2 * (x + 1)], -2)

    def start(self, seed):
        return 2 + torch.rand(1, dtype=torch.float64, generator=seeded(seed))

    def pareto_set(self, count):
        return torch.linspace(-1, 1, count, dtype=torch.float64).unsqueeze(-1)

    def distance(self, x):
        return (x.abs() - 1).clamp(min=0).squeeze(-1)
'''

ENTRY_POINTS = """\
[jdbench.aggregators]
Halves = strangers:Halves

[jdbench.problems]
Two-Bowls = strangers:TwoBowls
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path that holds the package and what pip would have written about it."""
    (tmp_path / "strangers.py").write_text(PACKAGE)
    facts = tmp_path / "strangers-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.fixture
def call(jdbench, installed: Path, monkeypatch: pytest.MonkeyPatch):  # noqa: ARG001
    """The command line where the package is installed, two rates and twenty steps: a call that ends well."""
    few = replace(PRESETS["quick"], analytic=Budget(20, (0.1, 0.2)), reference_steps=20)
    monkeypatch.setitem(PRESETS, "quick", few)
    monkeypatch.setenv("COLUMNS", "140")

    def well(*words: str) -> str:
        done = jdbench(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return well


def runs(store: str) -> pd.DataFrame:
    with Store(Path(store)) as opened:
        table = indicator_table(opened.records(curves=False))
    assert (table["state"] != "failed").all()
    return table


@pytest.mark.usefixtures("installed")
def test_announced_names_resolve_and_ours_come_first() -> None:
    assert resolve("Halves").spec == "Halves"
    assert resolve("Halves( share=1.0 )").spec == "Halves(share=1.0)"
    assert resolve("UPGrad").spec == "UPGrad"
    assert resolve_problem("Two-Bowls").source == "a stranger"
    with pytest.raises(UnknownNameError, match="did you mean Halves"):
        resolve("Halve")


def test_a_newcomer_adds_an_aggregator_by_one_file_and_one_line(call) -> None:
    assert "Halved sum of the rows" in call("list", "aggregators")
    names = ["UPGrad", "Halves", "Halves(share=1.0)", "strangers:Halves"]
    words = [word for name in names for word in ("-a", name)]
    call("run", "-p", "EWQ", *words, "--seeds", "1", "--store", "s.sqlite", "--workers", "1")
    table = runs("s.sqlite")
    assert set(table["aggregator"]) == set(names)
    ends = table[table["trace"].astype(bool)].groupby("aggregator")["final"].max()
    assert (ends <= 1e-3).all(), ends
    # Two names of one aggregator: the same runs under both.
    first, second = (
        table[table["aggregator"] == name].sort_values(["rate", "trace"])[["area", "final", "steps_taken"]]
        for name in ("Halves", "strangers:Halves")
    )
    pd.testing.assert_frame_equal(first.reset_index(drop=True), second.reset_index(drop=True))
    call("report", "--store", "s.sqlite", "--out", "page", "--compact")
    ranking = pd.read_csv("page/data/ranking.csv")
    assert set(ranking["aggregator"]) == set(names)
    page = Path("page/index.html").read_text(encoding="utf-8")
    assert all(name in page for name in names)


def test_a_newcomer_adds_a_problem_by_one_file_and_one_line(call) -> None:
    assert "Two-Bowls" in call("list", "problems")
    names = ["Two-Bowls", "strangers:TwoBowls"]
    words = [word for name in names for word in ("-p", name)]
    call("run", *words, "-a", "UPGrad", "-a", "Mean", "--seeds", "1", "--store", "s.sqlite", "--workers", "1")
    table = runs("s.sqlite")
    assert set(table["problem"]) == set(names)
    assert (table[table["trace"].astype(bool)]["final"] <= 1e-3).all()
    first, second = (
        table[table["problem"] == name].sort_values(["aggregator", "rate", "trace"])[["area", "final", "start"]]
        for name in names
    )
    pd.testing.assert_frame_equal(first.reset_index(drop=True), second.reset_index(drop=True))
    call("report", "--store", "s.sqlite", "--out", "page", "--workers", "1")
    by_name, by_module = (Path("page", f"problem-{slug(name)}.html") for name in names)
    assert "a stranger" in by_name.read_text(encoding="utf-8")
    said = by_module.read_text(encoding="utf-8")
    assert "jdbench report --import" in said
    assert "a stranger" not in said
    assert set(pd.read_csv("page/data/problem_results.csv")["problem"]) == set(names)
    call("report", "--store", "s.sqlite", "--out", "page", "--workers", "1", "--import")
    assert "a stranger" in by_module.read_text(encoding="utf-8")
