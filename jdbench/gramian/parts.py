"""What one layer adds to the Gramian and to the gradient, kept until the weights of the rows are known.

By (12) of [JD] the Gramian is a sum over parameters. A part stands for the per-instance gradients of some of
them, in whatever form is cheapest: explicitly (`Rows`), or as a sum of outer products (`OuterProducts`).
"""

from abc import ABC, abstractmethod
from collections import Counter
from typing import final

import torch
from torch import Tensor
from torch.nn import Parameter

from jdbench.gramian.scale import exponents, grow, inner_products, shrink, weigh, working
from jdbench.shapes import Gramian, Weights


class Part(ABC):
    """The per-instance gradients gᵢ of some parameters, i = 1 to m."""

    @property
    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
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


@final
class Rows(Part):
    """Per-instance gradients, one after the other."""

    def __init__(self, rows: dict[Parameter, Tensor], *, own: bool = False) -> None:
        """Keep the gradients.

        Args:
            rows: Shape ``[m, *shape]`` for each parameter.
            own: Whether nobody else holds their memory.
        """
        self._rows = {p: working(r) for p, r in rows.items()}
        self._own = own
        self._shrunk: list[tuple[Tensor, Tensor]] = []

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, each once."""
        return tuple(self._rows)

    def rows(self) -> list[Tensor]:
        """Return gᵢ, one tensor ``[m, *shape]`` a parameter."""
        return list(self._rows.values())

    def gramian(self) -> Gramian:
        """Return gᵢᵀgⱼ, shape ``[m, m]``, float64; accurate as `inner_products` says."""
        self._shrink()
        return torch.stack([grow(inner_products(r), e) for r, e in self._shrunk]).sum(0)

    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ.

        Args:
            w: Shape ``[m]``, float64.

        Returns:
            One tensor a parameter, of its shape.
        """
        self._shrink()
        return [
            (weigh(w, e, r.dtype) @ r).view_as(p) for p, (r, e) in zip(self._rows, self._shrunk, strict=True)
        ]

    def _shrink(self) -> None:
        if not self._shrunk:
            for p, r in self._rows.items():
                e = exponents(r)
                self._shrunk.append((shrink(r, e, own=self._own).flatten(1), e))
                self._rows[p] = r.new_empty(0)  # the shrunk ones stand for them


@final
class OuterProducts(Part):
    """Per-instance gradients gᵢ = Σ_t δ_it ⊗ x_it of a weight, and Σ_t δ_it of a bias.

    Attributes:
        weight: Of shape ``[o, ...]`` with i = n/o; None if frozen.
        bias: Of shape ``[o]``; None if absent or frozen.
    """

    def __init__(self, x: Tensor, delta: Tensor, weight: Parameter | None, bias: Parameter | None) -> None:
        """Keep the factors.

        Args:
            x: Shape ``[m, T, i]``.
            delta: Gradients δ, shape ``[m, T, o]``.
            weight: The weight, if trained.
            bias: The bias, if trained.
        """
        self.weight, self.bias = weight, bias
        self._x, delta = working(x), working(delta)
        self._e = exponents(delta)
        self._delta = shrink(delta, self._e)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, each once."""
        return tuple(p for p in (self.weight, self.bias) if p is not None)

    def joined(self, other: "OuterProducts") -> "OuterProducts":
        """Return the sum of two parts of the same parameters: cross terms come out of a longer sum over t.

        Args:
            other: Of the same weight and bias.

        Returns:
            Their sum.
        """
        x = torch.cat([self._x, other._x], 1)
        delta = torch.cat([self._grown(), other._grown()], 1)
        return OuterProducts(x, delta, self.weight, self.bias)

    def rows(self) -> list[Tensor]:
        """Return gᵢ, one tensor ``[m, *shape]`` a parameter."""
        delta = self._grown()
        found: list[Tensor] = []
        if self.weight is not None:
            found.append((delta.mT @ self._x).view(-1, *self.weight.shape))
        if self.bias is not None:
            found.append(delta.sum(1))
        return found

    def gramian(self) -> Gramian:
        """Return Σ_ts (x_itᵀx_js + [bias]) (δ_itᵀδ_js), shape ``[m, m]``, float64, the cheaper of two ways."""
        m, T, i = self._x.shape
        o = self._delta.shape[2]
        if self.weight is None:
            return grow(inner_products(self._delta.sum(1)), self._e)
        if m * T * T * (i + o) <= (T + m) * i * o:
            return grow(self._by_positions(), self._e)
        G = self._by_rows()
        if self.bias is not None:
            G = G + inner_products(self._delta.sum(1))
        return grow(G, self._e)

    def _grown(self) -> Tensor:
        return shrink(self._delta, -self._e)

    def _by_positions(self) -> Tensor:
        """m²T²(i + o) multiplications: the inner products of all pairs of positions."""
        m, T = self._x.shape[:2]
        products = inner_products(self._x.flatten(0, 1))
        if self.bias is not None:
            products = products + 1
        products = products * inner_products(self._delta.flatten(0, 1))
        return products.view(m, T, m, T).sum((1, 3))

    def _by_rows(self) -> Tensor:
        """MTio + m²io multiplications: gᵢ, no more of it at once than the factors hold themselves."""
        m, _, i = self._x.shape
        o = self._delta.shape[2]
        width = max(1, min(o, (self._x.numel() + self._delta.numel()) // (m * i)))
        G = torch.zeros(m, m, dtype=torch.float64, device=self._x.device)
        for d in self._delta.split(width, 2):
            G += inner_products((d.mT @ self._x).flatten(1))
        return G

    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ = Σ_it wᵢδ_it ⊗ x_it.

        Args:
            w: Shape ``[m]``, float64.

        Returns:
            One tensor a parameter, of its shape.
        """
        delta = (self._delta * weigh(w, self._e, self._delta.dtype).view(-1, 1, 1)).flatten(0, 1)
        found: list[Tensor] = []
        if self.weight is not None:
            found.append((delta.mT @ self._x.flatten(0, 1)).view_as(self.weight))
        if self.bias is not None:
            found.append(delta.sum(0))
        return found


def merged(parts: list[Part]) -> list[Part]:
    """Return parts of which no two share a parameter: the Gramian of a sum needs its cross terms.

    Args:
        parts: In any order, a parameter in any number of them.

    Returns:
        Parts whose Gramians may be added.
    """
    owners = Counter(p for part in parts for p in part.parameters)
    shared = {p for p, count in owners.items() if count > 1}
    apart = [part for part in parts if shared.isdisjoint(part.parameters)]
    components: list[list[Part]] = []
    for part in parts:
        mine = shared.intersection(part.parameters)
        if mine:
            touched = [c for c in components if any(not mine.isdisjoint(other.parameters) for other in c)]
            components = [c for c in components if c not in touched]
            components.append([*(other for c in touched for other in c), part])
    return apart + [_sum(component) for component in components]


def _sum(parts: list[Part]) -> Part:
    total = parts[0]
    for part in parts[1:]:
        if (
            isinstance(total, OuterProducts)
            and isinstance(part, OuterProducts)
            and list(map(id, total.parameters)) == list(map(id, part.parameters))
        ):
            total = total.joined(part)
        else:
            rows = dict(zip(total.parameters, total.rows(), strict=True))
            for p, r in zip(part.parameters, part.rows(), strict=True):
                rows[p] = rows[p] + r if p in rows else r
            total = Rows(rows)
    return total
