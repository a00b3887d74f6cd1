"""[JD] Proposition 1 and Lemmas 4 and 5 as signed margins of a solver's weights: below zero is violated.

They are computed from the rows of J, as `unit_program` takes them, and share no code with the solvers.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.rounding import row_norms
from jdbench.shapes import Jacobian, Vector, WeightRows, Weights
from jdbench.verification.dual_cone.unit_program import unit_program


class Lemma4(NamedTuple):
    """The margins of the three conditions, each of shape ``[k]``, pure numbers.

    Attributes:
        bound: min_i zᵢ, for u ≤ w (19a).
        slack: min_i (Ĝy)ᵢ, for 0 ≤ Gw (19b).
        gap: -|zᵀĜy|, for uᵀGw = wᵀGw (19c); at most 0.
    """

    bound: Tensor
    slack: Tensor
    gap: Tensor


def proposition_1(J: Jacobian, U: WeightRows, W: WeightRows, points: Vector) -> Tensor:
    """Return minus the distance of Jᵀw to the projection of Jᵀu, over s = max_i |uᵢ| ‖gᵢ‖ ([JD] eq. 3 and 5).

    s is the size of what is projected: dividing by max_j ‖gⱼ‖ would hide what becomes of a small gradient.

    Args:
        J: Jacobian, shape ``[m, n]``.
        U: Bounds, shape ``[k, m]``.
        W: Weights, shape ``[k, m]``.
        points: πJ(Jᵀu)/s by other means, shape ``[k, n]``: see `primal.project`.

    Returns:
        Margins, shape ``[k]``, at most 0; NaN if an input is.
    """
    return -(unit_program(J, U, W).points - points).norm(dim=-1)


def lemma_4(J: Jacobian, U: WeightRows, W: WeightRows) -> Lemma4:
    """Return the margins of the conditions that make Jᵀw the projection of Jᵀu ([JD] eq. 19).

    Args:
        J: Jacobian, shape ``[m, n]``.
        U: Bounds, shape ``[k, m]``.
        W: Weights, shape ``[k, m]``.

    Returns:
        Margins, in unit rows; NaN if an input is.
    """
    rows, _, steps, points = unit_program(J, U, W)
    slack = points @ rows.mT
    return Lemma4(steps.amin(-1), slack.amin(-1), -(steps * slack).sum(-1).abs())


def lemma_5(J: Jacobian, w: Weights) -> Tensor:
    """Return (1ᵀGw - wᵀGw) / max_j ‖gⱼ‖², at least 0 for the weights of UPGrad ([JD] Lemma 5).

    It is (b - a)ᵀa with b = Jᵀ1 and a = Jᵀw. Not in unit rows: the lemma is about J as it is.

    Args:
        J: Jacobian, shape ``[m, n]``.
        w: (1/m) Σ wᵢ with wᵢ the solution of (5) for u = eᵢ ([JD] eq. 6), shape ``[m]``.

    Returns:
        Margin, a scalar; 0 where all rows are zero, NaN if an input is.
    """
    J, w = J.to(torch.float64), w.to(torch.float64)
    largest = row_norms(J).amax(-1)
    J = J / torch.where(largest > 0, largest, 1.0)
    a = w @ J
    return (J.sum(-2) - a) @ a
