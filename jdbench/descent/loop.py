"""Jacobian descent, x ← x - ηA(J), with the full, a sub- or an estimated Jacobian ([JD] Section 2.1).

JD (Algorithm 1), SSJD and SEJD share one loop and differ in the Jacobian it is fed: `full_jacobian`,
`sub_jacobian` or `estimated_jacobian`, or a `Training`. Gradient descent is the case of one objective.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator
from jdbench.descent.directions import Draws, MemberAggregators, directions
from jdbench.descent.optimizer import Optimizer
from jdbench.errors import InputError
from jdbench.problem import AnalyticProblem, Evaluation
from jdbench.shapes import Vector, Weights

DIVERGENCE_THRESHOLD = 1e12
"""A member has diverged once an objective is not finite or exceeds this times 1 + the largest at the start."""

DIVERGENCE = (
    f"an objective exceeded {DIVERGENCE_THRESHOLD:g} times (1 + the largest at the start) or was not finite, "
    "or squares of the Jacobian's entries were not"
)
"""The condition of `DIVERGENCE_THRESHOLD` as reports print it."""

Source = Callable[[Vector, Tensor, int], Evaluation]
"""Objectives and Jacobian at the points ``[k, n]`` of members ``[k]`` at a step."""

Weighed = Callable[[int, Tensor, Weights], None]
"""Called before `Watch` with the index of a step, members and the weights of a Gramian aggregator."""

Watch = Callable[[int, Vector, Tensor, Evaluation, "Vector | None"], None]
"""Called before each step with its index, points, members, evaluation and direction; at the end without one."""


class State(StrEnum):
    """How a member of the batch ended.

    Example:
        >>> from jdbench.descent import State
        >>> [str(state) for state in State]
        ['finished', 'diverged', 'failed']
    """

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"


class DescentResult(NamedTuple):
    """The end of a descent.

    Attributes:
        x: Last points, shape ``[b, n]``; of a member that ended early, the point where it did.
        states: How each member ended.
        ends: Number of steps that each member took.
        errors: What the aggregator raised, where a member failed; otherwise empty.

    Example:
        >>> import torch
        >>> from jdbench.descent import DescentResult, State
        >>> end = DescentResult(torch.zeros(2, 3), [State.FINISHED, State.DIVERGED], [100, 17], ["", ""])
        >>> [(str(state), steps) for state, steps in zip(end.states, end.ends)]
        [('finished', 100), ('diverged', 17)]
    """

    x: Vector
    states: list[State]
    ends: list[int]
    errors: list[str]


def full_jacobian(problem: AnalyticProblem) -> Source:
    """Return the source of JD: the objectives and the whole Jacobian.

    Args:
        problem: Where from.

    Returns:
        A source for `descend`.

    Example:
        >>> import torch
        >>> from jdbench.descent import full_jacobian
        >>> from jdbench.problem import resolve_problem
        >>> source = full_jacobian(resolve_problem("EWQ"))
        >>> source(torch.tensor([[2.0, 1.0]]), torch.tensor([0]), 0).jacobian
        tensor([[[4., 0.],
                 [0., 2.]]])
    """

    def source(x: Vector, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
        return Evaluation(problem.objectives(x), problem.jacobian(x))

    return source


def sub_jacobian(problem: AnalyticProblem, rows: int, generator: torch.Generator) -> Source:
    """Return the source of SSJD: a random subset of the rows, the same for all members at a step.

    Args:
        problem: Where from.
        rows: Number of rows drawn without replacement, 1 to m.
        generator: Source of the draws.

    Returns:
        A source for `descend`.

    Raises:
        InputError: The number of rows is not within 1 to m.

    Example:
        >>> import torch
        >>> from jdbench.descent import sub_jacobian
        >>> from jdbench.problem import resolve_problem
        >>> source = sub_jacobian(resolve_problem("Spheres(m=8,n=3)"), 2, torch.Generator().manual_seed(1))
        >>> source(torch.ones(1, 3), torch.tensor([0]), 0).jacobian.shape  # two rows of eight
        torch.Size([1, 2, 3])
    """
    if not 1 <= rows <= problem.m:
        raise InputError(f"rows={rows}, required 1 to m={problem.m}, got another, choose fewer rows")

    def source(x: Vector, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
        drawn = torch.randperm(problem.m, generator=generator)[:rows].sort().values
        return Evaluation(problem.objectives(x), problem.jacobian(x)[..., drawn, :])

    return source


def estimated_jacobian(problem: AnalyticProblem, noise: float, generator: torch.Generator) -> Source:
    """Return the source of SEJD: an unbiased estimate, the Jacobian plus normal noise.

    Args:
        problem: Where from.
        noise: Standard deviation of an entry's error, in the unit of the gradients, at least 0.
        generator: Source of the noise.

    Returns:
        A source for `descend`.

    Raises:
        InputError: The noise is negative.

    Example:
        >>> import torch
        >>> from jdbench.descent import estimated_jacobian
        >>> from jdbench.problem import resolve_problem
        >>> problem, x = resolve_problem("EWQ"), torch.tensor([[2.0, 1.0]]).expand(10_000, 2)
        >>> source = estimated_jacobian(problem, 0.1, torch.Generator().manual_seed(1))
        >>> source(x, torch.arange(10_000), 0).jacobian.std(0).round(decimals=2)
        tensor([[0.1000, 0.1000],
                [0.1000, 0.1000]])
    """
    if not noise >= 0:
        raise InputError(f"noise={noise}, required a number ≥ 0, got another, 0 is JD")

    def source(x: Vector, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
        J = problem.jacobian(x)
        error = torch.randn(J.shape, dtype=J.dtype, generator=generator).to(J.device)
        return Evaluation(problem.objectives(x), J + noise * error)

    return source


def descend(
    x: Vector,
    source: Source,
    aggregator: AnyAggregator,
    optimizer: Optimizer,
    steps: int,
    *,
    generators: Sequence[torch.Generator] | None = None,
    watch: Watch | None = None,
    weighed: Weighed | None = None,
    rest: bool = False,
) -> DescentResult:
    """Take steps of Jacobian descent with a batch of points at once ([JD] Algorithm 1).

    A member that diverges (see `DIVERGENCE_THRESHOLD`), or whose Jacobian is not finite, is left out before the
    next aggregation; so is one for which the aggregator raises. The others go on.

    Args:
        x: Starts, shape ``[b, n]``; not changed.
        source: The Jacobian of each step.
        aggregator: Any aggregator; one that takes no batches is called member by member, a copy for each, and
            is itself never called.
        optimizer: The step taken with the aggregation.
        steps: Number of steps T, at least 0.
        generators: Sources of the aggregator's randomness, one a member, so that a member draws the same in any
            batch; the global one if None.
        watch: Sees every step.
        weighed: Sees the weights of every step, where the aggregator has weights.
        rest: Whether a member whose step leaves it where it was has come to rest and is computed no further,
            nor watched. Right where source, aggregator and optimiser do the same at every step: the point
            would be the same ever after. Such a member counts as finished after all steps.

    Returns:
        The last points and how each member ended.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import UPGrad
        >>> from jdbench.descent import Descent, descend, full_jacobian
        >>> from jdbench.problem import resolve_problem
        >>> problem, x = resolve_problem("EWQ"), torch.tensor([[2.0, 1.0], [-1.0, 2.0]])
        >>> end = descend(x, full_jacobian(problem), UPGrad(), Descent(torch.tensor([0.25, 5.0])), 50)
        >>> problem.distance(end.x[0]).round(decimals=3), [str(state) for state in end.states]
        (tensor(0.), ['finished', 'diverged'])
    """
    x = x.detach().clone()
    members = torch.arange(len(x))
    states = [State.FINISHED] * len(x)
    ends = [steps] * len(x)
    errors = [""] * len(x)
    aggregators, randomness = MemberAggregators(aggregator), Draws(aggregator, generators)
    limits: Tensor | None = None

    def end(gone: Tensor, state: State, step: int) -> None:
        for member in gone.tolist():
            states[member], ends[member] = state, step

    for step in range(steps + 1):
        evaluation = source(x[members], members, step)
        size = evaluation.objectives.abs().amax(-1)
        if limits is None:
            limits = DIVERGENCE_THRESHOLD * (1 + size)
        sound = size <= limits[members]  # false for NaN
        if not bool(sound.all()):
            end(members[~sound], State.DIVERGED, step)
            members, evaluation = members[sound], _select(evaluation, sound)
        if step == steps or not len(members):
            if watch and len(members):
                watch(step, x[members], members, evaluation, None)
            break
        found = directions(aggregators, evaluation.jacobian, members, step, randomness)
        sound = found.sound
        if found.raised:
            for member, error in zip(members[~sound].tolist(), found.raised, strict=True):
                states[member] = State.FAILED if error else State.DIVERGED
                ends[member], errors[member] = step, error
            members, evaluation = members[sound], _select(evaluation, sound)
            if not len(members):
                break
        if weighed and found.weights is not None:
            weighed(step, members, found.weights)
        old = x[members]
        if watch:
            watch(step, old, members, evaluation, found.vectors)
        new = optimizer.step(old, found.vectors, members)
        x[members] = new
        if rest:
            moved = (new != old).any(-1)
            members = members if bool(moved.all()) else members[moved]
            if not len(members):
                break
    return DescentResult(x, states, ends, errors)


def _select(evaluation: Evaluation, keep: Tensor) -> Evaluation:
    return Evaluation(evaluation.objectives[keep], evaluation.jacobian[keep])
