"""Threads of every measurement: set on purpose, once, and said in every report."""

import os

import torch

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
"""Threads of torch's operations: OMP_NUM_THREADS, which `asv.conf.json` sets to 2; numba's and BLAS's follow it there."""


def set_threads() -> None:
    """Give torch `THREADS` threads, whatever it took from the machine."""
    torch.set_num_threads(THREADS)
