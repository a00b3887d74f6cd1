"""scikit-learn's bundled Linnerud and diabetes as regressions with many targets, one objective a target."""

from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from jdbench.problem import Measure, seeded
from jdbench.problems.flat_model import initialised
from jdbench.problems.single_task import TaskProblem, baseline
from jdbench.problems.task_training import TaskTraining
from jdbench.shapes import Objectives, Vector


class RegressionTraining(TaskTraining):
    """The mean square error of each target, in units of its variance; the same held out."""

    def __init__(
        self,
        module: nn.Module,
        train: tuple[Tensor, Tensor],
        test: tuple[Tensor, Tensor],
        batch_size: int,
        seed: int,
        steps_per_epoch: int | None = None,
    ) -> None:
        """Keep features ``[N, d]`` and targets ``[N, m]`` of both parts."""
        super().__init__(module, len(train[0]), batch_size, seed, steps_per_epoch)
        self.features, self.targets = train
        self.test_features, self.test_targets = test

    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return the mean square error of each target, shape ``[m]``."""
        return (self.model(x, self.features[rows]) - self.targets[rows]).square().mean(0)

    def held_out(self, x: Vector) -> Tensor:
        """Return the mean square error of each target on held-out examples, shape ``[b, m]``."""
        with torch.no_grad():
            guesses = torch.stack([self.model(point, self.test_features) for point in x])
        return (guesses - self.test_targets).square().mean(1)


class _Regression(TaskProblem):
    """Standardise by the training part, split by the seed, train one network with an output for each target."""

    family: ClassVar[str] = "multi-task"
    TARGETS: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.key = type(self).__name__
        names = [f"{target}: square error" for target in self.TARGETS]
        self.measures = tuple(Measure(name, False, baseline(self.key, name)) for name in names)


class Linnerud(_Regression):
    """Three body measures of twenty men (weight, waist, pulse) from three exercises (chins, sit-ups, jumps).

    The seed draws 15 men to train on and 5 held out. A hidden layer of 8 tanh units, 59 parameters, float64.
    An objective is the mean square error of a target standardised by the training part. The batch is all
    of it, and 32 steps count as an epoch. The Jacobian, ``[3, n]``, covers all parameters; the last layer's
    columns are zero but for the target's own. The criterion is the mean of the three errors.

    Example:
        >>> from jdbench.problems.regressions import Linnerud
        >>> training = Linnerud().training(seed=1)
        >>> training.features.shape, training.test_features.shape
        (torch.Size([15, 3]), torch.Size([5, 3]))
        >>> training.evaluate(training.parameters.unsqueeze(0), step=0).jacobian.shape
        torch.Size([1, 3, 59])
    """

    source: ClassVar[str] = "scikit-learn's load_linnerud (Tenenhaus 1998)"
    TARGETS: ClassVar[tuple[str, ...]] = ("weight", "waist", "pulse")

    def training(self, seed: int) -> RegressionTraining:
        """Return the training of run ``seed``: its split and initial weights."""
        train, test = _split(*_linnerud(), 15, seed)
        module = initialised(lambda: _network(3, 8, 3), seed).double()
        return RegressionTraining(module, train, test, 15, seed, 32)


class DiabetesPanel(_Regression):
    """Six blood values and disease progression of diabetics, from age, sex, body mass index and blood pressure.

    scikit-learn's diabetes set has ten features and one target. Here only the four features that need no
    blood sample stay inputs; the six serum measurements s1 to s6 are held aside as targets beside the
    progression after a year. s1 to s4 depend on each other strongly (s4 is close to s1/s3), s6 hardly, so
    tasks range from agreeing to unrelated, and none can be predicted well: after four epochs of Mean the
    training errors lie between 0.6 and 0.9.

    The seed draws 320 of 442 patients to train on, the rest is held out; batches of 20. A hidden layer of
    16 tanh units, 199 parameters, float64. An objective is the mean square error of a target standardised by
    the training part. The Jacobian, ``[7, n]``, covers all parameters; the last layer's columns are zero but
    for the target's own. The criterion is the mean of the seven errors.

    Example:
        >>> from jdbench.problems.regressions import DiabetesPanel
        >>> training = DiabetesPanel().training(seed=1)
        >>> training.features.shape, training.targets.shape, training.steps_per_epoch
        (torch.Size([320, 4]), torch.Size([320, 7]), 16)
    """

    source: ClassVar[str] = (
        "scikit-learn's load_diabetes (Efron et al. 2004), serum values held aside as targets"
    )
    TARGETS: ClassVar[tuple[str, ...]] = ("s1", "s2", "s3", "s4", "s5", "s6", "progression")

    def training(self, seed: int) -> RegressionTraining:
        """Return the training of run ``seed``: its split, initial weights and batches."""
        train, test = _split(*_diabetes(), 320, seed)
        module = initialised(lambda: _network(4, 16, 7), seed).double()
        return RegressionTraining(module, train, test, 20, seed)


def _network(inputs: int, hidden: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.Tanh(), nn.Linear(hidden, outputs))


def _split(
    features: Tensor, targets: Tensor, size: int, seed: int
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """Return training and held-out features and targets, standardised by the training part."""
    order = torch.randperm(len(features), generator=seeded(seed))
    train, test = order[:size], order[size:]
    scaled = [(part - part[train].mean(0)) / part[train].std(0) for part in (features, targets)]
    return (scaled[0][train], scaled[1][train]), (scaled[0][test], scaled[1][test])


@lru_cache(maxsize=1)
def _linnerud() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_linnerud

    features, targets = load_linnerud(return_X_y=True)
    return _float64(features), _float64(targets)


@lru_cache(maxsize=1)
def _diabetes() -> tuple[Tensor, Tensor]:
    from sklearn.datasets import load_diabetes

    features, targets = load_diabetes(return_X_y=True)
    data, progression = _float64(features), _float64(targets)
    return data[:, :4], torch.cat([data[:, 4:], progression.unsqueeze(1)], 1)


def _float64(array: ArrayLike) -> Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float64))
