"""Peak memory of a call, above what was held before it."""

import subprocess
import sys
from pathlib import Path

CODE = """
import numpy as np
from benchmarks.memory import peak

print(peak(lambda: np.ones(10_000_000).sum()), peak(lambda: None))
"""


def test_the_peak_of_a_fresh_process_is_what_the_call_held() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    held, nothing = map(float, run.stdout.split())
    assert 79e6 <= held <= 100e6  # Linux counts pages in batches, hundreds of kilobytes behind
    assert 0 <= nothing <= 10e6
