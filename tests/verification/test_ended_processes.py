"""Aggregators and problems that end the process: named with a code that is not 0, and the others are judged."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jdbench.runs.protocol import PRESETS, Budget
from jdbench.verification.calls import FIRST_SHAPES
from support.property_suite import run

GIVES = """\
import ctypes
import os
import signal
import sys

from jdbench.problems.quadratic import ElementWiseQuadratic

calls = 0

def exits(J):
    exit()  # "the solver failed"

def leaves(J):
    os._exit(0)

def killed(J):
    os.kill(os.getpid(), signal.SIGKILL)

def killed_by_two(J):
    if len(J) == 2:
        ctypes.CDLL(None).exit(0)
    return J.mean(0)

class KilledWhenCalledAgain:
    calls = 0

    def __call__(self, J):
        self.calls += 1
        if self.calls == 5:  # only where one is called again and again
            os.kill(os.getpid(), signal.SIGKILL)
        return J.mean(0)

def leaves_later(J):
    global calls
    calls += 1
    return J.mean(0) if calls < 20 else os._exit(0)

def mean(J):
    return J.mean(0)

class Killed(ElementWiseQuadratic):
    def objectives(self, x):
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def gives(tmp_path: Path) -> Path:
    (tmp_path / "gives.py").write_text(GIVES)
    return tmp_path


def test_verify_says_who_ended_the_process_where_and_judges_the_others(gives: Path, jdbench) -> None:
    """With one worker: even that is no process whose end would be the end of all."""
    names = ["gives:exits", "gives:killed_by_two", "gives:leaves", "gives:mean"]
    options = ["--claims", "hygiene", "--examples", "8", "--workers", "1", "--json", "v.json", "--replays", "r"]
    result = jdbench("verify", *names, *options)
    assert result.returncode == 1, result.stderr
    assert "gives:mean" in result.stdout
    verdicts = json.loads((gives / "v.json").read_text())
    assert [v["aggregator"] for v in verdicts] == [name for name in names for _ in range(2)]
    said = {v["aggregator"]: set() for v in verdicts}
    for v in verdicts:
        said[v["aggregator"]].add((v["outcome"], v["message"]))
    assert said == {
        "gives:exits": {("broken", "exits: SystemExit")},
        "gives:killed_by_two": {("broken", "exits: its process ended with exit code 0")},
        "gives:leaves": {("broken", "exits: os._exit(0)")},
        "gives:mean": {("survived", "")},
    }
    matrices = [v["witness"]["J"] for v in verdicts if v["aggregator"] == "gives:killed_by_two"]
    assert [len(J) for J in matrices] == [2] * 2  # the very matrix
    assert len([*(gives / "r").iterdir()]) == 6
    replayed(gives, "killed-by-two")


def replayed(gives: Path, name: str) -> None:
    """Elsewhere than on Linux it is the script's own process that ends."""
    script = next(script for script in sorted((gives / "r").iterdir()) if f"-{name}-" in script.name)
    result = subprocess.run([sys.executable, script], capture_output=True, text=True)
    if sys.platform.startswith("linux"):
        assert result.returncode == 0, result.stderr
        assert "broken exits its process ended with " in result.stdout


@pytest.mark.long
def test_one_that_ends_the_process_when_called_again_is_searched_twice_with_the_same_copies(
    gives: Path, jdbench
) -> None:
    """What is written down is the matrix of the search, not one before it: those go to copies of their own."""
    options = ["--claims", "hygiene", "--examples", "8", "--workers", "1", "--json", "v.json", "--replays", "r"]
    result = jdbench("verify", "gives:KilledWhenCalledAgain", *options)
    assert result.returncode == 1, result.stderr
    for verdict in json.loads((gives / "v.json").read_text()):
        assert verdict["message"] == "exits: its process ended with signal 9 (SIGKILL, out of memory?)"
        assert torch.tensor(verdict["witness"]["J"]).shape not in FIRST_SHAPES
    replayed(gives, "KilledWhenCalledAgain")


def test_run_stores_a_failed_record_that_says_so_and_runs_the_others(
    gives: Path, jdbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = replace(PRESETS["quick"], analytic=Budget(8, (0.1, 0.2)), reference_steps=8)
    monkeypatch.setitem(PRESETS, "quick", few)
    names = ["gives:exits", "gives:killed", "gives:leaves", "gives:mean"]
    aggregators = [option for name in names for option in ("-a", name)]
    options = ["-p", "EWQ", "--seeds", "1", "--store", "s.sqlite", "--workers", "1"]
    result = jdbench("run", *aggregators, *options)
    assert result.returncode == 1, result.stderr
    assert "failed: gives:exits on EWQ" in result.stderr.replace("\n", " ")
    killed = "ProcessEndedError: its process ended with signal 9 (SIGKILL, out of memory?)"
    rows = sqlite3.connect(gives / "s.sqlite").execute("SELECT DISTINCT aggregator, state, error FROM records")
    assert set(rows) >= {
        ("gives:exits", "failed", "ProcessEndedError: SystemExit (m=2, n=2)"),
        ("gives:killed", "failed", killed),
        ("gives:leaves", "failed", "ProcessEndedError: os._exit(0) (m=2, n=2)"),
        ("gives:mean", "finished", ""),
    }


@pytest.mark.usefixtures("gives")
def test_check_problem_says_so_and_checks_the_others(jdbench) -> None:
    problems = ["gives:Killed", "gives:ElementWiseQuadratic"]
    result = jdbench("check-problem", *problems, "--samples", "10")
    assert result.returncode == 1, result.stderr
    killed, checked, other = result.stdout.splitlines()
    assert killed == "gives:Killed: exits: its process ended with signal 9 (SIGKILL, out of memory?)"
    assert checked == "gives:Killed: 1 found, and nothing more was checked"
    assert other.startswith("gives:ElementWiseQuadratic: nothing found by ")


def test_the_suite_fails_with_words(gives: Path) -> None:
    names = ["exits", "leaves", "leaves_later", "mean"] + ["killed"] * sys.platform.startswith("linux")
    options = [option for name in names for option in ("--aggregator", f"gives:{name}")]
    # Without the summary, whose lines are cut or whole as the environment says.
    claims = ["--claims", "weighted", "-p", "no:cacheprovider", "-q", "-rN", "--pyargs"]
    result = run(gives, "pytest", *claims, "jdbench.properties.test_weighted", *options)
    assert result.returncode == 1, result.stdout
    assert f"{2 * len(names) - 2} failed, 2 passed" in result.stdout
    for words in (
        "gives:exits is broken: exits: SystemExit, at ",
        "gives:leaves is broken: exits: os._exit(0), at ",
        "gives:leaves_later is broken: exits: os._exit(0), at ",
    ):
        assert result.stdout.count(words) == 2  # in float64 and float32
    if "killed" in names:
        words = "gives:killed is broken: a call of it ends the process with signal 9 (SIGKILL, out of memory?)"
        assert result.stdout.count(words) >= 2
