"""Gradients of a real network in training: what the packaged file holds, and how it is read.

`captured.npz` was made by ``python -m benchmarks.capture``: instance-wise risk minimisation ([JD] Section 3) of
the network of [JD] Table 5 on MNIST (Y. LeCun, C. Cortes and C. J. C. Burges, CC BY-SA 3.0). It holds no image
and no label, only inner products of gradients: for a batch of 32 instances J = LQᵀ with orthonormal columns in
Q, hence JJᵀ = LLᵀ, and every aggregation Jᵀw = QLᵀw keeps its norm and its products with the rows.

L comes from a QR decomposition of the unit rows, scaled by their norms, so that a row of norm 1e-13 beside one
of norm 1 keeps its direction to full accuracy; a Cholesky factor of JJᵀ would have lost it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jdbench.shapes import Jacobian

FILE = Path(__file__).with_name("captured.npz")


@dataclass(frozen=True)
class Snapshot:
    """The gradients of one batch at one step of a training, up to a rotation.

    Attributes:
        step: Number of steps taken before, at least 0.
        factor: L with LLᵀ = JJᵀ, lower triangular, shape ``[m, m]``, float64, in the unit of the gradients.
    """

    step: int
    factor: Tensor

    @property
    def norms(self) -> Tensor:
        """Norms of the gradients, shape ``[m]``."""
        return self.factor.norm(dim=-1)

    @property
    def decades(self) -> float:
        """log₁₀ of the largest norm over the smallest."""
        return float((self.norms.max() / self.norms.min()).log10())

    @property
    def condition(self) -> float:
        """Condition number of the Gramian of the unit rows."""
        return float(torch.linalg.cond(self.factor / self.norms.unsqueeze(-1))) ** 2

    @property
    def conflicting(self) -> float:
        """Share of the pairs of rows whose inner product is negative."""
        units = self.factor / self.norms.unsqueeze(-1)
        i, j = torch.triu_indices(len(units), len(units), 1)
        return float(((units @ units.T)[i, j] < 0).to(torch.float64).mean())


def triangular(J: Jacobian) -> Tensor:
    """Return L with LLᵀ = JJᵀ, each row to the relative accuracy of its own norm.

    Args:
        J: Rows of which none is zero, shape ``[m, n]`` with m ≤ n, float64.

    Returns:
        Lower triangle, shape ``[m, m]``.
    """
    norms = J.norm(dim=-1, keepdim=True)
    return norms * torch.linalg.qr((J / norms).T, mode="r").R.T


@cache
def snapshots(file: Path = FILE) -> tuple[Snapshot, ...]:
    """Return the snapshots in a file, in the order of their steps.

    Args:
        file: As `save` writes it; the packaged one by default.

    Returns:
        The snapshots. They are shared: whoever changes one copies it first.
    """
    with np.load(file) as arrays:
        steps: list[int] = arrays["steps"].tolist()
        factors = torch.from_numpy(arrays["factors"])
    return tuple(Snapshot(*pair) for pair in zip(steps, factors, strict=True))


def save(taken: Sequence[Snapshot], file: Path, *, rate: float, seed: int) -> None:
    """Write snapshots to a file.

    Args:
        taken: Snapshots of equally many rows.
        file: Where to.
        rate: Learning rate of the training, stored beside them.
        seed: Its seed, as well.
    """
    np.savez_compressed(
        file,
        steps=np.array([one.step for one in taken]),
        factors=torch.stack([one.factor for one in taken]).numpy(),
        rate=np.array(rate),
        seed=np.array(seed),
    )
