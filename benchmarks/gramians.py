"""Gramians to solve with: of Gaussian Jacobians of full and of half rank, and of a network in training."""

from functools import cache

import torch
from torch import Tensor

from jdbench.verification.captured import training

CAPTURED = {"captured": "MNIST", "SVHN": "SVHN", "CIFAR-10": "CIFAR-10", "EuroSAT": "EuroSAT"}
"""The network of each rank that was captured in training; the first keeps the name it had when it was alone."""

CAPTURED_ROWS = 32
"""Instances of a captured batch."""

RANKS = ["full", "half", *CAPTURED]
"""Values of the parameter ``rank``.

Gaussian J of n = m columns, the worst conditioned of full rank; of n = m/2 columns; and the first m of 32
gradients after 160 steps of training the networks of [JD] Tables 2 to 5 (m ≤ 32).
"""

CAPTURED_STEP = 160


@cache
def gramian(rank: str, m: int, batch: int = 1, device: str = "cpu") -> Tensor:
    """Return the same Gramians at every call and in every process.

    Args:
        rank: Out of `RANKS`.
        m: Number of rows.
        batch: Number of Gramians; for 1 there is no leading dimension.
        device: Where.

    Returns:
        Shape ``[batch, m, m]`` or ``[m, m]``, float64.
    """
    J = jacobian(rank, m, batch)
    G = J @ J.mT
    return (G[0] if batch == 1 else G).to(device)


def jacobian(rank: str, m: int, batch: int = 1) -> Tensor:
    """Return the Jacobians of `gramian`, shape ``[batch, m, n]``, float64, on the CPU."""
    if rank in CAPTURED:
        factor = next(one.factor for one in training(CAPTURED[rank]) if one.step == CAPTURED_STEP)
        return factor[:m].expand(batch, -1, -1)
    n = m if rank == "full" else m // 2
    return torch.randn(batch, m, n, dtype=torch.float64, generator=torch.Generator().manual_seed(m))
