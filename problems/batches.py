"""Which examples a step sees: random orders cut into batches, apart since every training draws them so."""

from functools import lru_cache

import torch
from torch import Tensor

from jdbench.problem import seeded


def batch(size: int, batch_size: int, seed: int, step: int) -> Tensor:
    """Return the examples of a step. The remainder of an uneven cut is left out of its epoch.

    Args:
        size: Number of examples.
        batch_size: Examples of a batch, 1 to ``size``.
        seed: Seed of the orders.
        step: Index of the batch, from 0.

    Returns:
        Indices, shape ``[batch_size]``.
    """
    epoch, within = divmod(step, size // batch_size)
    return order(size, seed, epoch)[within * batch_size : (within + 1) * batch_size]


@lru_cache(maxsize=512)
def order(size: int, seed: int, epoch: int) -> Tensor:
    """Return the random order of an epoch, shape ``[size]``."""
    return torch.randperm(size, generator=seeded(1_000_003 * seed + epoch))
