"""Matrix products, y = x W + b with places t of every instance: gᵢ = Σ_t x_it ⊗ δ_it, for the bias Σ_t δ_it.

Hence gᵢᵀgⱼ = Σ_ts (x_itᵀx_js + [bias]) (δ_itᵀδ_js), which is (XXᵀ + 1) ∘ ΔΔᵀ without places: all of
`nn.Linear`, of the projections of attention and of unrolled recurrent layers. `nn.Bilinear`, y_o = x₁ᵀ W_o x₂,
is the same with x₁ ⊗ x₂ in place of x.
"""

import torch
from torch import Tensor

from jdbench.engine.arrival import Arrival
from jdbench.engine.graph import Input, Junction
from jdbench.engine.origin import matrix_origin, origin
from jdbench.engine.parts import OuterProducts, Part, Rows
from jdbench.engine.products import working
from jdbench.engine.structure import saved


def counts_rows(junction: Junction) -> bool:
    """Return whether each row of the product is one instance's, and no parameter enters from the left.

    A bias has to be the same for all rows.
    """
    layout = junction.layouts[0]
    entering = {i.number: i for i in junction.inputs}
    left = 1 if junction.node.name() == "AddmmBackward0" else 0
    if left == 1 and 0 in entering and origin(entering[0]).shape[-2:-1] not in {(), (1,)}:
        return False
    return layout is not None and layout.axis == 0 and left not in entering


def affine_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of addmm(b, x, W) = βb + αxW with respect to W and b."""
    alpha, beta = arrival.saved("alpha"), arrival.saved("beta")
    weight, bias = arrival.inputs.get(2), arrival.inputs.get(0)
    delta = arrival.delta
    if alpha != 1 or beta != 1 or not _is_row(bias, delta):
        parts = _product(arrival, weight, "mat1", delta * alpha) if weight else []
        return parts + ([_bias(bias, delta * beta)] if bias else [])
    target = None if bias is None else origin(bias)
    if weight is None:
        return [_bias(bias, delta)] if bias else []
    x = arrival.arranged(arrival.saved("mat1")).to(delta.dtype)
    matrix, transposed = matrix_origin(weight)
    if transposed and x.shape[1] == 1:
        return [OuterProducts(x, delta, matrix, target)]
    # With more places, the products of biases are cheapest taken together with those of all small parameters.
    parts: list[Part] = [
        OuterProducts(x, delta, matrix, None) if transposed else OuterProducts(delta, x, matrix, None)
    ]
    return [*parts, _bias(bias, delta)] if bias else parts


def product_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of mm(x, W) with respect to W."""
    return _product(arrival, arrival.inputs[1], "self", arrival.delta)


def _product(arrival: Arrival, weight: Input, name: str, delta: Tensor) -> list[Part]:
    x = arrival.arranged(arrival.saved(name)).to(delta.dtype)
    matrix, transposed = matrix_origin(weight)
    return [OuterProducts(x, delta, matrix, None) if transposed else OuterProducts(delta, x, matrix, None)]


def _is_row(bias: Input | None, delta: Tensor) -> bool:
    return bias is None or tuple(origin(bias).shape) == delta.shape[2:]


def _bias(bias: Input, delta: Tensor) -> Part:
    """The gradient of b, which has the shape of a row, or of what is broadcast to one."""
    target = origin(bias)
    delta = working(delta)
    rows = (delta.new_ones(len(delta), 1, delta.shape[1]) @ delta).squeeze(1)  # thrice as fast as a sum
    if target.numel() == 1:
        rows = rows.sum(1)
    return Rows({target: rows.reshape(len(rows), *target.shape)})


def batched_counts(junction: Junction) -> bool:
    """Return whether the rows of every matrix of a product are instances' and a parameter enters right."""
    layout = junction.layouts[0]
    return layout is not None and layout.axis == 1 and [i.number for i in junction.inputs] == [1]


def batched_product_parts(arrival: Arrival) -> list[Part]:
    """Return the gradients of bmm(x, W), x ``[k, N, i]`` and W ``[k, i, o]``, with respect to W."""
    x = arrival.arranged(working(arrival.saved("self")))  # [m, k, places, i]
    rows = torch.matmul(x.mT, working(arrival.delta))
    return [Rows({origin(arrival.inputs[1]): rows})]


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
    """Return the gradient of nn.Bilinear's W, shape ``[o, i₁, i₂]``: Σ_t δ_it ⊗ x₁_it ⊗ x₂_it over places t."""
    first, second = (arrival.arranged(working(arrival.saved(name))) for name in ("i1", "i3"))
    x = (first.unsqueeze(-1) * second.unsqueeze(-2)).flatten(2)
    return [OuterProducts(x, arrival.delta, origin(arrival.inputs[1]), None)]
