"""What the tests of [JD]'s claims share: shapes of matrices, and the margins of conflict."""

import torch
from torch import Tensor

from jdbench import rounding

SHAPES = [(1, 3), (2, 2), (2, 5), (3, 4), (5, 8), (4, 3), (7, 3)]


def margins(J: Tensor, a: Tensor) -> Tensor:
    """Return ĝᵢᵀa, by row."""
    norms = rounding.row_norms(J).unsqueeze(-1)
    return (J / torch.where(norms > 0, norms, 1.0) @ a.unsqueeze(-1)).squeeze(-1)
