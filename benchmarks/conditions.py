"""Conditions of every measurement: devices, threads and how times are sampled, the same for all benchmarks.

Threads are set on purpose, once, and said in every report. Samples are enough for a verdict, and few enough to
be taken.
"""

import os

# Asked through the driver's library: initialising CUDA here would break the processes that asv forks.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

import torch

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
"""Values of the parameter ``device``."""

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))
"""Threads of torch's operations; `asv.conf.json` sets 2, and as many for numba and BLAS."""

ROUNDS = 2
"""Processes, one after the other: what differs from process to process shows in the interval."""

REPEAT = (4, 8, 0.2)
"""Samples a round: at least four and at most eight, no more than four once 0.2 s are over.

Eight a commit, and as many on the other side, can be told apart at asv's level (six could not).
"""

WARMUP_TIME = 0.05
"""Seconds of calls before the first sample; what is compiled is compiled in ``setup`` before that."""

TIMEOUT = 120
"""Seconds for one combination of parameters, set-up included."""


def set_threads() -> None:
    """Give torch `THREADS` threads, whatever it took from the machine."""
    torch.set_num_threads(THREADS)


def finish(device: str) -> None:
    """Wait until a device out of `DEVICES` has done what it was given: part of what is timed."""
    if device == "cuda":
        torch.cuda.synchronize()
