"""Look-ups in a table, y_it = W[id_it]: row v of gᵢ is the sum of δ_it over the positions t with id_it = v."""

from typing import final

import torch
from torch import Tensor

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.layout import Gathered
from jdbench.engine.origin import origin
from jdbench.engine.parts import Part, Target
from jdbench.engine.products import exponents, grow, inner_products, shrink, shrunk_weights, working
from jdbench.engine.structure import saved
from jdbench.shapes import Gramian, Weights

CHUNK = 2**22
"""Entries of the rows, or of the products of positions, in memory at once."""


def counts_lookups(junction: Junction) -> bool:
    """Return whether the axis of instances is one of those of the identifiers."""
    layout = junction.layouts[0]
    scaled = saved(junction.node, "scale_grad_by_freq")
    return layout is not None and layout.axis < len(junction.shapes[0]) - 1 and not scaled


def embedding_parts(arrival: Arrival) -> list[Part]:
    """Return the gradient of the table, δ of shape ``[m, *, d]``, still as places."""
    delta = arrival.delta
    m, d = len(delta), delta.shape[-1]
    identifiers, delta = arrival.arranged(arrival.saved("indices")).reshape(m, -1), delta.reshape(m, -1, d)
    if (padding := arrival.saved("padding_idx")) >= 0:
        delta = delta.masked_fill((identifiers == padding).unsqueeze(-1), 0.0)
    return [Lookups(identifiers, delta, origin(arrival.inputs[0]))]


MAX = 2
"""What nn.EmbeddingBag calls the mode that takes the largest entries."""


def sums_bags(junction: Junction) -> bool:
    """Return whether bags are sums or means of the table's rows, and their weights are no parameters."""
    node, layout = junction.node, junction.layouts[0]
    mode = saved(node, "mode")
    entering = [i.number for i in junction.inputs]
    if saved(node, "scale_grad_by_freq") or mode == MAX:
        return False
    return layout is not None and layout.axis == 0 and entering == [0] and junction.used == {0}


def bag_parts(arrival: Arrival) -> list[Part]:
    """Return the gradient of the table of an nn.EmbeddingBag, δ of shape ``[m, bags, d]``."""
    indices, offsets = arrival.saved("indices"), arrival.saved("offsets")
    bags = arrival.junction.shapes[0][0]
    numbers = torch.arange(len(indices), device=indices.device)
    bag = torch.searchsorted(offsets, numbers, right=True) - 1
    weight = arrival.saved("per_sample_weights")
    dtype = working(arrival.delta).dtype
    weight = (
        torch.ones(len(indices), dtype=dtype, device=indices.device) if weight is None else weight.to(dtype)
    )
    if (padding := arrival.saved("padding_idx")) >= 0:
        weight = weight.masked_fill(indices == padding, 0.0)
    if arrival.saved("mode") == 1:
        weight = weight / arrival.saved("result2")[bag]
    inside = Gathered(0, bags, bag)
    identifiers, weights = (arrival.arranged(inside.arranged(t)) for t in (indices, weight))
    delta = (arrival.delta.unsqueeze(2) * weights.unsqueeze(-1)).flatten(1, 2)
    return [Lookups(identifiers.flatten(1), delta, origin(arrival.inputs[0]))]


@final
class Lookups(Part):
    """Gradients of a table at the entries that were looked up."""

    def __init__(self, identifiers: Tensor, delta: Tensor, weight: Target) -> None:
        """Keep identifiers ``[m, T]`` and δ ``[m, T, d]`` of the positions, and the table ``[v, d]``."""
        self._identifiers, self._weight = identifiers, weight
        delta = working(delta)
        self._e = exponents(delta)
        self._delta = shrink(delta, self._e)

    @property
    def parameters(self) -> tuple[Target, ...]:
        """The table."""
        return (self._weight,)

    def gramian(self) -> Gramian:
        """Return Σ_ts [id_it = id_js] δ_itᵀδ_js, shape ``[m, m]``, float64.

        By positions that takes m²T²d multiplications, by the rows of the table m²vd: the cheaper is done.
        """
        v, T = self._weight.shape[0], self._identifiers.shape[1]
        return grow(self._by_table() if v < T * T else self._by_positions(), self._e)

    def _by_positions(self) -> Tensor:
        m, T, d = self._delta.shape
        step = max(1, CHUNK // (m * T * T))
        flat, G = self._delta.reshape(m * T, d), []
        for i in range(0, m, step):
            products = self._delta[i : i + step].reshape(-1, d) @ flat.mT
            equal = self._identifiers[i : i + step].reshape(-1, 1) == self._identifiers.reshape(1, -1)
            G.append((products * equal).view(-1, T, m, T).sum((1, 3), dtype=torch.float64))
        return torch.cat(G)

    def _by_table(self) -> Tensor:
        m, _, d = self._delta.shape
        step = max(1, CHUNK // (m * d))
        G = torch.zeros(m, m, dtype=torch.float64, device=self._delta.device)
        for low in range(0, self._weight.shape[0], step):
            G += inner_products(
                self._table(self._delta, low, min(step, self._weight.shape[0] - low)).flatten(1)
            )
        return G

    def _table(self, delta: Tensor, low: int, size: int) -> Tensor:
        m, T, d = delta.shape
        local = self._identifiers - low
        local = torch.where((local >= 0) & (local < size), local, size)
        table = delta.new_zeros(m, size + 1, d)
        return table.scatter_add_(1, local.unsqueeze(-1).expand(m, T, d), delta)[:, :size]

    def rows(self) -> list[Tensor]:
        """Return gᵢ, shape ``[m, v, d]``."""
        return [self._table(shrink(self._delta, -self._e), 0, self._weight.shape[0])]

    def gradient(self, w: Weights) -> list[Tensor]:
        """Return Σᵢ wᵢgᵢ, one tensor, of the shape of the table."""
        delta = self._delta * shrunk_weights(w, self._e, self._delta.dtype).view(-1, 1, 1)
        table = delta.new_zeros(self._weight.shape)
        return [table.index_add_(0, self._identifiers.flatten(), delta.flatten(0, 1))]

    def bounds(self) -> list[Tensor]:
        """Return Σ_t ‖δ_it‖."""
        places = torch.linalg.vector_norm(self._delta, dim=2).sum(1)
        return [torch.ldexp(places, self._e)]
