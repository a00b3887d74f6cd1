"""What a problem provides: objectives and their Jacobian, starts, and a way to tell how good a point is."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from jdbench.errors import InputError, unknown_name
from jdbench.shapes import Jacobian, Objectives, Vector
from jdbench.spec import build, load, parse


class AnalyticProblem(ABC):
    """A function f: Rⁿ → R^m in closed form whose Pareto set or front is known.

    All methods take points of shape ``[..., n]`` in float64 (float32 works too) and any batch dimensions.

    Attributes:
        family: The heading under which reports list it; variants may differ in it.
        source: Where it was published.
        m: Number of objectives.
        n: Number of parameters.
        beta: β of ‖Jf(x) - Jf(y)‖_F ≤ β‖x - y‖ ([JD] eq. 17), or None if there is none.
        convex: Whether every objective is convex.
        space: Where `distance` is measured: among parameters, ``"x"``, or objective values, ``"f"``.
        domain: Interval of every parameter within which f is defined and the set is the Pareto set. Runs are
            not held inside it: a problem with a bounded domain has starts from which descent need not leave.
        attained: Whether there is a Pareto set; False where the front is approached at infinity only, and
            `distance`, measured among objective values, is positive everywhere.
        variants: Keywords, in brackets, of the sizes that a benchmark runs, the defaults first; ``""`` stands
            for them. A quick benchmark runs the first only.

    Example:
        >>> from jdbench.problem import resolve_problem
        >>> problem = resolve_problem("EWQ")
        >>> problem.objectives(problem.start(1)), round(problem.reference_rate(), 3)
        (tensor([4., 1.], dtype=torch.float64), 0.354)
    """

    family: str
    source: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ("",)
    m: int
    n: int
    beta: float | None = None
    convex: bool = False
    space: Literal["x", "f"] = "x"
    domain: tuple[float, float] = (-math.inf, math.inf)
    attained: bool = True

    @abstractmethod
    def objectives(self, x: Vector) -> Objectives:
        """Return f(x), shape ``[..., m]``."""

    @abstractmethod
    def jacobian(self, x: Vector) -> Jacobian:
        """Return Jf(x), shape ``[..., m, n]``."""

    @abstractmethod
    def start(self, seed: int) -> Vector:
        """Return the start of run ``seed`` ≥ 1, shape ``[n]``, float64."""

    @abstractmethod
    def pareto_set(self, count: int) -> Vector:
        """Return at most ``count`` points of the Pareto set, shape ``[k, n]``, float64.

        A curve's come in order along it; where the set has more dimensions they are spread over it. None where
        the set is not `attained`.
        """

    @abstractmethod
    def distance(self, x: Vector) -> Tensor:
        """Return the Euclidean distance to the Pareto set, or of f(x) to the front, shape ``[...]``."""

    def reference_rate(self) -> float | None:
        """Return Theorem 1's step size 1/(β√m), or None without a β."""
        return None if self.beta is None else 1 / (self.beta * self.m**0.5)


class Evaluation(NamedTuple):
    """Objectives and Jacobian at a batch of points.

    Attributes:
        objectives: Values, shape ``[b, m]``.
        jacobian: Gradients in rows, shape ``[b, m, n]``.

    Example:
        >>> import torch
        >>> from jdbench.problem import Evaluation
        >>> Evaluation(objectives=torch.zeros(5, 2), jacobian=torch.zeros(5, 2, 3)).jacobian.shape
        torch.Size([5, 2, 3])
    """

    objectives: Objectives
    jacobian: Jacobian


class Training(ABC):
    """One training of a model: a start, and the losses of the batch of each step.

    Attributes:
        parameters: The model's parameters at the start, flattened, shape ``[n]``.
        steps_per_epoch: Number of batches in an epoch.

    Example:
        >>> from jdbench.problem import resolve_problem
        >>> training = resolve_problem("Linnerud").training(1)
        >>> x = training.parameters.unsqueeze(0)
        >>> training.evaluate(x, step=0).jacobian.shape, training.loss(x).shape, training.held_out(x).shape
        (torch.Size([1, 3, 59]), torch.Size([1]), torch.Size([1, 3]))
    """

    parameters: Vector
    steps_per_epoch: int

    @abstractmethod
    def evaluate(self, x: Vector, step: int) -> Evaluation:
        """Return the losses ``[b, m]`` of the batch of a step and their Jacobian ``[b, m, n]``.

        Args:
            x: Parameters, shape ``[b, n]``: b copies of the model.
            step: Index of the batch, from 0; the same index is the same batch.
        """

    @abstractmethod
    def losses(self, x: Vector) -> Tensor:
        """Return the loss of every training example or task, shape ``[b, k]``, of parameters ``[b, n]``."""

    def loss(self, x: Vector) -> Tensor:
        """Return what the training is to make small, shape ``[b]``: by default the mean of `losses`."""
        return self.losses(x).mean(-1)

    def held_out(self, x: Vector) -> Tensor:
        """Return the problem's `measures` on data held out from training, shape ``[b, k]``."""
        return x.new_zeros(len(x), 0)


