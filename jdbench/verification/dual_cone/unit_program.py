"""The program of Proposition 1 in unit rows, from the rows themselves rather than a Gramian ([JD] eq. 5).

With D the row norms and s = max_i |uᵢ| ‖gᵢ‖ it is in y = Dw/s and û = Du/s: pure numbers, where a conflict
with a small gradient counts in full. Jᵀw = s Ĵᵀy, and z = y - û is what the bounds leave free.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.rounding import row_norms
from jdbench.shapes import Jacobian, Vector, WeightRows


class UnitProgram(NamedTuple):
    """k programs over the rows of one matrix, and a candidate for the solution of each.

    Attributes:
        rows: Ĵ, shape ``[m, n]``; zero rows stay zero.
        scale: s, shape ``[k]``, in the unit of the gradients; 1 where it would be zero.
        steps: z, shape ``[k, m]``.
        points: Ĵᵀy, shape ``[k, n]``.
    """

    rows: Jacobian
    scale: Tensor
    steps: WeightRows
    points: Vector


def unit_program(J: Jacobian, U: WeightRows, W: WeightRows) -> UnitProgram:
    """Return the programs min vᵀGv over v ≥ u in unit rows, with W for their solutions.

    Args:
        J: Jacobian, shape ``[m, n]``, with m ≥ 1.
        U: Bounds, shape ``[k, m]``.
        W: Weights, shape ``[k, m]``.

    Returns:
        All in float64. A weight at its bound leaves a step of exactly zero.
    """
    J, U, W = J.to(torch.float64), U.to(torch.float64), W.to(torch.float64)
    norms = row_norms(J)
    scale = (U.abs() * norms).amax(-1)
    scale = torch.where(scale > 0, scale, 1.0)
    return UnitProgram(
        J / torch.where(norms > 0, norms, 1.0).unsqueeze(-1),
        scale,
        (W - U) * norms / scale.unsqueeze(-1),
        (W / scale.unsqueeze(-1)) @ J,
    )
