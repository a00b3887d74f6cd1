"""How the kernels scale: the projection by m, the training step and its memory by batch."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import NamedTuple

from benchmarks.alternating import alternate
from benchmarks.conditions import set_threads
from benchmarks.gramians import CAPTURED, CAPTURED_ROWS, RANKS, gramian
from benchmarks.memory import fresh_peak
from benchmarks.methods import METHODS, gramian_step, step
from benchmarks.projection import SIZES
from benchmarks.solvers import SOLVERS, residual, sensible, upgrad_weights
from benchmarks.training import BATCHES, STEPS_OF_PEAK, worthwhile
from jdbench.problems.networks import NETWORKS


class SolverTiming(NamedTuple):
    """UPGrad's weights by one solver.

    Attributes:
        rank: Out of `RANKS`.
        m: Number of rows.
        solver: Out of `SOLVERS`.
        seconds: Median of the calls.
        calls: How many.
        residual: Largest KKT residual in unit rows; NaN if the solver found no solution.
    """

    rank: str
    m: int
    solver: str
    seconds: float
    calls: int
    residual: float


class StepTiming(NamedTuple):
    """A step with UPGrad, or the Gramian alone.

    Attributes:
        network: By its data set.
        batch: Number of images.
        method: Out of `METHODS`.
        what: ``step`` or ``gramian``.
        seconds: Median.
        calls: How many.
        bytes: Peak of a fresh process above what it held before; NaN for the Gramian alone.
    """

    network: str
    batch: int
    method: str
    what: str
    seconds: float
    calls: int
    bytes: float


def solved(
    turns: int = 9, seconds: float = 1.0, limit: float = 15.0, patience: float = 2.0
) -> Iterator[SolverTiming]:
    """Yield times and residuals by rank, m and solver.

    Args:
        turns: Calls of each, at most.
        seconds: What the calls of each may take, beyond the first three.
        limit: A solver that is expected to take longer, in seconds, is not called.
        patience: A call that takes longer, in seconds, is the only one.

    Yields:
        One for each combination that was called.
    """
    upgrad_weights("ours")(gramian("full", 2))  # compiles
    for rank in RANKS:
        left = list(SOLVERS)
        for m in [m for m in SIZES if rank not in CAPTURED or m <= CAPTURED_ROWS]:
            G = gramian(rank, m)
            calls: dict[str, Callable[[], object]] = {
                solver: partial(upgrad_weights(solver), G) for solver in left if sensible(solver, rank, m)
            }
            for solver, times in alternate(calls, turns, seconds, patience=patience).items():
                yield SolverTiming(rank, m, solver, median(times), len(times), residual(solver, G))
                # From one m to the next, twice as large, a time grows eightfold to thirtyfold.
                if 8 * median(times) > limit:
                    left.remove(solver)


def trained(turns: int = 9, seconds: float = 0.3, patience: float = 1.0) -> Iterator[StepTiming]:
    """Yield times of the step and of the Gramian, and peaks of the step, by network, batch and method.

    Args:
        turns: Calls of each, at most.
        seconds: What the calls of each may take, beyond the first three.
        patience: A call that takes longer, in seconds, is the only one.

    Yields:
        Two for each combination, for SGD one.
    """
    for network in NETWORKS:
        for batch in BATCHES:
            methods = [method for method in METHODS if worthwhile(batch, method)]
            peaks = {method: peak_of_step(method, network, batch) for method in methods}
            steps = {method: step(method, network, batch) for method in methods}
            for method, times in alternate(steps, turns, seconds, patience=patience).items():
                yield StepTiming(network, batch, method, "step", median(times), len(times), peaks[method])
            grams = {method: gramian_step(method, network, batch) for method in methods if method != "SGD"}
            for method, times in alternate(grams, turns, seconds, patience=patience).items():
                yield StepTiming(network, batch, method, "gramian", median(times), len(times), math.nan)


def peak_of_step(method: str, network: str, batch: int) -> float:
    """Return the peak in bytes of three steps with UPGrad in a process that has taken none of that batch."""
    return fresh_peak(partial(_steps_of_peak, method, network, batch), "benchmarks.training")


def _steps_of_peak(method: str, network: str, batch: int) -> Callable[[], object]:
    set_threads()
    step(method, network, 4)()  # what a first step loads is not the batch's
    take = step(method, network, batch)
    return lambda: [take() for _ in range(STEPS_OF_PEAK)]