class Measure(NamedTuple):
    """What is measured on held-out data.

    Attributes:
        name: Such as ``accuracy`` or ``left digit: accuracy``.
        larger_is_better: Whether it is.
        baseline: What a model trained for this task alone reaches, for Δm%; None if that was not measured.

    Example:
        >>> from jdbench.problem import Measure
        >>> Measure("accuracy", larger_is_better=True)
        Measure(name='accuracy', larger_is_better=True, baseline=None)
    """

    name: str
    larger_is_better: bool
    baseline: float | None = None


class TrainingProblem(ABC):
    """A model, a data set and a loss whose objectives are stochastic.

    Attributes:
        family: The heading under which reports list it.
        source: Where it was published.
        variants: Keywords, in brackets, with which a benchmark runs it; ``""`` stands for the defaults.
        quick: Whether it is small enough for the quick preset.
        large: Whether a step takes so long that presets try fewer rates and seeds.
        measures: What `Training.held_out` returns, in order.

    Example:
        >>> from jdbench.problem import resolve_problem
        >>> [measure.name for measure in resolve_problem("Linnerud").measures]
        ['weight: square error', 'waist: square error', 'pulse: square error']
    """

    family: ClassVar[str]
    source: ClassVar[str]
    variants: ClassVar[tuple[str, ...]] = ("",)
    quick: ClassVar[bool] = False
    large: ClassVar[bool] = False
    measures: tuple[Measure, ...] = ()

    def absence(self) -> str:
        """Return why the problem cannot be run here and what to do, in one line; by default nothing.

        A benchmark of everything leaves it out then, with this line; one that asks for it by name stops.
        """
        return ""

    def provenance(self) -> str:
        """Return what a run here trains on and is measured on, in one line; by default nothing.

        How many examples, how many held out, and a digest of the file they come from; stored with the runs.
        """
        return ""

    def caution(self) -> str:
        """Return what runs here will lack and what to do, a line said before they start; by default nothing."""
        return ""

    @abstractmethod
    def training(self, seed: int) -> Training:
        """Return the training of run ``seed`` ≥ 1: the seed draws the subset, the weights and the batches."""


Problem = AnalyticProblem | TrainingProblem

ENTRY_POINTS = "jdbench.problems"


def available_problems() -> dict[str, Callable[[], Any]]:
    """Return what packages announce by entry points of the group ``jdbench.problems``: each loads its class.

    Example:
        >>> from jdbench.problem import available_problems
        >>> available_problems()["EWQ"]().__name__
        'ElementWiseQuadratic'
    """
    return {point.name: point.load for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda p: p.name)}


def benchmark_problems(quick: bool) -> list[str]:
    """Return the specs that a benchmark runs unless told otherwise: announced problems with all their variants.

    A quick one leaves out training problems that are not ``quick``, and all variants but the first. The specs
    are canonical and come by name, variants in their order.

    Example:
        >>> from jdbench.problem import benchmark_problems
        >>> [spec for spec in benchmark_problems(quick=False) if spec.startswith("DTLZ1")]
        ['DTLZ1(m=2)', 'DTLZ1(m=3)']
    """
    specs: list[str] = []
    for name in available_problems():
        kind = type(resolve_problem(name))
        if not (quick and issubclass(kind, TrainingProblem) and not kind.quick):
            variants = kind.variants[:1] if quick else kind.variants
            specs += [canonical_problem(name + variant) for variant in variants]
    return specs


def resolve_problem(spec: str) -> Problem:
    """Return the problem that a spec names: an announced one, or any ``package.module:Name(…)``.

    Raises:
        InputError: The spec names something that is no problem, or its keywords do not fit.
        UnknownNameError: Nothing has that name.

    Example:
        >>> from jdbench.problem import resolve_problem
        >>> resolve_problem("Spheres(m=8, n=3)").n
        3
    """
    bare, bracket, rest = spec.partition("(")
    announced = available_problems()
    if ":" in bare:
        parsed = parse(spec, "problem")
        found = load(parsed, spec, "problem")
    elif bare in announced:
        # Announced names are the field's and may hold a hyphen, which no spec may.
        parsed = parse("Problem" + bracket + rest, "problem")
        found = announced[bare]()
    else:
        raise unknown_name("problem", spec, announced)
    problem = build(found, parsed, spec, "problem")
    if not isinstance(problem, AnalyticProblem | TrainingProblem):
        raise InputError(
            f"problem={spec!r}, required an AnalyticProblem or a TrainingProblem, got "
            f"{type(problem).__name__}, inherit from one of them"
        )
    return problem


def canonical_problem(spec: str) -> str:
    """Return the spec without blanks and empty brackets, the one name under which records keep a problem.

    Example:
        >>> from jdbench.problem import canonical_problem
        >>> canonical_problem("Spheres( m = 8,  n = 3 )"), canonical_problem("EWQ()")
        ('Spheres(m=8,n=3)', 'EWQ')
    """
    bare, bracket, rest = spec.partition("(")
    if ":" in bare:
        return str(parse(spec, "problem"))
    return bare + str(parse("Problem" + bracket + rest, "problem")).removeprefix("Problem")


def seeded(seed: int) -> torch.Generator:
    """Return a new CPU generator in the state of a seed ≥ 0.

    Example:
        >>> import torch
        >>> from jdbench.problem import seeded
        >>> torch.equal(torch.rand(3, generator=seeded(1)), torch.rand(3, generator=seeded(1)))
        True
    """
    return torch.Generator().manual_seed(seed)
