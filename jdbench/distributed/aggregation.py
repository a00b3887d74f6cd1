"""Aggregation of a Jacobian whose rows lie on the ranks of a process group, a data share each ([JD] Section 3).

Every rank gets the same direction. Two routes lead there; n entries a row, k rows a rank, m = k·ranks:

- ``rows``: all ranks gather all rows and aggregate them, each for itself. A rank receives (m - k)n entries
  in one exchange. Any aggregator; the result is that of a single process, bit for bit.
- ``columns``: rank r gets the r-th block of columns of all rows (all-to-all, (1 - 1/ranks)kn entries received),
  the m × m Gramians of the blocks are summed, each rank finds the weights, combines its block and sends it to
  all ((1 - 1/ranks)n entries received). For k = 1 these are 2(1 - 1/ranks)n entries, what a ring takes to
  average the gradients, and 2(1 - 1/ranks)m² more: since averaging is a case of it, almost nothing can be
  saved. To weigh one's own rows and sum them over the ranks, instead of the last step, would receive twice its
  entries. Aggregators with weights only; the Gramian is summed in another order than in a single process, so
  that it differs by rounding.

Three exchanges wait longer than one, so ``columns`` is taken where the rows come to more than `GATHERED` bytes.
"""

import contextlib
from collections.abc import Generator, Iterable
from typing import Literal

import torch
import torch.distributed as dist
from torch import Tensor

from jdbench.aggregator import Aggregator, AnyAggregator, GramianAggregator, aggregate
from jdbench.errors import InputError, NonFiniteError, ShareLostError
from jdbench.gramian import check_jacobian, combine, gramian
from jdbench.shapes import Jacobian, Vector

GATHERED = 2**22
"""Bytes of the whole Jacobian up to which rows are gathered: an exchange costs more than what it carries."""

DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)

Group = dist.ProcessGroup | None
"""A process group, or None for all ranks."""


def aggregate_shares(
    rows: Jacobian,
    aggregator: AnyAggregator,
    *,
    group: Group = None,
    generator: torch.Generator | None = None,
    route: Literal["rows", "columns"] | None = None,
) -> Vector:
    """Return A(J) on every rank, J being the rows of all ranks in their order. All ranks must call it.

    Args:
        rows: This rank's rows, shape ``[..., k, n]``, or ``[n]`` for one; k may differ from rank to rank.
        aggregator: The same on every rank.
        group: The ranks that hold rows.
        generator: Source of randomness, in the same state on every rank; if None, rank 0's global one seeds
            the draws of all.
        route: How the rows travel; by their size if None.

    Returns:
        Direction, shape ``[..., n]``, dtype and device of the rows, the same bits on every rank.

    Raises:
        InputError: The ranks' rows do not fit together, or ``columns`` is asked for without weights.
        ShareLostError: A rank died, or did not answer within the group's timeout.

    Example:
        >>> import torch
        >>> import torch.distributed as dist
        >>> from jdbench.aggregators import UPGrad
        >>> from jdbench.distributed import aggregate_shares
        >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        >>> rows = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])  # this rank's; here there is no other
        >>> aggregate_shares(rows, UPGrad()).round(decimals=3)
        tensor([1.0000, 1.5000])
        >>> dist.destroy_process_group()
    """
    rows = rows.detach().unsqueeze(0) if rows.ndim == 1 else rows.detach()
    draws = not isinstance(aggregator, Aggregator) or aggregator.random
    counts, seed = _agree(rows, draws and generator is None, group)
    if draws and generator is None:
        generator = torch.Generator().manual_seed(seed)
    if route is None:
        large = sum(counts) * rows.numel() // rows.shape[-2] * rows.element_size() > GATHERED
        route = "columns" if large and isinstance(aggregator, GramianAggregator) else "rows"
    if route == "rows":
        return aggregate(aggregator, _gather(rows, counts, group), generator=generator)
    if not isinstance(aggregator, GramianAggregator):
        raise InputError(
            f"route='columns', required an aggregator with weights, got {aggregator!r}, take route='rows'"
        )
    return _by_columns(rows, counts, aggregator, group, generator)


def aggregate_gradients(
    parameters: Iterable[Tensor],
    aggregator: AnyAggregator,
    *,
    group: Group = None,
    generator: torch.Generator | None = None,
) -> None:
    """Put A(J) into the ``.grad`` of the parameters, each rank's row of J being the gradient that was there.

    To be called between ``loss.backward()`` and ``optimizer.step()``; it stands where distributed data
    parallelism averages. Parameters without a gradient count as having gradient 0.

    Args:
        parameters: The model's, in the same order on every rank, all of one dtype.
        aggregator: The same on every rank.
        group: The ranks that hold shares.
        generator: As for `aggregate_shares`.

    Example:
        >>> import torch
        >>> import torch.distributed as dist
        >>> from jdbench.aggregators import UPGrad
        >>> from jdbench.distributed import aggregate_gradients
        >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        >>> parameter = torch.nn.Parameter(torch.tensor([1.0, 2.0]))
        >>> parameter.square().sum().backward()
        >>> aggregate_gradients([parameter], UPGrad())  # that of all ranks; here of one
        >>> parameter.grad
        tensor([2., 4.])
        >>> dist.destroy_process_group()
    """
    wanted = [p for p in parameters if p.requires_grad]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in wanted]
    row = torch.cat([gradient.reshape(-1) for gradient in gradients])
    direction = aggregate_shares(row, aggregator, group=group, generator=generator)
    parts = direction.split([p.numel() for p in wanted])
    for parameter, part in zip(wanted, parts, strict=True):
        parameter.grad = part.view_as(parameter).clone()


