"""A training to its record: the losses over the training set now and then, every step, and the end."""

import time

import numpy as np
import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator
from jdbench.descent.loop import State, descend
from jdbench.descent.optimizers import make_optimizer
from jdbench.problem import Evaluation, TrainingProblem
from jdbench.runs.protocol import RunSpec, generators
from jdbench.runs.record import Array, Record
from jdbench.runs.training_indicators import (
    StepIndicators,
    indicators_at_end,
    indicators_of_loss,
    indicators_of_step,
    indicators_of_steps,
)

LOSS_EVERY = {False: 8, True: 16}
"""Steps between two evaluations of the loss over the training set, by whether the problem is large."""


def run_training(problem: TrainingProblem, aggregator: AnyAggregator, spec: RunSpec) -> Record:
    """Return the record of one training.

    Held-out measures and the losses of single examples are those of the end of a run that finished.
    """
    begun = time.perf_counter()
    training = problem.training(spec.seed)
    steps = spec.steps * training.steps_per_epoch
    start = training.parameters.unsqueeze(0)
    losses: list[tuple[int, float]] = []
    looks: list[StepIndicators] = []
    newest: list[Tensor] = []

    def source(x: Tensor, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
        return training.evaluate(x, step)

    def weighed(step: int, members: Tensor, weights: Tensor) -> None:  # noqa: ARG001
        newest[:] = [weights[0]]

    def watch(step: int, x: Tensor, members: Tensor, evaluation: Evaluation, direction: Tensor | None) -> None:  # noqa: ARG001
        if step % LOSS_EVERY[problem.large] == 0 or step == steps:
            losses.append((step, float(training.loss(x))))
        if direction is not None:
            looks.append(
                indicators_of_step(evaluation.jacobian[0], direction[0], newest[0] if newest else None)
            )

    result = descend(
        start,
        source,
        aggregator,
        make_optimizer(spec.optimizer, start, torch.tensor([spec.rate], dtype=torch.float64)),
        steps,
        generators=generators([spec]),
        watch=watch,
        weighed=weighed,
    )
    seconds = time.perf_counter() - begun
    finished = result.states[0] is State.FINISHED
    at, values = (
        np.array(losses, dtype=np.float64).reshape(-1, 2).T if losses else (np.zeros(1), np.full(1, np.nan))
    )
    indicators = {**indicators_of_loss(at, values, finished), **indicators_of_steps(looks)}
    if finished:
        indicators |= indicators_at_end(
            training.losses(result.x)[0], training.held_out(result.x)[0], problem.measures
        )
    _, cosine, spread, norm, _ = np.array(looks, dtype=np.float64).reshape(-1, len(StepIndicators._fields)).T
    defined = ~np.isnan(cosine)
    curves: dict[str, Array] = {
        "steps": at,
        "loss": values,
        "cosine_steps": np.arange(len(looks), dtype=np.float64)[defined],
        "cosine": cosine[defined],
        "decades": spread,
    }
    if newest:
        curves["weights"] = norm
    return Record(spec, result.states[0], result.ends[0], seconds, indicators, curves, result.errors[0])
