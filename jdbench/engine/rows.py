"""Per-instance gradients of parameters as they are, one after the other."""

from functools import cached_property
from typing import final

import torch
from torch import Tensor

from jdbench.engine.part import Part, Target
from jdbench.engine.products import inner_products, weighted_sum
from jdbench.engine.scale import working
from jdbench.shapes import Gramian, Weights

SMALL = 2**14
"""Entries of the gradients of a parameter that are laid beside others."""


@final
class Rows(Part):
    """Per-instance gradients, one after the other."""

    def __init__(self, rows: dict[Target, Tensor]) -> None:
        """Keep the gradients.

        Args:
            rows: Shape ``[m, *shape]`` for each parameter, at least one.
        """
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
        """Return Σᵢ wᵢgᵢ.

        Args:
            w: Shape ``[m]``, float64.

        Returns:
            One tensor a parameter, of its shape.
        """
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
