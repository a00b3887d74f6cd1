"""Run specs to records, in this process or over any executor of concurrent.futures."""

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from multiprocessing import connection, get_context, parent_process

import numpy as np
import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator, GramianAggregator, resolve
from jdbench.aggregators import MGDA
from jdbench.descent import Outcome, State, descend, full_jacobian
from jdbench.gramian import gramian
from jdbench.optimizers import make_optimizer
from jdbench.problem import AnalyticProblem, Evaluation, TrainingProblem, resolve_problem, seeded
from jdbench.protocol import RunSpec
from jdbench.record import Array, Record, logged_steps, mean_over_run
from jdbench.verification.predicates import non_conflicting

REACHED = 1e-5
"""A run has reached the front when its distance is this times that of the start."""

LOSS_EVERY = 8
"""Steps between two evaluations of the loss over the training set."""


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
        return _run_analytic(problem, aggregator, specs)
    return [_run_training(problem, aggregator, spec) for spec in specs]


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


def _generators(specs: Sequence[RunSpec]) -> list[torch.Generator]:
    """Return a generator for each run, seeded by all that defines it: a run draws the same in any batch."""
    return [seeded(int(spec.key[:14], 16)) for spec in specs]


def _run_analytic(
    problem: AnalyticProblem, aggregator: AnyAggregator, specs: Sequence[RunSpec]
) -> list[Record]:
    begun = time.perf_counter()
    steps, size = specs[0].steps, len(specs)
    starts = torch.stack([problem.start(spec.seed) for spec in specs])
    rates = torch.tensor([spec.rate for spec in specs], dtype=torch.float64)
    path = torch.full((steps + 1, size, problem.n), torch.nan, dtype=torch.float64)
    margins = torch.full((size,), torch.inf, dtype=torch.float64)
    weights = torch.full((size,), torch.nan, dtype=torch.float64)

    def watch(step: int, x: Tensor, members: Tensor, evaluation: Evaluation, direction: Tensor | None) -> None:
        path[step, members] = x
        if direction is None:
            return
        J = evaluation.jacobian
        margins[members] = torch.minimum(
            margins[members], non_conflicting(J, direction).nan_to_num(nan=-torch.inf)
        )
        if specs[0].trace and isinstance(aggregator, GramianAggregator) and not aggregator.random:
            w = aggregator.weights(gramian(J))
            norms = J.norm(dim=-1)
            largest = norms.amax(-1).clamp(min=torch.finfo(norms.dtype).tiny)
            weights[members] = torch.fmax(weights[members], (w.abs() * norms).sum(-1) / largest)

    outcome = descend(
        starts,
        full_jacobian(problem),
        aggregator,
        make_optimizer(specs[0].optimizer, starts, rates),
        steps,
        generators=_generators(specs),
        watch=watch,
    )
    distances = problem.distance(path)
    values = problem.objectives(path)
    stationarity = MGDA()(problem.jacobian(outcome.x).nan_to_num().clamp(-1e150, 1e150)).norm(dim=-1)
    logged = logged_steps(steps)
    seconds = (time.perf_counter() - begun) / size
    records: list[Record] = []
    for i, spec in enumerate(specs):
        distance = distances[:, i].numpy()
        reached = np.flatnonzero(distance <= REACHED * distance[0])
        indicators = {
            **_summary(np.arange(steps + 1.0), distance, outcome.states[i]),
            "steps_to_reach": float(reached[0]) if len(reached) else np.inf,
            "worst_margin": float(margins[i]),
            "stationarity": float(stationarity[i]) if outcome.states[i] is State.FINISHED else np.nan,
        }
        curves: dict[str, Array] = {"steps": logged.astype(np.float64), "distance": distance[logged]}
        if spec.trace:
            indicators["weights"] = float(weights[i])
            curves |= {"x": path[logged, i].numpy(), "f": values[logged, i].numpy()}
        records.append(_record(outcome, i, spec, seconds, indicators, curves))
    return records


def _run_training(problem: TrainingProblem, aggregator: AnyAggregator, spec: RunSpec) -> Record:
    begun = time.perf_counter()
    training = problem.training(spec.seed)
    steps = spec.steps * training.steps_per_epoch
    start = training.parameters.unsqueeze(0)
    losses: list[tuple[int, float]] = []
    cosines: list[tuple[int, float]] = []
    margins = [np.inf]

    def source(x: Tensor, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
        return training.evaluate(x, step)

    def watch(step: int, x: Tensor, members: Tensor, evaluation: Evaluation, direction: Tensor | None) -> None:  # noqa: ARG001
        if step % LOSS_EVERY == 0 or step == steps:
            losses.append((step, float(training.loss(x))))
        if direction is not None:
            J = evaluation.jacobian
            mean = J.mean(-2)
            cosines.append((step, float(torch.cosine_similarity(direction, mean, dim=-1))))
            margins.append(float(non_conflicting(J, direction).nan_to_num(nan=-torch.inf)))

    optimizer = make_optimizer(spec.optimizer, start, torch.tensor([spec.rate], dtype=torch.float64))
    outcome = descend(start, source, aggregator, optimizer, steps, generators=_generators([spec]), watch=watch)
    at, values = (np.array(column, dtype=np.float64) for column in zip(*losses, strict=True))
    indicators = {
        **_summary(at, values, outcome.states[0]),
        "worst_margin": min(margins),
        "mean_cosine": float(np.nanmean([c for _, c in cosines])) if cosines else np.nan,
    }
    curves: dict[str, Array] = {
        "steps": at,
        "loss": values,
        "cosine_steps": np.array([s for s, _ in cosines], dtype=np.float64),
        "cosine": np.array([c for _, c in cosines], dtype=np.float64),
    }
    return _record(outcome, 0, spec, time.perf_counter() - begun, indicators, curves)


def _summary(steps: Array, values: Array, state: State) -> dict[str, float]:
    finished = state is State.FINISHED and bool(np.isfinite(values).all())
    return {
        "area": mean_over_run(steps, values) if finished else np.inf,
        "start": float(values[0]),
        "final": float(values[-1]) if finished else np.inf,
    }


def _record(
    outcome: Outcome,
    i: int,
    spec: RunSpec,
    seconds: float,
    indicators: dict[str, float],
    curves: dict[str, Array],
) -> Record:
    return Record(spec, outcome.states[i], outcome.ends[i], seconds, indicators, curves, outcome.errors[i])
