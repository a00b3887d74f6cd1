"""Single-task baselines: what the same model reaches when one task alone trains it, measured and stored."""

import json
import math
from functools import lru_cache
from importlib.resources import files
from typing import TypedDict

import torch

from jdbench.problem import Training, TrainingProblem

COMMAND = "python -m jdbench.problems.baselines"
"""What measures the baselines anew."""

RATES = tuple(10 ** (-2 + k / 3) for k in range(9))
"""Learning rates tried: those of [JD] D.1's coarse ones from 0.01 to 4.6. Beyond, every training diverges."""

SEEDS = 3
"""Seeds 1 to 3, over which losses and measures are averaged."""

EPOCHS = 4
"""Epochs of a baseline: as many as a run of the full preset has."""


class ImagesFacts(TypedDict):
    """What tells the images that baselines were measured on: their number and the digest of their file."""

    images: int
    sha256: str


class Content(TypedDict):
    """What `baselines.json` holds: measures by name by the key of the problem, and how they were measured."""

    command: str
    torch: str
    rates: list[float]
    seeds: int
    epochs: int
    images: dict[str, ImagesFacts]
    baselines: dict[str, dict[str, float]]


class TaskProblem(TrainingProblem):
    """A training problem whose i-th measure tells how well its i-th objective's task is done.

    Attributes:
        key: Under which its baselines are stored: class and keywords that matter to them.
    """

    key: str


def baseline(key: str, measure: str) -> float | None:
    """Return a stored baseline.

    Args:
        key: Of the problem, see `TaskProblem`.
        measure: Name of the measure.

    Returns:
        The measure on held-out data of a model trained for that task alone, or None where none is stored.
    """
    return stored().get(key, {}).get(measure)


def train_alone(problem: TaskProblem, task: int) -> float:
    """Train a problem's model for one of its tasks alone and measure that task on held-out data.

    Plain descent on the task's own loss, x ← x - ηJᵀeᵢ. The rate with the least final training loss,
    averaged over the seeds, is taken; held-out data has no say in it.

    Args:
        problem: What to train for.
        task: Index i of the objective and of its measure.

    Returns:
        The measure, averaged over the seeds.
    """
    trainings = [problem.training(seed) for seed in range(1, SEEDS + 1)]
    found: dict[float, float] = {}
    for rate in RATES:
        losses, measures = zip(*(_descend(training, task, rate) for training in trainings), strict=True)
        found.setdefault(sum(losses) / SEEDS, sum(measures) / SEEDS)
    return found[min(found)]


def _descend(training: Training, task: int, rate: float) -> tuple[float, float]:
    """Return a task's training loss and held-out measure after the descent; infinite loss if it diverged."""
    x = training.parameters.unsqueeze(0)
    for step in range(EPOCHS * training.steps_per_epoch):
        x = x - rate * training.evaluate(x, step).jacobian[:, task]
        if not bool(torch.isfinite(x).all()):
            return math.inf, math.nan
    loss = float(training.losses(x)[0, task])
    return (loss if math.isfinite(loss) else math.inf), float(training.held_out(x)[0, task])


def stored() -> dict[str, dict[str, float]]:
    """Return all stored baselines: measures by their name, by the key of the problem."""
    return content()["baselines"]


@lru_cache(maxsize=1)
def content() -> Content:
    """Return what is stored: the baselines, how they were measured, and on which images."""
    return json.loads(files("jdbench.problems").joinpath("baselines.json").read_text("utf-8"))
