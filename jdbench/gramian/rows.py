"""Per-instance gradients of parameters as they are, one after the other."""

from typing import final

from torch import Tensor
from torch.nn import Parameter

from jdbench.gramian.part import Part
from jdbench.gramian.products import inner_products, weighted_sum
from jdbench.gramian.scale import working
from jdbench.shapes import Gramian, Weights


@final
class Rows(Part):
    """Per-instance gradients, one after the other."""

    def __init__(self, rows: dict[Parameter, Tensor]) -> None:
        """Keep the gradients.

        Args:
            rows: Shape ``[m, *shape]`` for each parameter, at least one.
        """
        self._rows = {p: working(r) for p, r in rows.items()}

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, each once."""
        return tuple(self._rows)

    def rows(self) -> list[Tensor]:
        """Return gᵢ, one tensor ``[m, *shape]`` a parameter."""
        return list(self._rows.values())

    def gramian(self) -> Gramian:
        """Return gᵢᵀgⱼ, shape ``[m, m]``, float64; accurate as `inner_products` says."""
        first, *others = (inner_products(r.flatten(1)) for r in self._rows.values())
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
        return [weighted_sum(w, r.flatten(1)).view_as(p) for p, r in self._rows.items()]
