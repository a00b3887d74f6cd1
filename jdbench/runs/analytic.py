"""Runs on an analytic problem: all of them one batch, their paths kept and made into records at the end."""

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, AnyAggregator
from jdbench.descent.loop import State, descend, full_jacobian
from jdbench.descent.optimizers import DESCENT, make_optimizer
from jdbench.problem import AnalyticProblem, Evaluation
from jdbench.rounding import row_norms
from jdbench.runs.analytic_indicators import Paths, analytic_indicators, decades, rounding_floor
from jdbench.runs.protocol import RunSpec, generators
from jdbench.runs.record import Array, Record, logged_steps

LARGEST_PATHS = 1 << 23
"""Numbers of Jacobians that are looked at together, 64 MiB."""


def run_analytic(problem: AnalyticProblem, aggregator: AnyAggregator, specs: Sequence[RunSpec]) -> list[Record]:
    """Return one record a spec, in order, of runs made as one batch, whose paths are looked at afterwards.

    The specs share the problem, the aggregator, budget, optimiser and trace.
    """
    log = _descend(problem, aggregator, specs)
    per_run = max(1, (specs[0].steps + 1) * problem.m * problem.n)
    size = max(1, LARGEST_PATHS // per_run)
    records: list[Record] = []
    for first in range(0, len(specs), size):
        records += _records(problem, specs, log, slice(first, first + size))
    return records


class _Log:
    """What the steps of a batch leave behind."""

    def __init__(self, problem: AnalyticProblem, specs: Sequence[RunSpec]) -> None:
        steps, size = specs[0].steps, len(specs)
        self.x = torch.full((steps + 1, size, problem.n), torch.nan, dtype=torch.float64)
        self.directions = torch.full((steps, size, problem.n), torch.nan, dtype=torch.float64)
        self.weights = torch.full((steps, size, problem.m), torch.nan, dtype=torch.float64)
        self.has_weights = False
        self.elapsed = np.zeros(steps + 1)
        self.seconds = 0.0
        self.states: list[State] = []
        self.ends: list[int] = []
        self.errors: list[str] = []
        self._clock = time.perf_counter()
        self._members = size

    def watch(
        self, step: int, x: Tensor, members: Tensor, evaluation: Evaluation, direction: Tensor | None
    ) -> None:
        del evaluation
        now = time.perf_counter()
        self.elapsed[step:] += (now - self._clock) / self._members
        self._clock, self._members = now, len(members)
        self.x[step, members] = x
        if direction is not None:
            self.directions[step, members] = direction

    def weigh(self, step: int, members: Tensor, weights: Tensor) -> None:
        self.has_weights = True
        self.weights[step, members] = weights

    def hold(self, end: Tensor) -> None:
        """Fill in the steps of runs that came to rest: there they stayed, and would have gone nowhere."""
        for i, state in enumerate(self.states):
            if state is State.FINISHED and torch.isnan(self.x[-1, i, 0]):
                last = int((~torch.isnan(self.x[:, i, 0])).sum()) - 1
                self.x[last + 1 :, i] = end[i]
                self.directions[last + 1 :, i] = self.directions[last, i]
                self.weights[last + 1 :, i] = self.weights[last, i]


def _descend(problem: AnalyticProblem, aggregator: AnyAggregator, specs: Sequence[RunSpec]) -> _Log:
    begun = time.perf_counter()
    starts = torch.stack([problem.start(spec.seed) for spec in specs])
    rates = torch.tensor([spec.rate for spec in specs], dtype=torch.float64)
    log = _Log(problem, specs)
    result = descend(
        starts,
        full_jacobian(problem),
        aggregator,
        make_optimizer(specs[0].optimizer, starts, rates),
        specs[0].steps,
        generators=generators(specs),
        watch=log.watch,
        weighed=log.weigh,
        rest=specs[0].optimizer == DESCENT and isinstance(aggregator, Aggregator) and not aggregator.random,
    )
    log.states, log.ends, log.errors = result.states, result.ends, result.errors
    log.hold(result.x)
    log.seconds = (time.perf_counter() - begun) / len(specs)
    return log


def _records(problem: AnalyticProblem, specs: Sequence[RunSpec], log: _Log, part: slice) -> list[Record]:
    """Return the records of a part of the batch."""
    x = log.x[:, part]
    paths = _paths(problem, log, part)
    found = {
        name: values.numpy()
        for name, values in analytic_indicators(paths, rounding_floor(problem, x[0])).items()
    }
    logged = logged_steps(specs[0].steps)
    distance, values, points = (t[logged].numpy() for t in (paths.distance, paths.f, x))
    norms = decades(row_norms(paths.jacobians[logged])).numpy()
    weights = None if paths.weights is None else _weight_norms(paths.weights, logged)
    records: list[Record] = []
    for i, spec in enumerate(specs[part]):
        place = part.start + i
        indicators = {name: float(column[i]) for name, column in found.items()}
        for name in [name for name in indicators if name.startswith("steps_to_1e")]:
            step = indicators[name]
            indicators["seconds" + name.removeprefix("steps")] = (
                float(log.elapsed[int(step)]) if np.isfinite(step) else np.inf
            )
        curves: dict[str, Array] = {"steps": logged.astype(np.float64), "distance": distance[:, i]}
        if log.states[place] is State.FINISHED:
            curves |= {"end_x": points[-1, i], "end_f": values[-1, i]}
        if spec.trace:
            curves |= {"x": points[:, i], "f": values[:, i], "decades": norms[:, i]}
            if weights is not None:
                curves["weights"] = weights[:, i]
        records.append(
            Record(spec, log.states[place], log.ends[place], log.seconds, indicators, curves, log.errors[place])
        )
    return records


def _weight_norms(weights: Tensor, logged: npt.NDArray[np.int64]) -> Array:
    """Return ‖w‖ at the logged steps, shape ``[k, b]``; NaN at the last, from which no step is taken."""
    norms = weights.norm(dim=-1)
    none = norms.new_full((1, norms.shape[1]), torch.nan)
    return torch.cat([norms, none])[logged].numpy()


def _paths(problem: AnalyticProblem, log: _Log, part: slice) -> Paths:
    """Return the paths of a part of the batch, evaluated where they went and nowhere else."""
    x = log.x[:, part]
    visited = torch.isfinite(x).all(-1)
    points = x[visited]

    def spread(values: Tensor) -> Tensor:
        whole = values.new_full((*visited.shape, *values.shape[1:]), torch.nan)
        whole[visited] = values
        return whole

    return Paths(
        x,
        spread(problem.objectives(points)),
        spread(problem.jacobian(points)),
        spread(problem.distance(points)),
        log.directions[:, part],
        log.weights[:, part] if log.has_weights else None,
        torch.tensor([state is State.FINISHED for state in log.states[part]]),
    )