def gather_rows(rows: Jacobian, *, group: Group = None) -> Jacobian:
    """Return the rows of all ranks in their order, on every rank.

    Args:
        rows: This rank's rows, shape ``[..., k, n]``.
        group: The ranks that hold rows.

    Returns:
        Shape ``[..., m, n]``.

    Raises:
        InputError: The ranks' rows do not fit together.
        ShareLostError: A rank died, or did not answer within the group's timeout.

    Example:
        >>> import torch
        >>> import torch.distributed as dist
        >>> from jdbench.distributed import gather_rows
        >>> dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
        >>> gather_rows(torch.tensor([[4.0, 0.0], [-1.0, 1.0]])).shape  # [k·ranks, n]; here there is one rank
        torch.Size([2, 2])
        >>> dist.destroy_process_group()
    """
    counts, _ = _agree(rows, False, group)
    return _gather(rows, counts, group)


def _agree(rows: Tensor, seeded: bool, group: Group) -> tuple[list[int], int]:
    """Return the number of rows of each rank and rank 0's seed; raise on all ranks if their rows do not fit."""
    check_jacobian(rows)
    *lead, k, n = rows.shape
    seed = int(torch.randint(2**62, ())) if seeded else 0
    own = [torch.Size(lead).numel(), n, DTYPES.index(rows.dtype), k, seed]
    facts: list[list[int]] = _all(torch.tensor(own, device=rows.device), group).tolist()
    for rank, other in enumerate(facts):
        if other[:3] != facts[0][:3]:
            kinds = [f"{b} × n={n} in {DTYPES[d]}" for b, n, d, *_ in (facts[0], other)]
            raise InputError(
                f"rows of rank {rank}, required {kinds[0]} as on rank 0, got {kinds[1]}, give all ranks the "
                "same model"
            )
    return [other[3] for other in facts], facts[0][4]


def _gather(rows: Tensor, counts: list[int], group: Group) -> Tensor:
    padded = rows.new_zeros(*rows.shape[:-2], max(counts), rows.shape[-1])
    padded[..., : rows.shape[-2], :] = rows
    parts = _all(padded, group)
    return torch.cat([part[..., :k, :] for part, k in zip(parts, counts, strict=True)], -2)


def _all(own: Tensor, group: Group) -> Tensor:
    """Return the tensors of all ranks, stacked."""
    gathered = own.new_empty(dist.get_world_size(group), *own.shape)
    with _together(group):
        dist.all_gather(list(gathered), own.contiguous(), group=group)
    return gathered


def _by_columns(
    rows: Tensor,
    counts: list[int],
    aggregator: GramianAggregator,
    group: Group,
    generator: torch.Generator | None,
) -> Tensor:
    world, (k, n) = len(counts), rows.shape[-2:]
    width = -(-n // world)
    flat = rows.reshape(-1, k, n)
    lead = len(flat)
    padded = torch.nn.functional.pad(flat, (0, world * width - n))
    sent = padded.view(lead, k, world, width).permute(2, 0, 1, 3).reshape(-1)
    received = rows.new_empty(lead * sum(counts) * width)
    with _together(group):
        dist.all_to_all_single(
            received,
            sent,
            [lead * count * width for count in counts],
            [lead * k * width] * world,
            group=group,
        )
    parts = received.split([lead * count * width for count in counts])
    block = torch.cat([p.view(lead, c, width) for p, c in zip(parts, counts, strict=True)], 1)
    try:
        G = gramian(block)
    except NonFiniteError:
        # To raise here would leave the other ranks waiting: all see it in the sum.
        G = block.new_full((lead, block.shape[1], block.shape[1]), torch.nan, dtype=torch.float64)
    with _together(group):
        dist.all_reduce(G, group=group)
    if not bool(torch.isfinite(G).all()):
        raise NonFiniteError(
            "J, required finite entries within 1e±150, got others on some rank, mask or rescale its objective"
        )
    piece = combine(block, aggregator.weights(G, generator=generator))
    whole = _all(piece, group).permute(1, 0, 2).reshape(lead, world * width)[:, :n]
    return whole.reshape(*rows.shape[:-2], n)


@contextlib.contextmanager
def _together(group: Group) -> Generator[None]:
    """Turn the error of an exchange that some rank did not answer into one that says so."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).partition(". This is typically")[0].rpartition("] ")[2]
        raise ShareLostError(
            f"rank={dist.get_rank(group)}, required an answer of all {dist.get_world_size(group)} ranks, got "
            f"{reason}, look for the rank that ended or hangs"
        ) from error
