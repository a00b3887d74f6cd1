"""Per-instance gradients as sums of outer products of a layer's inputs x and its outputs' gradients δ."""

from typing import final

import torch
from torch import Tensor

from jdbench.engine.part import Part, Target
from jdbench.engine.products import inner_products
from jdbench.engine.scale import working
from jdbench.shapes import Gramian, Weights


@final
class OuterProducts(Part):
    """Per-instance gradients gᵢ = Σ_t δ_it ⊗ x_it of a weight, and Σ_t δ_it of a bias.

    Attributes:
        weight: Of shape ``[o, ...]`` with i = n/o; None if frozen.
        bias: Of shape ``[o]``; None if absent or frozen.
    """

    def __init__(self, x: Tensor, delta: Tensor, weight: Target | None, bias: Target | None) -> None:
        """Keep the factors.

        Args:
            x: Shape ``[m, T, i]``.
            delta: Gradients δ, shape ``[m, T, o]``.
            weight: The weight, if trained.
            bias: The bias, if trained.
        """
        self.weight, self.bias = weight, bias
        self._x, self._delta = working(x), working(delta)

    @property
    def parameters(self) -> tuple[Target, ...]:
        """The parameters, each once."""
        return tuple(p for p in (self.weight, self.bias) if p is not None)

    @staticmethod
    def joined(parts: "list[OuterProducts]") -> "OuterProducts":
        """Return the sum of parts of the same parameters: cross terms come out of a longer sum over t.

        Args:
            parts: At least one, all of one weight and bias.

        Returns:
            Their sum.
        """
        x, delta = torch.cat([p._x for p in parts], 1), torch.cat([p._delta for p in parts], 1)
        return OuterProducts(x, delta, parts[0].weight, parts[0].bias)

    def rows(self) -> list[Tensor]:
        """Return gᵢ, one tensor ``[m, *shape]`` a parameter."""
        found: list[Tensor] = []
        if self.weight is not None:
            found.append((self._delta.mT @ self._x).view(len(self._x), *self.weight.shape))
        if self.bias is not None:
            found.append(self._delta.sum(1))
        return found

    def gramian(self) -> Gramian:
        """Return Σ_ts (x_itᵀx_js + [bias]) (δ_itᵀδ_js), shape ``[m, m]``, float64, the cheaper of two ways."""
        m, T, i = self._x.shape
        o = self._delta.shape[2]
        if self.weight is None:
            return inner_products(self._delta.sum(1))
        if m * T * T * (i + o) <= (T + m) * i * o:
            return self._by_positions()
        G = self._by_rows()
        return G if self.bias is None else G + inner_products(self._delta.sum(1))

    def _by_positions(self) -> Tensor:
        """m²T²(i + o) multiplications: the inner products of all pairs of positions."""
        m, T = self._x.shape[:2]
        products = inner_products(self._x.flatten(0, 1))
        if self.bias is not None:
            products += 1
        products *= inner_products(self._delta.flatten(0, 1))
        return products if T == 1 else products.view(m, T, m, T).sum((1, 3))

    def _by_rows(self) -> Tensor:
        """MTio + m²io multiplications: gᵢ, no more of it at once than the factors hold themselves."""
        m, _, i = self._x.shape
        o = self._delta.shape[2]
        width = max(1, min(o, (self._x.numel() + self._delta.numel()) // max(1, m * i)))
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
        # In float64, so that nothing leaves the range but what leaves it altogether.
        delta = (self._delta * w.view(-1, 1, 1)).to(self._delta.dtype).flatten(0, 1)
        found: list[Tensor] = []
        if self.weight is not None:
            found.append((delta.mT @ self._x.flatten(0, 1)).view(self.weight.shape))
        if self.bias is not None:
            found.append(delta.sum(0))
        return found

    def bounds(self) -> list[Tensor]:
        """Return Σ_t ‖x_it‖‖δ_it‖ for the weight and Σ_t ‖δ_it‖ for the bias."""
        x, delta = torch.linalg.vector_norm(self._x, dim=2), torch.linalg.vector_norm(self._delta, dim=2)
        return [t.sum(1) for p, t in ((self.weight, x * delta), (self.bias, delta)) if p is not None]
