"""The properties of [JD] Section 2.2 as signed margins, relative to the input's scale: negative is violated."""

import torch
from torch import Tensor

from jdbench.shapes import Jacobian, Vector


def non_conflicting(J: Jacobian, a: Vector) -> Tensor:
    """Return min_i gᵢᵀa / (‖gᵢ‖ max_j ‖gⱼ‖), at least 0 for a non-conflicting aggregation ([JD] Definition 1).

    Dividing by the norm of each row makes a conflict with a small gradient count in full.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        a: Its aggregation, shape ``[..., n]``.

    Returns:
        Margin, shape ``[...]``, float64; 0 where all rows are zero, NaN if an input is.
    """
    J, a = J.to(torch.float64), a.to(torch.float64)
    norms = J.norm(dim=-1)
    largest = norms.amax(-1)
    unit = J / torch.where(norms > 0, norms, 1.0).unsqueeze(-1)
    cosines = (unit @ (a / torch.where(largest > 0, largest, 1.0).unsqueeze(-1)).unsqueeze(-1)).squeeze(-1)
    return cosines.amin(-1)
