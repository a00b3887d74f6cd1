"""Two tasks built to compete: the cosine of their gradients at the start is a dial, their scale another."""

import math
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from jdbench.errors import InputError
from jdbench.problem import Measure, seeded
from jdbench.problems.flat_model import initialised, rowwise
from jdbench.problems.single_task import TaskProblem, baseline
from jdbench.problems.task_training import TaskTraining
from jdbench.shapes import Objectives, Vector

INPUTS = 6


class CompetingTraining(TaskTraining):
    """Two square errors of one output; every step sees all examples, so that the dial is what a step sees."""

    def __init__(
        self, module: nn.Module, cosine: float, scale: float, inputs: tuple[Tensor, Tensor], seed: int
    ) -> None:
        """Build the second task's targets from the first's.

        Args:
            module: The model h at the start.
            cosine: Cosine between the two gradients there.
            scale: The second gradient's norm over the first's there.
            inputs: Training and held-out inputs, ``[N, d]`` and ``[N', d]``.
            seed: Draws the targets.
        """
        size = len(inputs[0])
        super().__init__(module, size, size, seed, steps_per_epoch=16)
        self.scale = scale
        self.inputs, self.test_inputs = inputs
        first, second = _waves(seed)
        start, test_start = (self.output(self.parameters, part).detach() for part in inputs)
        y, q = first(self.inputs), second(self.inputs)
        a, b = self._mixture(start - y, start - q, cosine)
        self.targets = torch.stack([y, (1 - a - b) * start + a * y + b * q])
        y, q = first(self.test_inputs), second(self.test_inputs)
        self.test_targets = torch.stack([y, (1 - a - b) * test_start + a * y + b * q])

    def _mixture(self, r: Tensor, s: Tensor, cosine: float) -> tuple[float, float]:
        """Return a and b: the gradient of ar + bs has the norm of r's, and the given cosine to it.

        The gradient of the mean square error is linear in the residual, g(r) = Jₕᵀr/N. With ρ and p the
        parts of g(s) along and across g(r), b = √(1 - cosine²) ‖g(r)‖/‖p‖ and a = cosine - bρ, by Gram-Schmidt.
        """
        outputs = torch.stack([r, s]) / len(r)
        gradients = rowwise(
            lambda x: outputs @ self.output(x, self.inputs), self.parameters.unsqueeze(0)
        ).jacobian[0]
        rr, rs = float(gradients[0] @ gradients[0]), float(gradients[0] @ gradients[1])
        across = float((gradients[1] - rs / rr * gradients[0]).norm())
        b = math.sqrt(1 - cosine**2) * math.sqrt(rr) / across
        return cosine - b * rs / rr, b

    def output(self, x: Vector, inputs: Tensor) -> Tensor:
        """Return the model's output h(inputs), shape ``[k]``, with parameters ``[n]``."""
        return self.model(x, inputs).squeeze(-1)

    def objectives(self, x: Vector, rows: Tensor) -> Objectives:
        """Return ½ mean (h - y₁)² and scale · ½ mean (h - y₂)², shape ``[2]``."""
        errors = (self.output(x, self.inputs[rows]) - self.targets[:, rows]).square().mean(-1) / 2
        return errors * errors.new_tensor([1.0, self.scale])

    def loss(self, x: Vector) -> Tensor:
        """Return the root mean square distance of the outputs to the segment of compromises, shape ``[b]``."""
        with torch.no_grad():
            h = torch.stack([self.output(point, self.inputs) for point in x])
        y, across = self.targets[0], self.targets[1] - self.targets[0]
        width = across.square().sum()
        share = ((h - y) @ across / width).clamp(0, 1) if width > 0 else h.new_zeros(len(h))
        return (h - y - share.unsqueeze(-1) * across).square().mean(-1).sqrt()

    def held_out(self, x: Vector) -> Tensor:
        """Return the two mean square errors on held-out inputs over those of the start, shape ``[b, 2]``."""
        with torch.no_grad():
            h = torch.stack([self.output(point, self.test_inputs) for point in (*x, self.parameters)])
        errors = (h.unsqueeze(1) - self.test_targets).square().mean(-1)
        return errors[:-1] / errors[-1]


