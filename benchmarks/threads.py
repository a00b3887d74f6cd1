"""Threads of every measurement: set on purpose, once, and said in every report."""

import os

import torch

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
"""Threads of torch's operations; `asv.conf.json` sets 2, and as many for numba and BLAS."""


def set_threads() -> None:
    """Give torch `THREADS` threads, whatever it took from the machine."""
    torch.set_num_threads(THREADS)
