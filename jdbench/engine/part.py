"""What one layer adds to the Gramian and to the gradient, kept until the weights of the rows are known.

By (12) of [JD] the Gramian is a sum over parameters. A part stands for the per-instance gradients of some of
them, in whatever form is cheapest: explicitly (`Rows`), or as a sum of outer products (`OuterProducts`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from jdbench.shapes import Gramian, Jacobian, Weights


class Target(Protocol):
    """What a gradient is taken with respect to: a parameter, or something derived from parameters."""

    @property
    def shape(self) -> torch.Size:
        """Its shape."""
        ...

    def numel(self) -> int:
        """Return the number of its entries."""
        ...


class Part(ABC):
    """The per-instance gradients gᵢ of some parameters, i = 1 to m."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Target, ...]:
        """The parameters, each once."""

    @abstractmethod
    def gramian(self) -> Gramian:
        """Return gᵢᵀgⱼ, shape ``[m, m]``, float64."""

    @abstractmethod
    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ.

        Args:
            w: Shape ``[m]``, float64.

        Returns:
            One tensor a parameter, of its shape.
        """

    @abstractmethod
    def rows(self) -> list[Tensor]:
        """Return gᵢ itself, one tensor ``[m, *shape]`` a parameter."""

    @abstractmethod
    def bounds(self) -> list[Tensor]:
        """Return upper bounds of ‖gᵢ‖, one tensor ``[m]`` a parameter: what rounding errors are relative to."""


def gramian_of(parts: Sequence[Part], losses: Tensor) -> Gramian:
    """Return the Gramian of all parts, no two of which share a parameter, on the device of the losses."""
    m = losses.numel()
    G = torch.zeros(m, m, dtype=torch.float64, device=losses.device)
    for part in parts:
        G += part.gramian()
    return G


def jacobian_of(parts: Sequence[Part], losses: Tensor, parameters: Sequence[Target]) -> Jacobian:
    """Return the rows of all parts, in the dtype of the losses, as columns in the order of some parameters."""
    rows = {p: r for part in parts for p, r in zip(part.parameters, part.rows(), strict=True)}
    m, columns = losses.numel(), 0
    J = losses.new_zeros(m, sum(p.numel() for p in parameters))
    for p in parameters:
        if p in rows:
            J[:, columns : columns + p.numel()] = rows[p].reshape(m, -1)
        columns += p.numel()
    return J
