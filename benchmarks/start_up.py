"""Start-up of a fresh interpreter, in a module that imports nothing of what it times: import and first weights.

UPGrad's weights are found with kernels from numba's cache.
"""

import os
import subprocess
import sys

CODE = (
    "import torch; from jdbench.aggregators import UPGrad; UPGrad().weights(torch.eye(4, dtype=torch.float64))"
)


class StartUp:
    """Import and first call, and the import of torch alone beside it."""

    params = ("import torch", "jdbench")
    param_names = ("what",)
    number, rounds, repeat, warmup_time, timeout = 1, 2, 4, 0, 300

    def setup_cache(self) -> None:
        """Fill the cache of compiled kernels: once an environment and commit."""
        _run(CODE)

    def time_start_up(self, what: str) -> None:
        """Time it, the interpreter's own start included."""
        _run(CODE if what == "jdbench" else what)


def _run(code: str) -> None:
    # Not in asv's folder: what lies there must not be imported in place of what is installed.
    subprocess.run([sys.executable, "-c", code], check=True, cwd=os.sep)
