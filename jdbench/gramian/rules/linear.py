"""nn.Linear, y_it = W x_it + b for positions t: gᵢ = Σ_t δ_it ⊗ x_it, for the bias Σ_t δ_it.

Hence gᵢᵀgⱼ = Σ_ts (x_itᵀx_js + [bias]) (δ_itᵀδ_js), which is (XXᵀ + 1) ∘ ΔΔᵀ without positions.
"""

from torch import Tensor

from jdbench.gramian.call import Call
from jdbench.gramian.outer_products import OuterProducts
from jdbench.gramian.part import Part


def linear_part(call: Call, x: Tensor, delta: Tensor) -> Part:
    """Return the gradients of weight and bias.

    Args:
        call: Of an `nn.Linear`.
        x: Input, shape ``[m, *, i]``, any number of positions.
        delta: Gradient of the output, shape ``[m, *, o]``.

    Returns:
        Their outer products.
    """
    m, o = delta.shape[0], delta.shape[-1]
    # What was multiplied in mixed precision was the rounded input.
    x = x.to(delta.dtype).reshape(m, -1, x.shape[-1])
    return OuterProducts(x, delta.reshape(m, -1, o), call.trained("weight"), call.trained("bias"))
