"""nn.Bilinear, y_o = x₁ᵀ W_o x₂: gᵢ = Σ_t δ_it ⊗ x₁_it ⊗ x₂_it over the places t."""

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Junction
from jdbench.engine.origin import origin
from jdbench.engine.outer_products import OuterProducts
from jdbench.engine.part import Part
from jdbench.engine.scale import working
from jdbench.engine.structure import saved


def is_bilinear(junction: Junction) -> bool:
    """Return whether the product of three is that of nn.Bilinear, and the weight alone enters."""
    node, layout = junction.node, junction.layouts[0]
    expanded = [tuple(saved(node, f"expand{k}")) for k in (1, 2, 3)]
    return (
        layout is not None
        and layout.axis == 0
        and [i.number for i in junction.inputs] == [1]
        and expanded == [(1, 3), (0,), (1, 2)]
        and tuple(saved(node, "sumdim")) == (2, 3)
    )


def bilinear_parts(arrival: Arrival) -> list[Part]:
    """Return the gradient of W, shape ``[o, i₁, i₂]``."""
    first, second = (arrival.arranged(working(arrival.saved(name))) for name in ("i1", "i3"))
    x = (first.unsqueeze(-1) * second.unsqueeze(-2)).flatten(2)
    return [OuterProducts(x, arrival.delta, origin(arrival.inputs[1]), None)]
