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

AGGREGATORS = ["UPGrad", "Halves(share=1.0)", "strangers:Halves", "torchjd.aggregation:UPGrad"]


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


@pytest.mark.usefixtures("installed")
def test_announced_names_resolve_and_ours_come_first() -> None:
    assert resolve("Halves").spec == "Halves"
    assert resolve("Halves( share=1.0 )").spec == "Halves(share=1.0)"
    assert resolve("UPGrad").spec == "UPGrad"
    assert resolve_problem("Two-Bowls").source == "a stranger"
    with pytest.raises(UnknownNameError, match="did you mean Halves"):
        resolve("Halve")


def test_strangers_run_beside_ours_and_torchjds_without_special_cases(
    installed: Path, jdbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two rates and twenty steps: how many there are is the preset's, and is tested there."""
    pytest.importorskip("torchjd", reason='needs the extra "peers": pip install "jdbench[peers]"')
    few = replace(PRESETS["quick"], analytic=Budget(20, (0.1, 0.2)), reference_steps=20)
    monkeypatch.setitem(PRESETS, "quick", few)
    monkeypatch.setenv("COLUMNS", "140")
    words = ["-p", "Two-Bowls", "-p", "strangers:TwoBowls", "--seeds", "1", "--store", "s", "--workers", "1"]
    run = jdbench("run", *words, *(word for aggregator in AGGREGATORS for word in ("-a", aggregator)))
    assert run.returncode == 0, run.stderr
    with Store(installed / "s") as store:
        table = indicator_table(store.records(curves=False))
    assert set(table["problem"]) == {"Two-Bowls", "strangers:TwoBowls"}
    assert set(table["aggregator"]) == set(AGGREGATORS)
    assert len(table) == 2 * len(AGGREGATORS) * 3
    assert (table["state"] != "failed").all()
    ends = table[table["trace"].astype(bool)].groupby("aggregator")["final"].max()
    assert (ends <= 1e-3).all(), ends
    # One objective a problem, two names: the same runs under both.
    first, second = (
        table[table["problem"] == name].sort_values(["aggregator", "rate", "seed", "trace"])
        for name in ("Two-Bowls", "strangers:TwoBowls")
    )
    deterministic = ["area", "final", "start", "steps_taken"]
    pd.testing.assert_frame_equal(
        first[deterministic].reset_index(drop=True), second[deterministic].reset_index(drop=True)
    )

    assert "Halves" in jdbench("list", "aggregators").stdout
    assert "Two-Bowls" in jdbench("list", "problems").stdout

    report = jdbench("report", "--store", "s", "--out", "page", "--workers", "1")
    assert report.returncode == 0, report.stderr
    assert "strangers:Halves" in (installed / "page" / "index.html").read_text(encoding="utf-8")
