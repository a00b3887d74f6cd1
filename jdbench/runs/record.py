"""What remains of a run: how it ended, its indicators and its curves."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jdbench.runs.protocol import RunSpec

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Record:
    """The result of one run.

    Attributes:
        spec: What was run.
        state: ``finished``, ``diverged`` or ``failed``.
        steps_taken: Steps before the end.
        seconds: Wall-clock time; of a batch, the batch's time divided by its size.
        indicators: Numbers by name. Always ``area``, the mean of the criterion over the run, infinite unless it
            finished, ``start`` and ``final``, the criterion at both ends. The criterion is the distance to
            the front on analytic problems and the average loss over the training set on the others.
        curves: Arrays by name, first axis the logged steps ``steps``.
        error: What was raised, if the run failed.

    Example:
        >>> from jdbench.runs import RunSpec, run_batch
        >>> (record,) = run_batch([RunSpec("EWQ", "UPGrad", 0.25, 1, 100)])
        >>> str(record.state), record.steps_taken, record.indicators["final"] < record.indicators["start"]
        ('finished', 100, True)
    """

    spec: RunSpec
    state: str
    steps_taken: int
    seconds: float
    indicators: Mapping[str, float]
    curves: Mapping[str, Array] = field(repr=False)
    error: str = ""


def mean_over_run(steps: Array, values: Array) -> float:
    """Return the area under a curve over ascending steps divided by its length, by the trapezoidal rule.

    It is the only value if there is one.
    """
    if len(steps) < 2:
        return float(values[0])
    return float(np.trapezoid(values, steps) / (steps[-1] - steps[0]))


def logged_steps(steps: int, count: int = 100) -> npt.NDArray[np.int64]:
    """Return at most about ``count`` of the steps 0 to T: every one at first, then geometrically spaced.

    They ascend; the first is 0, the last T.
    """
    if steps <= count:
        return np.arange(steps + 1)
    spaced = np.unique(np.geomspace(1, steps, count).round().astype(np.int64))
    return np.concatenate([[0], spaced])
