"""The two-objective toy on which multi-task methods are compared: valleys, a plateau, and a basin below."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.problem import AnalyticProblem
from jdbench.problems.curve import distance_to_curve
from jdbench.problems.starts import in_box
from jdbench.shapes import Jacobian, Objectives, Vector

FLOOR = 5e-6
"""Where an argument of the logarithm is smaller the objective is flat."""

NEWTON_STEPS = 5
"""From t = 8.4 the equation of the set is solved to rounding in four, for a from 15.1 to 20."""


class Toy(AnalyticProblem):
    """Toy of CAGrad, Nash-MTL and FAMO, fᵢ = c₁(x₂)hᵢ(x) + c₂(x₂)qᵢ(x): narrow valleys above a basin.

    c₁ = max(tanh(x₂/2), 0) and c₂ = max(-tanh(x₂/2), 0); h₁ = log max(|½(-x₁ - 7) + tanh x₂|, 5e-6) + 6,
    h₂ = log max(|½(-x₁ + 3) - tanh x₂ + 2|, 5e-6) + 6; q = ((x₁ ∓ 7)² + 0.1(x₂ + 8)²)/10 - 20. This is the
    version of CAGrad (Liu et al. 2021, Appendix B); Nash-MTL (Navon et al. 2022, Appendix B) and FAMO (Liu et
    al. 2023) multiply f₁ by 0.1, which is ``scale=0.1``. The first five starts are those of the latter two.

    The papers draw the front from a grid; it is known better. For x₂ > 0 nothing is below -6.21 while (0, -8.4)
    has both objectives below -15. For t = -x₂ > 0, stationarity in x₁ asks for the weight w = (x₁ + 7)/14
    within [0, 1], and in t that c₂(t)(a - 0.01(t - 8)²), a = 15.1 + 0.1x₁², be largest: a log-concave
    function where it is positive, with one maximum. So the Pareto set is {(x₁, -t(a)) : |x₁| ≤ 7}, each point
    the only minimiser of its weighted sum, with t the root of c₂′(t)(a - 0.01(t - 8)²) = 0.02c₂(t)(t - 8),
    which is found numerically, to rounding. Scaling f₁ keeps the set. Distances are measured among objective
    values. At x₂ = 0, a kink, the Jacobian is the sum of both one-sided ones, as from automatic
    differentiation of the published code. There is no β.

    Example:
        >>> from jdbench.problems.toy import Toy
        >>> problem = Toy(scale=0.1)
        >>> problem.start(1), problem.distance(problem.start(1)).round(decimals=2)
        (tensor([-8.5000,  7.5000], dtype=torch.float64), tensor(8.7100, dtype=torch.float64))
        >>> problem.pareto_set(3).round(decimals=3)
        tensor([[-7.0000, -8.4340],
                [ 0.0000, -8.3550],
                [ 7.0000, -8.4340]], dtype=torch.float64)
    """

    family: str = "multi-task"
    source: ClassVar[str] = (
        "Liu et al. 2021 (CAGrad); scale=0.1: Navon et al. 2022 (Nash-MTL), Liu et al. 2023 (FAMO)"
    )
    variants: ClassVar[tuple[str, ...]] = ("", "(scale=0.1)")
    m: int = 2
    n: int = 2
    space: Literal["x", "f"] = "f"
    STARTS: ClassVar[tuple[tuple[float, float], ...]] = (
        (-8.5, 7.5),
        (0.0, 0.0),
        (9.0, 9.0),
        (-7.5, -0.5),
        (9.0, -1.0),
    )

    def __init__(self, scale: float = 1.0) -> None:
        """Set the factor of the first objective.

        Args:
            scale: Positive; 1 as in CAGrad, 0.1 as in Nash-MTL and FAMO.

        Raises:
            InputError: It is not positive.
        """
        if not (scale > 0 and math.isfinite(scale)):
            raise InputError(f"scale={scale}, required a positive number, got another, try 0.1")
        self.scales = torch.tensor([scale, 1.0], dtype=torch.float64)

    def objectives(self, x: Vector) -> Objectives:
        """Return both objectives, shape ``[..., 2]``."""
        upper, lower = self._gates(x[..., 1])
        inner = self._inner(x)
        logs = inner.abs().clamp(min=FLOOR).log() + 6
        return self.scales.to(x) * (upper * logs + lower * self._bowls(x))

    def jacobian(self, x: Vector) -> Jacobian:
        """Return the Jacobian, shape ``[..., 2, 2]``."""
        first, second = x[..., :1], x[..., 1:]
        upper, lower = self._gates(x[..., 1])
        inner = self._inner(x)
        logs = inner.abs().clamp(min=FLOOR).log() + 6
        # Flat below the floor.
        by_inner = torch.where(inner.abs() >= FLOOR, 1 / inner, 0)
        steep = 1 - torch.tanh(second).square()
        gate = (1 - torch.tanh(second / 2).square()) / 2
        by_gates = gate * torch.where(second >= 0, logs, 0) - gate * torch.where(second <= 0, self._bowls(x), 0)
        signs = torch.tensor([1.0, -1.0]).to(x)
        by_first = upper * by_inner * -0.5 + lower * (first - 7 * signs) / 5
        by_second = by_gates + upper * by_inner * steep * signs + lower * 0.02 * (second + 8)
        return torch.stack([by_first, by_second], -1) * self.scales.to(x).unsqueeze(-1)

    def start(self, seed: int) -> Vector:
        """Return the listed start number ``seed``, or one drawn from [-10, 10] × [-5, 10], shape ``[2]``."""
        if seed <= len(self.STARTS):
            return torch.tensor(self.STARTS[seed - 1], dtype=torch.float64)
        return in_box(seed, [-10.0, -5.0], [10.0, 10.0])

    def pareto_set(self, count: int) -> Vector:
        """Return points from x₁ = -7 to 7, shape ``[count, 2]``."""
        first = torch.linspace(-7, 7, count, dtype=torch.float64)
        return torch.stack([first, -_depth(15.1 + first.square() / 10)], -1)

    def distance(self, x: Vector) -> Tensor:
        """Return the distance of f(x) to the front."""
        return distance_to_curve(
            self.objectives(x), self._front, torch.linspace(-7, 7, 65, dtype=torch.float64)
        )

    def _front(self, first: Tensor) -> tuple[Tensor, Tensor]:
        """Return f at the point of the set with this x₁, and its derivative by x₁ along the set."""
        a = 15.1 + first.square() / 10
        t = _depth(a)
        c, slope = _gate(t)
        # Implicit differentiation of c′(a - 0.01(t - 8)²) = 0.02c(t - 8), with c″ = -cc′.
        level, lag = a - 0.01 * (t - 8).square(), t - 8
        by_t = -c * slope * level - 0.04 * slope * lag - 0.02 * c
        turn = -slope / by_t * first / 5
        centred, wells, rises = [first - 7, first + 7], [], []
        for shift, scale in zip(centred, self.scales.tolist(), strict=True):
            well = 20 - shift.square() / 10 - 0.01 * lag.square()
            wells.append(-scale * c * well)
            rises.append(scale * (c * shift / 5 - (slope * well - 0.02 * c * lag) * turn))
        return torch.stack(wells), torch.stack(rises)

    def _gates(self, second: Tensor) -> tuple[Tensor, Tensor]:
        gate = torch.tanh(second / 2).unsqueeze(-1)
        return gate.clamp(min=0), (-gate).clamp(min=0)

    def _inner(self, x: Vector) -> Tensor:
        first, turn = x[..., 0], torch.tanh(x[..., 1])
        return torch.stack([(-first - 7) / 2 + turn, (-first + 3) / 2 - turn + 2], -1)

    def _bowls(self, x: Vector) -> Tensor:
        depth = 0.1 * (x[..., 1] + 8).square()
        both = torch.stack([(x[..., 0] - 7).square(), (x[..., 0] + 7).square()], -1)
        return (both + depth.unsqueeze(-1)) / 10 - 20


def _gate(t: Tensor) -> tuple[Tensor, Tensor]:
    """Return c₂ = tanh(t/2) and its derivative, which 1 - c₂² would cancel."""
    decay = torch.exp(-t)
    return torch.tanh(t / 2), 2 * decay / (1 + decay).square()


def _depth(a: Tensor) -> Tensor:
    """Return the root t of c′(a - 0.01(t - 8)²) = 0.02c(t - 8), for a from 15.1 to 20, by Newton's method."""
    t = torch.full_like(a, 8.4)
    for _ in range(NEWTON_STEPS):
        c, slope = _gate(t)
        level, lag = a - 0.01 * (t - 8).square(), t - 8
        t = t - (slope * level - 0.02 * c * lag) / (-c * slope * level - 0.04 * slope * lag - 0.02 * c)
    return t