class CompetingTasks(TaskProblem):
    """Two tasks on one output, from aligned to opposed: ``cosine`` is that of their gradients at the start.

    A network h: R⁶ → R (two hidden layers of 24 tanh units, 793 parameters, float64) is asked to be two
    functions at once: L₁ = ½ mean (h - y₁)², L₂ = scale · ½ mean (h - y₂)² over 256 normal inputs, all of
    them at each of 16 steps that count as an epoch. y₁ is a sum of sine waves. With h₀ the network at the
    start, y₂ = h₀ - a(h₀ - y₁) - b(h₀ - q) for another such sum q, where a and b are solved for such that at
    the start cos(∇L₁, ∇L₂) = cosine and ‖∇L₂‖ = scale · ‖∇L₁‖, exactly up to rounding. At 1 both tasks stay
    the same, up to scale; at -1 the targets mirror each other at h₀: the start is Pareto stationary.

    Among all functions the Pareto set of the two errors is the segment from y₁ to y₂, whatever the scale.
    The criterion is the root mean square distance of the outputs to it: like the distance to the front on an
    analytic problem, it favours no compromise over another. Held out, on 256 other inputs: both square
    errors as shares of what they were at the start.

    Example:
        >>> from jdbench.problems.competing_tasks import CompetingTasks
        >>> training = CompetingTasks(cosine=-0.9, scale=10.0).training(seed=1)
        >>> g = training.evaluate(training.parameters.unsqueeze(0), step=0).jacobian[0]
        >>> round(float(g[0] @ g[1] / g[0].norm() / g[1].norm()), 6), round(float(g[1].norm() / g[0].norm()), 6)
        (-0.9, 10.0)
    """

    family: ClassVar[str] = "multi-task"
    source: ClassVar[str] = "jdbench; [JD] Section 7 asks for inherently competing tasks"
    variants: ClassVar[tuple[str, ...]] = (
        "(cosine=1.0)",
        "(cosine=0.0)",
        "(cosine=-0.5)",
        "(cosine=-0.9)",
        "(cosine=0.0,scale=10.0)",
        "(cosine=-0.9,scale=10.0)",
    )
    EXAMPLES: ClassVar[int] = 256

    def __init__(self, cosine: float = -0.5, scale: float = 1.0) -> None:
        """Set the dials.

        Args:
            cosine: Cosine between the tasks' gradients at the start, -1 to 1.
            scale: Norm of the second gradient over that of the first at the start, positive.

        Raises:
            InputError: A dial is out of its range.
        """
        if not -1 <= cosine <= 1:
            raise InputError(f"cosine={cosine}, required -1 to 1, got another, try -0.5")
        if not 0 < scale < math.inf:
            raise InputError(f"scale={scale}, required a positive number, got another, try 10")
        self.cosine, self.scale = float(cosine), float(scale)
        # The scale multiplies a loss, which for a task alone is a matter of the rate.
        self.key = f"CompetingTasks(cosine={self.cosine})"
        names = ("first task: share of the error", "second task: share of the error")
        self.measures = tuple(Measure(name, False, baseline(self.key, name)) for name in names)

    def training(self, seed: int) -> CompetingTraining:
        """Return the training of run ``seed``: its inputs, targets and initial weights."""
        inputs = torch.randn(2, self.EXAMPLES, INPUTS, dtype=torch.float64, generator=seeded(seed))
        module = initialised(_network, seed).double()
        return CompetingTraining(module, self.cosine, self.scale, (inputs[0], inputs[1]), seed)


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(INPUTS, 24), nn.Tanh(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 1))


def _waves(seed: int) -> list[Callable[[Tensor], Tensor]]:
    """Return two functions of ``[N, d]`` inputs, each the sum of four random sine waves over two."""
    generator = seeded(1_000_003 * seed)
    found: list[Callable[[Tensor], Tensor]] = []
    for _ in range(2):
        directions = torch.randn(INPUTS, 4, dtype=torch.float64, generator=generator) / math.sqrt(INPUTS)
        phases = 2 * math.pi * torch.rand(4, dtype=torch.float64, generator=generator)
        found.append(lambda z, d=directions, p=phases: torch.sin(1.5 * z @ d + p).sum(-1) / 2)
    return found
