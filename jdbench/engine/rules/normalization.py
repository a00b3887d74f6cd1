"""Affine normalizations, y = γ x̂ + β: gᵢ = Σ_t δ_it ∘ x̂_it for γ and Σ_t δ_it for β, over the places t.

x̂ does not depend on γ and β and is computed again from the statistics that were kept. A batch normalization
is one of them while it uses running statistics; otherwise instances mix.
"""

from collections.abc import Callable

from torch import Tensor

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.origin import origin
from jdbench.engine.parts import Part, Rows, Target
from jdbench.engine.products import working
from jdbench.engine.structure import saved


def normalizes_last(junction: Junction) -> bool:
    """Return whether the axis of instances lies before those that a layer normalization takes together."""
    layout = junction.layouts[0]
    last = len(saved(junction.node, "normalized_shape"))
    return layout is not None and layout.axis < len(junction.shapes[0]) - last and _enters_affine(junction)


def counts_first(junction: Junction) -> bool:
    """Return whether the first axis counts instances, and the second channels."""
    layout = junction.layouts[0]
    return layout is not None and layout.axis == 0 and junction.used == {0} and _enters_affine(junction)


def uses_running_statistics(junction: Junction) -> bool:
    """Return whether a batch normalization treats instances apart."""
    training = saved(junction.node, "training")
    return not training and counts_first(junction)


def _enters_affine(junction: Junction) -> bool:
    return 0 not in {i.number for i in junction.inputs}


def layer_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of layer_norm's γ and β."""
    x, mean, rstd = (working(arrival.saved(name)) for name in ("input", "result1", "result2"))
    last = len(arrival.saved("normalized_shape"))
    return _affine(
        arrival, (x - mean) * rstd, lambda t: t.reshape(len(t), -1, *t.shape[t.ndim - last :]).sum(1)
    )


def group_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of group_norm's γ and β."""
    x, mean, rstd = (working(arrival.saved(name)) for name in ("input", "result1", "result2"))
    grouped = x.reshape(*mean.shape, -1)
    normalized = ((grouped - mean.unsqueeze(-1)) * rstd.unsqueeze(-1)).view(x.shape)
    return _affine(arrival, normalized, _over_places)


def batch_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of batch_norm's γ and β, with running statistics."""
    x, mean, variance = (working(arrival.saved(name)) for name in ("input", "running_mean", "running_var"))
    along = (-1, *[1] * (x.ndim - 2))
    normalized = (x - mean.view(along)) * (variance + arrival.saved("eps")).rsqrt().view(along)
    return _affine(arrival, normalized, _over_places)


def _affine(arrival: Arrival, normalized: Tensor, summed: Callable[[Tensor], Tensor]) -> list[Part]:
    delta = working(arrival.delta)
    rows: dict[Target, Tensor] = {}
    if (weight := arrival.inputs.get(1)) is not None:
        rows[origin(weight)] = summed(delta * arrival.arranged(normalized))
    if (bias := arrival.inputs.get(2)) is not None:
        target, g = origin(bias), summed(delta)
        rows[target] = rows[target] + g if target in rows else g  # γ and β may be one
    return [Rows(rows)]


def _over_places(t: Tensor) -> Tensor:
    """Sum ``[m, images, c, *]`` over all but rows and channels."""
    return t.sum([1, *range(3, t.ndim)])
