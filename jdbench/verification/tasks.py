"""Verdicts and curves as tasks in worker processes that an aggregator may crash."""

import math
import pickle
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, AnyAggregator, is_built_in, resolve
from jdbench.errors import InputError, ProcessEndedError
from jdbench.verification.curves import Point, curve
from jdbench.verification.exact.recheck import recheck
from jdbench.verification.global_state import OF_RESULTS, kept
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.search import verify
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdicts import Outcome, Verdict
from jdbench.verification.witnesses import ROUNDS, Witness
from jdbench.workers import local_executor


@dataclass(frozen=True)
class VerdictTask:
    """A verdict to be found.

    Attributes:
        spec: The aggregator.
        prop: Name of the property.
        dtype: In which the aggregator is called.
        examples: Matrices to try.
        seed: Seed of the search.
        limit: Seconds that one call may take.
    """

    spec: str
    prop: str
    dtype: torch.dtype
    examples: int
    seed: int
    limit: float

    def run(self, last_matrix: Path | None = None) -> Verdict:
        """Return the verdict with its recheck; each matrix goes to the file, if any, before its call."""
        aggregator = made(self.spec)
        if last_matrix is not None:
            aggregator = _noting(aggregator, last_matrix)
        verdict = verify(
            aggregator,
            PROPERTIES[self.prop],
            dtype=self.dtype,
            examples=self.examples,
            seed=self.seed,
            limit=self.limit,
        )
        exactly = recheck(aggregator, verdict, limit=self.limit)
        return replace(verdict, aggregator=self.spec, recheck=exactly)


@dataclass(frozen=True)
class CurveTask:
    """A violation curve to be measured.

    Attributes:
        spec: The aggregator.
        axis: A key of `jdbench.verification.axes.AXES`.
        dtype: In which the aggregator is called.
        count: Most matrices a point.
        limit: Seconds that one call may take.
    """

    spec: str
    axis: str
    dtype: torch.dtype
    count: int
    limit: float

    def run(self) -> list[Point]:
        """Return its points."""
        aggregator = made(self.spec)
        return curve(aggregator, self.spec, self.axis, self.dtype, count=self.count, limit=self.limit)


def made(spec: str) -> AnyAggregator:
    """Return the aggregator that a spec names, with what its module or maker changed for others put back.

    A module is imported once in a process: what it sets then would change the verdicts of all that come after.

    Raises:
        InputError: The spec names no aggregator.
    """
    with kept(OF_RESULTS):
        return resolve(spec).aggregator


def run_tasks(
    tasks: Sequence[VerdictTask | CurveTask], workers: int, progress: Callable[[str], object]
) -> list[Any]:
    """Run tasks and return what each gives, whatever the number of processes.

    Where aggregators are not our own they may end their process, so even one worker is not this process.

    Args:
        tasks: What is to be done.
        workers: Number of processes; 1 is this one if all aggregators are ours.
        progress: Told of each task that is done, by its aggregator.

    Returns:
        A `Verdict` or list of `Point` for each task, in their order. Of a task that ended its process a verdict
        that says so, or for a curve the `ProcessEndedError`.

    Raises:
        InputError: There is no process to run them.
    """
    if workers < 1:
        raise InputError(f"workers={workers}, required at least 1, got fewer, try the number of cores")
    here = workers == 1 and all(is_built_in(task.spec) for task in tasks)
    found: dict[int, Any] = {}
    for index, result in _here(tasks) if here else _elsewhere(tasks, workers):
        found[index] = result
        progress(tasks[index].spec)
    return [found[index] for index in range(len(tasks))]


def _here(tasks: Sequence[VerdictTask | CurveTask]) -> Iterator[tuple[int, Any]]:
    for index, task in enumerate(tasks):
        yield index, task.run()


def _elsewhere(tasks: Sequence[VerdictTask | CurveTask], workers: int) -> Iterator[tuple[int, Any]]:
    executor = local_executor(workers)
    clean = False
    try:
        futures = {executor.submit(task.run): index for index, task in enumerate(tasks)}
        for future in as_completed(futures):
            index, error = futures[future], future.exception()
            task = tasks[index]
            if not isinstance(error, ProcessEndedError):
                yield index, future.result()
            else:
                yield index, _broken(task, error, executor) if isinstance(task, VerdictTask) else error
        clean = True
    finally:
        if clean:
            executor.shutdown()
        else:
            executor.kill()


def _broken(task: VerdictTask, error: ProcessEndedError, executor: Executor) -> Verdict:
    """Return the verdict on an aggregator that ended its process, with the matrix that it had last.

    To find the matrix the search is made once more, the same but for what is written down before each call.
    """
    witness, message = Witness(Matrix(torch.zeros(1, 1, dtype=torch.float64), "unknown")), f"exits: {error}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "J"
        if executor.submit(task.run, file).exception() is None:
            message += "; it did not happen again"
        if file.exists():
            J, seed = pickle.loads(file.read_bytes())
            matrix = J.detach().to(torch.float64).reshape(-1, *J.shape[-2:])[0]
            witness = Witness(Matrix(matrix, "last given"), seed, rounds=ROUNDS)
    return Verdict(
        task.prop,
        task.dtype,
        Outcome.BROKEN,
        0,
        math.nan,
        math.nan,
        witness,
        message,
        task.prop,
        task.limit,
        task.spec,
    )


def _noting(aggregator: AnyAggregator, file: Path) -> AnyAggregator:
    def note(J: Tensor, generator: torch.Generator | None = None) -> None:
        whole = file.with_suffix(".new")
        whole.write_bytes(pickle.dumps((J, 0 if generator is None else generator.initial_seed())))
        whole.replace(file)

    if isinstance(aggregator, Aggregator):
        return _Noting(aggregator, note)
    return _NotingCallable(aggregator, note)


class _NotingCallable:
    """No closure, which Python could not copy: each call must find the state that it found the first time."""

    def __init__(self, aggregator: AnyAggregator, note: Callable[[Tensor], None]) -> None:
        self._aggregator = aggregator
        self._note = note

    def __call__(self, J: Tensor) -> Tensor:
        self._note(J)
        return self._aggregator(J)


class _Noting(Aggregator):
    def __init__(self, aggregator: Aggregator, note: Callable[[Tensor, torch.Generator | None], None]) -> None:
        self._aggregator = aggregator
        self._note = note
        setattr(self, "random", aggregator.random)  # noqa: B010  of its class, elsewhere

    def __call__(self, J: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        self._note(J, generator)
        return self._aggregator(J, generator=generator)
