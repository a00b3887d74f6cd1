"""Optimal, only stationary, neither or lost, by hand and where [JD] says that MGDA stalls."""

from dataclasses import replace

import pandas as pd
import pytest

from jdbench.analysis.run_table import indicator_table
from jdbench.analysis.stops import COUNTS, judge, stop_of
from jdbench.runs.protocol import RunSpec
from jdbench.runs.runner import run_batch


def run(
    final: float, there: float, before: float, state: str = "finished", start: float = 2.0
) -> dict[str, object]:
    return {
        "problem": "P", "aggregator": "A", "state": state, "start": start, "final": final, "drift": 0.25,
        "stationarity_relative": there, "stationarity_of_start": before,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (run(0.002, 0.0, 0.0), "optimal"),
        (run(0.0021, 1e-5, 1.0), "only stationary"),
        (run(0.0021, 1.0, 1e-5), "only stationary"),
        (run(0.0021, 1.1e-5, 1.1e-5), "neither"),
        (run(0.0, 0.0, 0.0, "diverged"), "lost"),
        (run(float("nan"), float("nan"), float("nan"), "failed"), "lost"),
        (run(0.0, 1.0, 1.0, start=0.0), "optimal"),
        (run(0.1, 1.0, 1.0, start=0.0), "neither"),
    ],
)
def test_stops_by_hand(row: dict[str, object], expected: str) -> None:
    frame = pd.DataFrame([row])
    assert stop_of(frame).tolist() == [expected]


def test_counts_and_medians() -> None:
    rows = [run(0.0, 0.0, 0.0), run(1.0, 0.0, 0.0), run(1.5, 1.0, 1.0), run(0.0, 1.0, 1.0, "diverged")]
    runs = pd.DataFrame([*rows, {"problem": "T", "aggregator": "A", "state": "finished"}])
    found = judge(runs, {})
    assert found[["problem", "runs", *COUNTS]].to_numpy().tolist() == [["P", 4, 1, 1, 1, 1]]
    # The shares of the distance at the end are 0, 1/2, 3/4 and, of the one that diverged, 0.
    medians = ["final", "final_worst", "stationarity", "drift"]
    assert found[medians].to_numpy().tolist() == [[0.25, 0.75, 0.0, 0.25]]
    assert len(judge(pd.DataFrame(rows).drop(columns="stationarity_relative"), {})) == 0


def test_a_known_problem_of_which_every_run_failed_is_judged() -> None:
    nan = float("nan")
    runs = pd.DataFrame([run(nan, nan, nan, "failed", start=nan)])
    assert len(judge(runs, {})) == 0
    found = judge(runs, {"P": (2, 2)})
    assert found[["problem", *COUNTS]].to_numpy().tolist() == [["P", 0, 0, 0, 1]]


def test_mgda_stalls_on_the_axes_of_ewq_and_upgrad_does_not() -> None:
    """[JD] Appendix A.1: the axes are weakly stationary, and only the origin is optimal."""
    spec = RunSpec("EWQ", "MGDA", 0.25, 1, 400)
    records = [
        r
        for name in ("MGDA", "UPGrad")
        for r in run_batch([replace(spec, aggregator=name, seed=s) for s in (1, 3)])
    ]
    found = judge(indicator_table(records), {"EWQ": (2, 2)}).set_index("aggregator")
    assert found.loc["MGDA", list(COUNTS)].tolist() == [0, 2, 0, 0]
    assert found.loc["UPGrad", list(COUNTS)].tolist() == [2, 0, 0, 0]
