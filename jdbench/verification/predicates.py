"""The properties of [JD] Section 2.2 as signed margins, relative to the input's scale: negative is violated."""

import torch
from torch import Tensor

from jdbench.gramian import rank_cutoff
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
    entry = J.abs().amax(-1, keepdim=True)
    rows = J / torch.where(entry > 0, entry, 1.0)
    norms = rows.norm(dim=-1, keepdim=True)
    unit = rows / torch.where(norms > 0, norms, 1.0)
    return (unit @ (a / _largest(J).unsqueeze(-1)).unsqueeze(-1)).squeeze(-1).amin(-1)


def linear_under_scaling(first: Vector, second: Vector, both: Vector, J: Jacobian) -> Tensor:
    """Return minus ‖A(c₁∘J) + A(c₂∘J) - A((c₁+c₂)∘J)‖ / max_j ‖gⱼ‖ ([JD] Definition 2); 0 for a linear one.

    The mapping of c > 0 to A(diag(c)J) is linear if and only if it is additive and continuous, and additive on
    powers of two and their sums is what can be tested exactly. Random aggregators draw the same for all three.

    Args:
        first: A(c₁∘J), shape ``[..., n]``.
        second: A(c₂∘J).
        both: A((c₁+c₂)∘J).
        J: (c₁+c₂)∘J, shape ``[..., m, n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0.
    """
    error = (first.to(torch.float64) + second.to(torch.float64) - both.to(torch.float64)).norm(dim=-1)
    return -error / _largest(J)


def weighted(J: Jacobian, a: Vector) -> Tensor:
    """Return minus the distance of a to the row span of J over max_j ‖gⱼ‖, 0 for Jᵀw ([JD] Definition 3).

    The span is that of the unit rows: a gradient counts however small it is.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        a: Its aggregation, shape ``[..., n]``.

    Returns:
        Margin, shape ``[...]``, float64, at most 0.
    """
    J, a = J.to(torch.float64), a.to(torch.float64)
    largest = J.abs().amax(-1, keepdim=True)
    rows = J / torch.where(largest > 0, largest, 1.0)
    norms = rows.norm(dim=-1, keepdim=True)
    _, sigma, basis = torch.linalg.svd(rows / torch.where(norms > 0, norms, 1.0), full_matrices=False)
    counts = sigma > rank_cutoff(J.shape[-2]) ** 0.5
    coordinates = (basis @ a.unsqueeze(-1)).squeeze(-1) * counts
    rest = a - (coordinates.unsqueeze(-2) @ basis).squeeze(-2)
    return -rest.norm(dim=-1) / _largest(J)


def _largest(J: Jacobian) -> Tensor:
    """Return max_j ‖gⱼ‖ in float64, or 1 where all rows are zero."""
    J = J.to(torch.float64)
    entry = J.abs().amax((-2, -1), keepdim=True)
    entry = torch.where(entry > 0, entry, 1.0)
    largest = (J / entry).norm(dim=-1).amax(-1) * entry[..., 0, 0]
    return torch.where(largest > 0, largest, 1.0)
