"""Peak memory of a call above what was held before it."""

import multiprocessing
import resource
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def peak(call: Callable[[], object], device: str = "cpu") -> float:
    """Return the largest memory during a call, less the memory before it.

    On the CPU that is the resident set of the process, which never falls as far as it rose: the first call in a
    process is the one to measure. On CUDA it is what torch's allocator handed out.

    Args:
        call: What to run.
        device: Where it runs.

    Returns:
        Bytes.
    """
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        return float(torch.cuda.max_memory_allocated() - before)
    before = _restart()
    call()
    return float(_highest() - before)


def fresh_peak(build: Callable[[], Callable[[], object]], preload: str) -> float:
    """Return the peak of a call in a process that has made none before.

    Args:
        build: Returns the call; a function of a module, or a partial of one, since it is sent to the process.
        preload: A module that is imported before the process starts, with what the call needs.

    Returns:
        Bytes above what was resident before.
    """
    # Forked from a server that has imported torch and run nothing: what threads hold does not survive a fork.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_peak, args=(sender, build))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _send_peak(sender: Connection, build: Callable[[], Callable[[], object]]) -> None:
    sender.send(peak(build()))


def _restart() -> int:
    """Return the resident bytes, and let the kernel's high-water mark start from there where it can (Linux)."""
    try:
        CLEAR.write_text("5", encoding="ascii")
        return _status("VmRSS")
    except OSError:
        return _highest()


def _highest() -> int:
    if STATUS.exists():
        return _status("VmHWM")
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else 1024 * used


def _status(field: str) -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))
