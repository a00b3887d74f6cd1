"""The Gramian G/tr(G) + ρI, apart because the published UPGrad and DualProj both project with it."""

import torch

from jdbench.gramian import checked_gramian
from jdbench.shapes import Gramian


def trace_regularized(G: Gramian, rho: float) -> Gramian:
    """Return G/tr(G) + ρI in float64, or G itself for ρ = 0 and where G is zero.

    A departure from [JD] Proposition 1 made by the authors' library TorchJD (0.18.0; in the paper's time the
    largest singular value stood in place of the trace). The regularised program depends on row norms: rows with
    ‖g‖² below ρ·tr(G) lose their protection against conflict.

    Args:
        G: Gramian, shape ``[..., m, m]``.
        rho: Share of the trace added to the diagonal, a pure number ≥ 0.

    Raises:
        InputError: G is no Gramian.
        NonFiniteError: G holds NaN or infinity.
    """
    if rho == 0:
        return G
    G = checked_gramian(G)
    # The largest diagonal entry goes first: the trace itself can overflow.
    largest = G.diagonal(dim1=-2, dim2=-1).amax(-1)[..., None, None]
    scaled = G / torch.where(largest > 0, largest, 1.0)
    # Entries next to underflow have few digits, which the scale no longer excuses: |G_ij| ≤ √(G_ii G_jj).
    roots = scaled.diagonal(dim1=-2, dim2=-1).sqrt()
    limit = roots.unsqueeze(-1) * roots.unsqueeze(-2)
    scaled = scaled.clamp(-limit, limit)
    trace = scaled.diagonal(dim1=-2, dim2=-1).sum(-1)[..., None, None]
    identity = torch.eye(G.shape[-1], dtype=G.dtype, device=G.device)
    return torch.where(trace > 0, scaled / torch.where(trace > 0, trace, 1.0) + rho * identity, G)
