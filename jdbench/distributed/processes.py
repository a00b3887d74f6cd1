"""One process a rank on this machine, watched: a rank that dies, raises or hangs ends the run and is named."""

import contextlib
import os
import pickle
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist

from jdbench.errors import InputError, ShareLostError

PATIENCE = 60.0
"""Seconds that a rank may keep the others waiting."""

GRACE = 3.0
"""Seconds between the first sign of trouble and the verdict, in which the rank that caused it shows."""


def run_ranks(
    function: Callable[..., Any], ranks: int, *arguments: Any, patience: float = PATIENCE
) -> list[Any]:
    """Return what a function returns on each rank of a new gloo group, each rank a process with one thread.

    Args:
        function: To be imported by the processes: defined at the top of a module.
        ranks: Number of processes, at least 1.
        arguments: What it is called with, pickled.
        patience: Seconds that a rank may keep the others waiting, the timeout of the group.

    Returns:
        The results, by rank.

    Raises:
        InputError: A number is not positive.
        ShareLostError: A rank died, raised or hung; it is named, and no process is left. A death takes moments
            to tell; a rank that hangs at most the patience, from when the others wait for it, and `GRACE`.
            Beside it those are named that began to wait more than `GRACE` after the first.

    Example:
        >>> import torch
        >>> from jdbench.distributed import gather_rows, run_ranks
        >>> found = run_ranks(gather_rows, 2, torch.tensor([[4.0, 0.0]]))  # called on both, which exchange rows
        >>> found[1]
        tensor([[4., 0.],
                [4., 0.]])
    """
    if ranks < 1:
        raise InputError(f"ranks={ranks}, required at least 1, got fewer, try 2")
    if not patience > 0:
        raise InputError(f"patience={patience}, required a positive number of seconds, got another, try 60")
    task = pickle.dumps((function, arguments))
    context = get_context("spawn")
    processes: list[SpawnProcess] = []
    pipes: list[Connection] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            for rank in range(ranks):
                ours, theirs = context.Pipe(duplex=False)
                arranged = (rank, ranks, folder, patience, theirs, task)
                process = context.Process(target=_run_rank, args=arranged, daemon=True)
                process.start()
                theirs.close()
                processes.append(process)
                pipes.append(cast("Connection", ours))
            return _collect(processes, pipes, patience)
        finally:
            for process in processes:
                process.kill()
                process.join()
            for pipe in pipes:
                pipe.close()


def _collect(processes: list[SpawnProcess], pipes: list[Connection], patience: float) -> list[Any]:
    """Return the results by rank, or raise the verdict on the rank that is to blame."""
    reports: dict[int, tuple[str, Any]] = {}
    dead: dict[int, str] = {}
    deadline: float | None = None
    while len(reports) + len(dead) < len(processes):
        open_ranks = [r for r in range(len(processes)) if r not in reports and r not in dead]
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        # A pipe is ready with a report, or closed where its process ended without one.
        for pipe in connection.wait([pipes[rank] for rank in open_ranks], left):
            rank = pipes.index(pipe)  # pyright: ignore[reportArgumentType]
            try:
                reports[rank] = pickle.loads(pipes[rank].recv_bytes())
            except EOFError:
                processes[rank].join()
                dead[rank] = _ending(processes[rank].exitcode)
        _blame(reports, dead)
        lost = any(kind == "lost" for kind, _ in reports.values())
        if lost and deadline is None:
            deadline = time.monotonic() + GRACE
        if deadline is not None and time.monotonic() >= deadline:
            break
    silent = [rank for rank in range(len(processes)) if rank not in reports]
    lost = [str(text) for kind, text in reports.values() if kind == "lost"]
    if silent:
        raise ShareLostError(
            f"rank={', '.join(map(str, silent))}, required an answer within {patience:g} s, got none, "
            "see what it is busy with"
        )
    if lost:
        raise ShareLostError(lost[0])
    return [reports[rank][1] for rank in range(len(processes))]


def _blame(reports: dict[int, tuple[str, Any]], dead: dict[int, str]) -> None:
    """Raise if some rank died or raised of itself; that others lost it is its doing."""
    for rank, how in sorted(dead.items()):
        raise ShareLostError(
            f"rank={rank}, required to finish, got {how}, the others were stopped; see its output above"
        )
    for rank, (kind, text) in sorted(reports.items()):
        if kind == "raised":
            raise ShareLostError(
                f"rank={rank}, required to finish, got {text[0]}, the others were stopped"
            ) from RuntimeError(text[1])


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"an end with exit code {code} and no result"


def _run_rank(rank: int, ranks: int, folder: str, patience: float, pipe: Connection, task: bytes) -> None:
    """Join the group, run the task, report how it went."""
    # Ctrl-C goes to the whole process group; the parent alone decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    torch.set_num_threads(1)
    loopback = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if loopback:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", loopback[0])
    try:
        function, arguments = pickle.loads(task)
        store = Path(folder, "store").as_uri()
        dist.init_process_group(
            "gloo", init_method=store, rank=rank, world_size=ranks, timeout=timedelta(seconds=patience)
        )
        report = ("done", function(*arguments))
        message = pickle.dumps(report)
    except ShareLostError as error:
        message = pickle.dumps(("lost", str(error)))
    except BaseException as error:
        import traceback

        text = f"{type(error).__name__}: {error}"
        message = pickle.dumps(("raised", (text, "".join(traceback.format_exception(error)))))
    pipe.send_bytes(message)
    pipe.close()
    with contextlib.suppress(Exception):
        dist.destroy_process_group()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
