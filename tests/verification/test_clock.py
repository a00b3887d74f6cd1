"""The limit on a call's time: it ends what hangs, and stands still while kernels are compiled."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from numba.core import event

from jdbench.verification import clock
from jdbench.verification.clock import OutOfTimeError, time_limit

LIMIT = 0.2

COLD = """
import sys
import time

import numpy as np
import torch

from jdbench.compiled import compiled
from jdbench.verification import calls
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.search import verify


@compiled
def kernel(J):
    m, n = J.shape
    square = J @ J.T + np.eye(m)
    wasted = np.linalg.svd(J)[1].sum() + np.linalg.inv(square).sum() + np.linalg.eigh(square)[0].sum()
    return J.sum(0) / m + 0 * wasted


def cold(J):
    return torch.from_numpy(kernel(np.ascontiguousarray(J.double().numpy()))).to(J.dtype)


calls.FIRST_LIMIT = 0.0
started = time.monotonic()
verdict = verify(cold, PROPERTIES["weighted"], examples=1, limit=float(sys.argv[1]))
print(verdict.outcome, time.monotonic() - started)
"""

STRANGER = """
import time

import torch
import torch._dynamo

from jdbench.verification.clock import time_limit



def slow(graph, inputs):
    time.sleep(2)
    return graph


function = torch.compile(lambda x: x.sin() + 1, backend=slow)
with time_limit(1.5):
    function(torch.ones(3))
print("compiled")
"""


def compilation(seconds):
    """Take as long as a compilation by numba, and tell so."""
    with event.trigger_event("numba:compile"):
        time.sleep(seconds)


def test_what_hangs_is_ended():
    started = time.monotonic()
    with pytest.raises(OutOfTimeError), time_limit(LIMIT):
        time.sleep(60)
    assert time.monotonic() - started < 30


def test_compilation_does_not_count():
    with time_limit(LIMIT):
        compilation(2 * LIMIT)
        with event.trigger_event("numba:compile"):
            compilation(2 * LIMIT)


def test_what_comes_after_a_compilation_counts():
    def run():
        with time_limit(LIMIT):
            compilation(2 * LIMIT)
            time.sleep(60)

    with pytest.raises(OutOfTimeError):
        run()


def test_a_compilation_has_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(clock, "COMPILE_LIMIT", LIMIT)
    with pytest.raises(OutOfTimeError), time_limit(60):
        compilation(60)


def test_a_compilation_that_raises_lets_the_clock_go_on():
    def run():
        with time_limit(LIMIT):
            with contextlib.suppress(ValueError), event.trigger_event("numba:compile"):
                raise ValueError
            time.sleep(60)

    with pytest.raises(OutOfTimeError):
        run()


def test_nothing_is_left_of_a_limit():
    handler = signal.getsignal(signal.SIGALRM)
    with time_limit(LIMIT):
        compilation(0)
    assert signal.getsignal(signal.SIGALRM) == handler
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    compilation(0)  # outside of a limit nobody listens
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_another_thread_runs_on():
    ended = []

    def run():
        with time_limit(LIMIT):
            time.sleep(2 * LIMIT)
            ended.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=60)
    assert ended == [True]


def python(source: str, *arguments: str, **environment: str) -> str:
    run = subprocess.run(
        [sys.executable, "-c", source, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_kernels_without_a_cache_are_no_hang(tmp_path: Path) -> None:
    """They take several times the limit to compile: one that calls much of LAPACK."""
    limit = 1.0
    (tmp_path / "cold.py").write_text(COLD)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import cold"
    outcome, seconds = python(code, str(limit), NUMBA_CACHE_DIR=str(tmp_path / "cache")).split()
    assert outcome == "survived"
    assert float(seconds) > 2 * limit
    assert list(tmp_path.rglob("*.nbi"))


def test_compilation_by_torch_does_not_count() -> None:
    assert python(STRANGER) == "compiled\n"
