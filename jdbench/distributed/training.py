"""A training with one objective per data share, its shares spread over ranks ([JD] Section 3)."""

from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from torch import Tensor

from jdbench.aggregator import Aggregator, resolve
from jdbench.descent.loop import DIVERGENCE_THRESHOLD, State
from jdbench.descent.optimizers import check_optimizer, make_optimizer
from jdbench.distributed.aggregation import aggregate_shares, gather_rows
from jdbench.distributed.processes import PATIENCE, run_ranks
from jdbench.errors import InputError, JDBenchError
from jdbench.problem import TrainingProblem, resolve_problem, seeded
from jdbench.shapes import Vector


@runtime_checkable
class SharedTraining(Protocol):
    """A `Training` whose rows can be computed one by one, each from its own share of the data.

    Attributes:
        parameters: The model's parameters at the start, shape ``[n]``.
        shares: Number of data shares m.

    Example:
        >>> from jdbench.distributed import SharedTraining
        >>> from jdbench.problem import resolve_problem
        >>> training = resolve_problem("Shares-digits(shares=4)").training(1)
        >>> isinstance(training, SharedTraining), training.shares
        (True, 4)
        >>> loss, gradient = training.share(training.parameters, 0, index=2)
        >>> gradient.shape == training.parameters.shape
        True
    """

    parameters: Vector
    shares: int

    def share(self, x: Vector, step: int, index: int) -> tuple[Tensor, Vector]:
        """Return the loss of one share's batch of a step and its gradient.

        Args:
            x: Parameters, shape ``[n]``.
            step: Index of the batch, from 0.
            index: Which share, 0 to m - 1; no other share's data are read.

        Returns:
            Loss, a scalar, and gradient, shape ``[n]``.
        """
        ...


class Trained(NamedTuple):
    """The end of a distributed training.

    Attributes:
        x: Last parameters, shape ``[n]``, the same bits on every rank.
        losses: Losses of the shares' batches before each step, shape ``[steps, m]``.
        state: Whether it finished or diverged.

    Example:
        >>> import torch
        >>> from jdbench.descent import State
        >>> from jdbench.distributed import Trained
        >>> trained = Trained(torch.zeros(2), torch.tensor([[3.0, 1.0], [2.0, 0.5]]), State.FINISHED)
        >>> trained.losses[-1]  # of two shares, before the last step
        tensor([2.0000, 0.5000])
    """

    x: Vector
    losses: Tensor
    state: State


def train_distributed(
    problem: str,
    aggregator: str,
    *,
    ranks: int,
    rate: float,
    steps: int,
    seed: int = 1,
    optimizer: str = "descent",
    patience: float = PATIENCE,
    route: Literal["rows", "columns"] | None = None,
) -> Trained:
    """Train over processes of this machine, each computing the gradients of its own shares only.

    The parameters are those of `descend` with the problem's training in one process of one thread, bit for bit
    if rows are gathered, which they are up to 4 MiB of them.

    Args:
        problem: Spec of a problem whose training is a `SharedTraining`.
        aggregator: Spec of the aggregator.
        ranks: Number of processes, 1 to the number of shares, which they hold in blocks as even as can be.
        rate: Learning rate η.
        steps: Number of steps.
        seed: Number of the run, from 1; it seeds a random aggregator too.
        optimizer: Spec of the optimiser; its state is kept by every rank.
        patience: Seconds that a rank may keep the others waiting.
        route: How rows travel, see `aggregate_shares`.

    Returns:
        The parameters and losses.

    Raises:
        InputError: A spec or number is not usable; found before a process starts.
        ShareLostError: A rank died, raised or hung.
        JDBenchError: The ranks ended with different parameters, as those of unlike machines may.

    Example:
        >>> from jdbench.distributed import train_distributed
        >>> trained = train_distributed("Shares-digits(shares=2)", "UPGrad", ranks=1, rate=0.3, steps=4)
        >>> trained.losses.shape, str(trained.state)
        (torch.Size([4, 2]), 'finished')
        >>> bool((trained.losses[-1] < trained.losses[0]).all())
        True
    """
    resolve(aggregator)
    check_optimizer(optimizer)
    shares = _training(problem, seed).shares
    if not 1 <= ranks <= shares:
        raise InputError(
            f"ranks={ranks}, required 1 to the number of shares {shares}, got another, try {shares}"
        )
    arguments = (problem, aggregator, rate, steps, seed, optimizer, route)
    first, *others = run_ranks(_train, ranks, *arguments, patience=patience)
    if not all(torch.equal(first.x, other.x) or first.state is State.DIVERGED for other in others):
        raise JDBenchError(
            "parameters, required the same on every rank, got different ones, run on like machines"
        )
    return first


def _training(problem: str, seed: int) -> SharedTraining:
    resolved = resolve_problem(problem)
    training = resolved.training(seed) if isinstance(resolved, TrainingProblem) else resolved
    if not isinstance(training, SharedTraining):
        raise InputError(
            f"problem={problem!r}, required a training with data shares, got none, try Shares-digits"
        )
    return training


def _train(
    problem: str,
    aggregator: str,
    rate: float,
    steps: int,
    seed: int,
    optimizer: str,
    route: Literal["rows", "columns"] | None,
) -> Trained:
    """Train on this rank's shares, in step with the others."""
    training = _training(problem, seed)
    own = torch.arange(training.shares).tensor_split(dist.get_world_size())[dist.get_rank()].tolist()
    chosen = resolve(aggregator).aggregator
    generator = seeded(seed)
    x = training.parameters.unsqueeze(0)
    mover = make_optimizer(optimizer, x, torch.tensor([rate], dtype=torch.float64))
    losses: list[Tensor] = []
    for step in range(steps):
        pairs = [training.share(x[0], step, index) for index in own]
        rows = torch.stack([gradient for _, gradient in pairs])
        values = torch.stack([loss for loss, _ in pairs]).where(rows.isfinite().all(-1), torch.nan)
        # All ranks see all losses, and so agree on whether to go on.
        losses.append(gather_rows(values.unsqueeze(-1)).squeeze(-1))
        if not bool(losses[-1].abs().amax() <= DIVERGENCE_THRESHOLD * (1 + losses[0].abs().amax())):
            return Trained(x[0], torch.stack(losses), State.DIVERGED)
        # As `descend` does: in a batch of one where batches are promised, which may decide the last bit.
        batched = isinstance(chosen, Aggregator) and not chosen.random
        direction = aggregate_shares(
            rows.unsqueeze(0) if batched else rows, chosen, generator=generator, route=route
        )
        x = mover.step(x, direction.view(1, -1), torch.zeros(1, dtype=torch.int64))
    return Trained(x[0], torch.stack(losses) if losses else torch.empty(0, training.shares), State.FINISHED)
