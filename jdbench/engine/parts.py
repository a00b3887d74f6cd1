"""What one layer adds to the Gramian and to the gradient, kept until the weights of the rows are known.

By (12) of [JD] the Gramian is a sum over parameters. A part stands for the per-instance gradients of some of
them, in whatever form is cheapest: explicitly (`Rows`), as a sum of outer products (`OuterProducts`), or as
looked-up entries of a table (`jdbench.engine.rules.embedding`).
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol, final

import torch
from torch import Tensor

from jdbench.engine.products import factors, inner_products, weighted_sum, working
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


KEPT = 4
"""Per-instance gradients are kept from G to Jᵀw if they take at most so many times the memory of x and δ."""

AT_ONCE = 2**18
"""Entries of per-instance gradients in memory at once, if the factors themselves are smaller."""


@final
class OuterProducts(Part):
    """Per-instance gradients gᵢ = Σ_t δ_it ⊗ x_it of a weight, and Σ_t δ_it of a bias.

    Attributes:
        weight: Of shape ``[o, ...]`` with i = n/o; None if frozen.
        bias: Of shape ``[o]``; None if absent or frozen.
    """

    def __init__(self, x: Tensor, delta: Tensor, weight: Target | None, bias: Target | None) -> None:
        """Keep the factors x ``[m, T, i]`` and δ ``[m, T, o]``, and weight and bias where they are trained."""
        self.weight, self.bias = weight, bias
        self._x, self._delta = working(x), working(delta)
        self._rows: Tensor | None = None
        self._squares: Tensor | None = None

    @property
    def parameters(self) -> tuple[Target, ...]:
        """The parameters, each once."""
        return tuple(p for p in (self.weight, self.bias) if p is not None)

    @staticmethod
    def joined(parts: "list[OuterProducts]") -> "OuterProducts":
        """Return the sum of parts of one weight and bias: cross terms come out of a longer sum over t."""
        x, delta = torch.cat([p._x for p in parts], 1), torch.cat([p._delta for p in parts], 1)
        return OuterProducts(x, delta, parts[0].weight, parts[0].bias)

    def rows(self) -> list[Tensor]:
        """Return gᵢ, one tensor ``[m, *shape]`` a parameter."""
        if self._rows is not None:
            return self._apart(self._rows)
        found: list[Tensor] = []
        if self.weight is not None:
            found.append((self._delta.mT @ self._x).view(len(self._x), *self.weight.shape))
        if self.bias is not None:
            found.append(self._delta.sum(1))
        return found

    def _apart(self, rows: Tensor) -> list[Tensor]:
        """Take rows ``[…, o, i + 1]``, or their sum, apart; ``[…, o, i]`` without a bias."""
        assert self.weight is not None
        if self.bias is None:
            return [rows.reshape(*rows.shape[:-2], *self.weight.shape)]
        return [rows[..., :-1].reshape(*rows.shape[:-2], *self.weight.shape), rows[..., -1]]

    def gramian(self) -> Gramian:
        """Return Σ_ts (x_itᵀx_js + [bias]) (δ_itᵀδ_js), shape ``[m, m]``, float64, the cheaper of two ways."""
        G = self._gramian()
        self._squares = G.diagonal()
        return G

    def _gramian(self) -> Gramian:
        if self._rows is not None:
            return inner_products(self._rows.flatten(1))
        m, T, i = self._x.shape
        o = self._delta.shape[2]
        if self.weight is None:
            return inner_products(self._delta.sum(1))
        return self._by_positions() if m * T * T * (i + o) <= (T + m) * i * o else self._by_rows()

    def _by_positions(self) -> Tensor:
        """m²T²(i + o) multiplications: the inner products of all pairs of positions."""
        m, T = self._x.shape[:2]
        products = inner_products(self._x.flatten(0, 1))
        if self.bias is not None:
            products += 1
        products *= inner_products(self._delta.flatten(0, 1))
        return products if T == 1 else products.view(m, T, m, T).sum((1, 3))

    def _by_rows(self) -> Tensor:
        """MTio + m²io multiplications: gᵢ, kept if small, else as much of it at once as the factors hold."""
        x, delta = self._x, self._delta
        if self.bias is not None:  # the weight of an input that is always one
            x = torch.cat([x, x.new_ones(*x.shape[:2], 1)], 2)
        m, _, i = x.shape
        o, factors = delta.shape[2], x.numel() + delta.numel()
        if m * i * o <= KEPT * factors:
            self._rows = delta.mT @ x
            self._x, self._delta = x[:0], delta[:0]  # they are not needed any more
            return inner_products(self._rows.flatten(1))
        width = max(1, min(o, max(factors, AT_ONCE) // max(1, m * i)))
        G = torch.zeros(m, m, dtype=torch.float64, device=x.device)
        for d in delta.split(width, 2):
            G += inner_products((d.mT @ x).flatten(1))
        return G

    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ = Σ_it wᵢδ_it ⊗ x_it, one tensor a parameter."""
        if self._rows is not None:
            return self._apart(weighted_sum(w, self._rows.flatten(1)).view(self._rows.shape[1:]))
        # With weights that leave the range of the factors, in float64.
        delta = (self._delta * factors(w, self._delta.dtype).view(-1, 1, 1)).to(self._delta.dtype).flatten(0, 1)
        found = []
        if self.weight is not None:
            found.append((delta.mT @ self._x.flatten(0, 1)).view(self.weight.shape))
        if self.bias is not None:
            found.append(delta.sum(0))
        return found

    def bounds(self) -> list[Tensor]:
        """Return ‖gᵢ‖ of weight and bias together if G is known, else Σ_t ‖x_it‖‖δ_it‖ and Σ_t ‖δ_it‖."""
        if self._squares is not None:
            return [self._squares.clamp(min=0).sqrt()] * len(self.parameters)
        if self._rows is not None:
            return [torch.linalg.vector_norm(r.flatten(1), dim=1) for r in self._apart(self._rows)]
        x, delta = torch.linalg.vector_norm(self._x, dim=2), torch.linalg.vector_norm(self._delta, dim=2)
        return [t.sum(1) for p, t in ((self.weight, x * delta), (self.bias, delta)) if p is not None]
