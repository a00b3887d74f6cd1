"""Verdicts and violation curves, one task each, over any number of processes."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, as_completed
from dataclasses import dataclass
from typing import Any

import torch

from jdbench.aggregator import AnyAggregator, resolve
from jdbench.errors import InputError, JDBenchError
from jdbench.expected_failures import ExpectedFailure, dtype_name
from jdbench.global_state import OF_RESULTS, kept
from jdbench.runner import local_executor
from jdbench.verification.curves import Point, curve
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.recheck import Recheck, recheck
from jdbench.verification.verify import Outcome, Verdict, verify

FAILURES = (Outcome.REFUTED, Outcome.BROKEN)


@dataclass(frozen=True)
class Judgement:
    """A verdict with what is known besides.

    Attributes:
        spec: The aggregator.
        verdict: The verdict on it.
        recheck: What rational arithmetic says of a refutation, where it can.
        expected: The entry that expects a failure, if there is one.
    """

    spec: str
    verdict: Verdict
    recheck: Recheck | None = None
    expected: ExpectedFailure | None = None

    @property
    def failed(self) -> bool:
        """Whether the property was refuted or the aggregator broke."""
        return self.verdict.outcome in FAILURES

    @property
    def dtype(self) -> str:
        """``float64`` or ``float32``."""
        return dtype_name(self.verdict.dtype)


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

    def run(self) -> Judgement:
        """Return the verdict with its recheck."""
        aggregator = made(self.spec)
        verdict = verify(
            aggregator,
            PROPERTIES[self.prop],
            dtype=self.dtype,
            examples=self.examples,
            seed=self.seed,
            limit=self.limit,
        )
        return Judgement(self.spec, verdict, recheck(aggregator, verdict, limit=self.limit))


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

    Args:
        spec: The aggregator.

    Returns:
        A new one, if the spec names a class or a factory.

    Raises:
        InputError: The spec names no aggregator.
    """
    with kept(OF_RESULTS):
        return resolve(spec).aggregator


def judged(
    tasks: Sequence[VerdictTask | CurveTask], workers: int, progress: Callable[[str], object]
) -> list[Any]:
    """Run tasks and return what each gives, whatever the number of processes.

    Args:
        tasks: What is to be done.
        workers: Number of processes; 1 is this one.
        progress: Told of each task that is done, by its aggregator.

    Returns:
        A `Judgement` or list of `Point` for each task, in their order.

    Raises:
        InputError: There is no process to run them.
        JDBenchError: A process died.
    """
    if workers < 1:
        raise InputError(f"workers={workers}, required at least 1, got fewer, try the number of cores")
    found: dict[int, Any] = {}
    for index, result in _here(tasks) if workers == 1 else _elsewhere(tasks, workers):
        found[index] = result
        progress(tasks[index].spec)
    return [found[index] for index in range(len(tasks))]


def _here(tasks: Sequence[VerdictTask | CurveTask]) -> Iterator[tuple[int, Any]]:
    for index, task in enumerate(tasks):
        yield index, task.run()


def _elsewhere(tasks: Sequence[VerdictTask | CurveTask], workers: int) -> Iterator[tuple[int, Any]]:
    executor = local_executor(workers)
    try:
        futures = {executor.submit(_run, task): index for index, task in enumerate(tasks)}
        for future in as_completed(futures):
            yield futures[future], pickle.loads(future.result())
    except BrokenExecutor as error:
        raise JDBenchError(
            "workers, required processes that live, got one that died (out of memory?), try --workers 1"
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _run(task: VerdictTask | CurveTask) -> bytes:
    # Torch would send the tensors between processes as open files, of which there are not so many.
    return pickle.dumps(task.run())
