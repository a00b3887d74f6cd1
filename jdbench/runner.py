"""Run specs to records, in this process or over any executor of concurrent.futures."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing import connection, get_context, parent_process

import numpy as np
import torch

from jdbench.aggregator import resolve
from jdbench.analytic_runs import run_analytic
from jdbench.descent import State
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.protocol import RunSpec
from jdbench.record import Record
from jdbench.training_runs import run_training


def run_batch(specs: Sequence[RunSpec]) -> list[Record]:
    """Run a batch of `jdbench.protocol.batches`.

    Args:
        specs: Runs that share problem, aggregator, budget and optimiser.

    Returns:
        One record a spec, in order.
    """
    problem = resolve_problem(specs[0].problem)
    aggregator = resolve(specs[0].aggregator).aggregator
    if isinstance(problem, AnalyticProblem):
        return run_analytic(problem, aggregator, specs)
    return [run_training(problem, aggregator, spec) for spec in specs]


def run_batches(
    batches: Sequence[Sequence[RunSpec]], executor: Executor, keep_waiting: int = 4
) -> Iterator[tuple[Sequence[RunSpec], list[Record]]]:
    """Run batches over an executor and give each back as soon as it ends.

    A batch that raises gives failed records. Few batches wait at the executor, so that stopping is quick.

    Args:
        batches: What to run.
        executor: Where to run it.
        keep_waiting: Number of batches handed over at a time.

    Yields:
        Batches with their records, in order of completion.

    Raises:
        BrokenExecutor: A worker died.
    """
    pending: dict[Future[list[Record]], Sequence[RunSpec]] = {}
    waiting = list(reversed(batches))
    while waiting or pending:
        while waiting and len(pending) < keep_waiting:
            batch = waiting.pop()
            pending[executor.submit(run_batch, batch)] = batch
        for future in wait(pending, return_when=FIRST_COMPLETED).done:
            batch = pending.pop(future)
            error = future.exception()
            if error is None:
                yield batch, future.result()
            elif isinstance(error, Exception) and not isinstance(error, BrokenExecutor):
                yield batch, [failed(spec, f"{type(error).__name__}: {error}") for spec in batch]
            else:
                raise error


def local_executor(workers: int) -> ProcessPoolExecutor:
    """Return processes of one torch thread each, which end with this one, killed or not.

    Args:
        workers: Number of processes.

    Returns:
        The executor.
    """
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)


def failed(spec: RunSpec, error: str) -> Record:
    """Return the record of a run that raised.

    Args:
        spec: What was run.
        error: What was raised.

    Returns:
        A record without curves.
    """
    indicators = {"area": np.inf, "start": np.nan, "final": np.nan}
    return Record(spec, State.FAILED, 0, 0.0, indicators, {}, error)


def _start_worker() -> None:
    # Ctrl-C goes to the whole process group; the parent alone decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(1)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
