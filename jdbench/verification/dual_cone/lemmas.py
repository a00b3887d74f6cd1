"""[JD] Proposition 1 and Lemmas 4 and 5 as signed margins of a solver's weights: below zero is violated.

They are computed from the rows of J, as `unit_program` takes them, and share no code with the solvers.

With D the row norms and s = max_i |uᵢ| ‖gᵢ‖ the program (5) is in y = Dw/s and û = Du/s: pure numbers, where a
conflict with a small gradient counts in full. Jᵀw = s Ĵᵀy, and z = y - û is what the bounds leave free.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from jdbench.rounding import row_norms
from jdbench.shapes import Jacobian, Vector, WeightRows, Weights


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


def proposition_1_margins(J: Jacobian, U: WeightRows, W: WeightRows, points: Vector) -> Tensor:
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


def lemma_4_margins(J: Jacobian, U: WeightRows, W: WeightRows) -> Lemma4:
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


def lemma_5_margin(J: Jacobian, w: Weights) -> Tensor:
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
