"""What one layer adds to the Gramian and to the gradient, kept until the weights of the rows are known.

By (12) of [JD] the Gramian is a sum over parameters. A part stands for the per-instance gradients of some of
them, in whatever form is cheapest: explicitly (`Rows`, here), as a sum of outer products
(`jdbench.engine.outer_products`), or as looked-up entries of a table (`jdbench.engine.rules.embedding`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, final

import torch
from torch import Tensor

from jdbench.engine.products import inner_products, weighted_sum, working
from jdbench.shapes import Gramian, Jacobian, Weights

SMALL = 2**14
"""Entries of the gradients of a parameter that are laid beside others."""


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
        """Return Σᵢ wᵢgᵢ for weights ``[m]``, float64, one tensor a parameter, of its shape."""

    @abstractmethod
    def rows(self) -> list[Tensor]:
        """Return gᵢ itself, one tensor ``[m, *shape]`` a parameter."""

    @abstractmethod
    def bounds(self) -> list[Tensor]:
        """Return upper bounds of ‖gᵢ‖, one tensor ``[m]`` a parameter: what rounding errors are relative to."""


@final
class Rows(Part):
    """Per-instance gradients, one after the other."""

    def __init__(self, rows: dict[Target, Tensor]) -> None:
        """Keep the gradients, shape ``[m, *shape]`` for each parameter, at least one."""
        self._rows = {p: working(r) for p, r in rows.items()}

    @property
    def parameters(self) -> tuple[Target, ...]:
        """The parameters, each once."""
        return tuple(self._rows)

    def rows(self) -> list[Tensor]:
        """Return gᵢ, one tensor ``[m, *shape]`` a parameter."""
        return list(self._rows.values())

    def gramian(self) -> Gramian:
        """Return gᵢᵀgⱼ, shape ``[m, m]``, float64; accurate as `inner_products` says."""
        first, *others = (inner_products(r) for r in self._matrices.values())
        for G in others:
            first += G
        return first

    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ, one tensor a parameter."""
        found: dict[Target, Tensor] = {}
        for parameters, matrix in self._matrices.items():
            sums = weighted_sum(w, matrix).split([p.numel() for p in parameters])
            found |= {p: g.view(p.shape) for p, g in zip(parameters, sums, strict=True)}
        return [found[p] for p in self._rows]

    def bounds(self) -> list[Tensor]:
        """Return ‖gᵢ‖, one tensor ``[m]`` a parameter."""
        return [torch.linalg.vector_norm(r.reshape(len(r), -1), dim=1) for r in self._rows.values()]

    @cached_property
    def _matrices(self) -> dict[tuple[Target, ...], Tensor]:
        """The gradients as matrices ``[m, n]``: the small ones of a dtype are one, as one product is faster."""
        found: dict[tuple[Target, ...], Tensor] = {}
        small: dict[torch.dtype, list[Target]] = {}
        for p, r in self._rows.items():
            if r.numel() <= SMALL:
                small.setdefault(r.dtype, []).append(p)
            else:
                found[p,] = r.reshape(len(r), -1)
        for parameters in small.values():
            found[tuple(parameters)] = torch.cat(
                [self._rows[p].reshape(len(self._rows[p]), -1) for p in parameters], 1
            )
        return found


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
