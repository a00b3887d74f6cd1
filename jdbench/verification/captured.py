"""Gradients of real networks in training: what the packaged file holds, and how it is read.

`captured.npz` was made by ``python -m benchmarks.capture``: instance-wise risk minimisation ([JD] Section 3) of
the networks of [JD] Tables 2 to 5 on SVHN (Netzer et al. 2011), CIFAR-10 (Krizhevsky 2009), EuroSAT (Helber et
al. 2019, MIT) and MNIST (LeCun, Cortes and Burges, CC BY-SA 3.0). It holds no image and no label, only inner
products of gradients: for a batch of 32 instances J = LQᵀ with orthonormal columns in Q, hence JJᵀ = LLᵀ, and
every aggregation Jᵀw = QLᵀw keeps its norm and its products with the rows.

L comes from a QR decomposition of the unit rows, scaled by their norms, so that a row of norm 1e-13 beside one
of norm 1 keeps its direction to full accuracy; a Cholesky factor of JJᵀ would have lost it.
"""

from collections.abc import Mapping, Sequence
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
        network: By its data set, such as ``"MNIST"``.
        step: Number of steps taken before, at least 0.
        factor: L with LLᵀ = JJᵀ, lower triangular, shape ``[m, m]``, float64, in the unit of the gradients.
    """

    network: str
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
    """Return the snapshots in a file, network by network, in the order of their steps.

    Args:
        file: As `save` writes it; the packaged one by default.

    Returns:
        The snapshots. They are shared: whoever changes one copies it first.
    """
    with np.load(file) as arrays:
        networks: list[str] = arrays["networks"].tolist()
        steps: list[int] = arrays["steps"].tolist()
        factors = torch.from_numpy(arrays["factors"])
    return tuple(Snapshot(*one) for one in zip(networks, steps, factors, strict=True))


def training(network: str) -> tuple[Snapshot, ...]:
    """Return the packaged snapshots of one network, in the order of their steps.

    Args:
        network: By its data set, such as ``"MNIST"``.

    Returns:
        The snapshots, none for a network that is not packaged.
    """
    return tuple(one for one in snapshots() if one.network == network)


def save(taken: Sequence[Snapshot], file: Path, *, rates: Mapping[str, float], seed: int) -> None:
    """Write snapshots to a file.

    Args:
        taken: Snapshots of equally many rows.
        file: Where to.
        rates: Learning rate of each network's training, stored beside them.
        seed: Their seed, as well.
    """
    np.savez_compressed(
        file,
        networks=np.array([one.network for one in taken]),
        steps=np.array([one.step for one in taken]),
        factors=torch.stack([one.factor for one in taken]).numpy(),
        rates=np.array([rates[one.network] for one in taken]),
        seed=np.array(seed),
    )
