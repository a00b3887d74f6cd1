"""Run specs to records, in this process or over any executor of concurrent.futures."""

from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait

import numpy as np

from jdbench.aggregator import resolve
from jdbench.descent.loop import State
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.runs.analytic import run_analytic
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.training import run_training


def run_batch(specs: Sequence[RunSpec]) -> list[Record]:
    """Return one record a spec, in order, of specs that share problem, aggregator, budget and optimiser.

    Example:
        >>> from jdbench.runs import RunSpec, run_batch
        >>> records = run_batch([RunSpec("EWQ", "Mean", rate, 1, 50) for rate in (0.1, 100.0)])
        >>> [str(record.state) for record in records]
        ['finished', 'diverged']
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

    A batch that raises, or ends its process, gives failed records. Few batches wait at the executor, so that
    stopping is quick.

    Args:
        batches: What to run.
        executor: Where to run it.
        keep_waiting: Number of batches handed over at a time.

    Yields:
        Batches with their records, in order of completion.

    Raises:
        BrokenExecutor: A worker of an executor died that breaks there; `local_executor` does not.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from jdbench.runs import RunSpec, batches, run_batches
        >>> specs = [RunSpec("EWQ", aggregator, 0.1, 1, 50) for aggregator in ("Mean", "UPGrad")]
        >>> with ThreadPoolExecutor(1) as executor:
        ...     for batch, records in run_batches(batches(specs), executor):
        ...         print(batch[0].aggregator, records[0].state)
        Mean finished
        UPGrad finished
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
            elif not isinstance(error, BrokenExecutor | KeyboardInterrupt):
                yield batch, [failed(spec, f"{type(error).__name__}: {error}") for spec in batch]
            else:
                raise error


def failed(spec: RunSpec, error: str) -> Record:
    """Return the record of a run that raised, without curves."""
    indicators = {"area": np.inf, "start": np.nan, "final": np.nan}
    return Record(spec, State.FAILED, 0, 0.0, indicators, {}, error)
