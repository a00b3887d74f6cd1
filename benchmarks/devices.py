"""Devices to measure on: the CPU, and CUDA where there is one."""

import os

# Asked through the driver's library: initialising CUDA here would break the processes that asv forks.
os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")

import torch

DEVICES = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
"""Values of the parameter ``device``."""


def finish(device: str) -> None:
    """Wait until a device has done what it was given: part of what is timed.

    Args:
        device: Out of `DEVICES`.
    """
    if device == "cuda":
        torch.cuda.synchronize()
