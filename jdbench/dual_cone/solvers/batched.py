"""Our solver for accelerators: all programs of a batch in step, a fixed number of rounds, nothing read back.

The alternating direction method of multipliers (Boyd et al., *Foundations and Trends in Machine Learning*,
2011) guesses the active sets with one factorization a Gramian; block principal pivoting (Kim & Park, *SIAM J.
Scientific Computing*, 2011) corrects them with one masked factorization a program and round. Programs that it
does not settle, above all those whose active columns depend on each other, get a status for the caller.
"""

import torch
from torch import Tensor

from jdbench.shapes import Gramian, WeightRows

OPERATIONS = frozenset([
    "_to_copy",
    "_unsafe_view",
    "abs",
    "add",
    "all",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "bmm",
    "clamp",
    "diagonal",
    "eq",
    "expand",
    "eye",
    "gt",
    "le",
    "linalg_cholesky_ex",
    "linalg_solve_triangular",
    "lt",
    "mul",
    "neg",
    "rsub",
    "select",
    "squeeze",
    "sub",
    "sum",
    "transpose",
    "unsqueeze",
    "view",
    "where",
    "zeros_like",
])
"""Names of the ATen operations that may be dispatched. None of them waits: `_to_copy` only changes a dtype."""

GUESSES = 25
"""Rounds of the method of multipliers."""

EXCHANGES = 12
"""Rounds of block pivoting."""

PENALTY = 0.3
"""Penalty of the method of multipliers, in units of the diagonal of Ĝ."""

SETTLED, UNSETTLED = 0, 1
"""The statuses."""


def batched(cosines: Gramian, bounds: WeightRows) -> tuple[WeightRows, Tensor]:
    """Return argmin of yᵀĜy over y ≥ û for each Gramian and each of its bounds.

    Args:
        cosines: Unit-row Gramians Ĝ, shape ``[b, m, m]``, float64.
        bounds: Bounds û, shape ``[b, k, m]``, entries at most 1 in absolute value.

    Returns:
        Minimisers y ``[b, k, m]``, and a status ``[b, k]``, int64: `SETTLED` where all of Lemma 4 holds to
        rounding, `UNSETTLED` where y is not to be used. Both are on the device of Ĝ.
    """
    m = cosines.shape[-1]
    eps = torch.finfo(torch.float64).eps
    q = bounds @ cosines
    inside = _guess(cosines, q)
    z, settled = torch.zeros_like(q), torch.zeros_like(q[..., 0]).gt(0)
    scale = bounds.abs().sum(-1)
    for _ in range(EXCHANGES):
        trial, sound = _minimize(cosines, q, inside)
        gradient = trial @ cosines + q
        size = scale + trial.abs().sum(-1)
        tolerance = (2 * m * eps * size).unsqueeze(-1)
        wrong = torch.where(inside, trial.le(0) | (gradient.abs() > tolerance), gradient < -tolerance)
        # Weights this large make their own rounding matter: they are left to the exact solver.
        right = (~wrong).all(-1) & sound & (4 * eps * size * size).le(1e-10)
        z = torch.where((right & ~settled).unsqueeze(-1), trial, z)
        settled = settled | right
        inside = inside ^ torch.where(inside, trial.le(0), gradient < -tolerance)
    return bounds + z, (~settled).to(torch.int64)


def _guess(cosines: Gramian, q: WeightRows) -> Tensor:
    """Return which columns are active after some rounds of ADMM."""
    identity = torch.eye(cosines.shape[-1], dtype=q.dtype, device=q.device)
    L, _ = torch.linalg.cholesky_ex(cosines + PENALTY * identity)
    half = torch.linalg.solve_triangular(L, identity.expand_as(L), upper=False)
    inverse = half.mT @ half
    s, shift = torch.zeros_like(q), torch.zeros_like(q)
    for _ in range(GUESSES):
        x = (PENALTY * (s - shift) - q) @ inverse
        s = (x + shift).clamp(min=0)
        shift = shift + x - s
    return s > 0


def _minimize(cosines: Gramian, q: WeightRows, inside: Tensor) -> tuple[WeightRows, Tensor]:
    """Return the minimiser on each face, refined once, and whether its columns are independent.

    The factor is that of DĜD + I - D with D the active columns' ones: solving with it leaves zeros elsewhere.
    """
    active = inside.to(q.dtype)
    identity = torch.eye(q.shape[-1], dtype=q.dtype, device=q.device)
    masked = cosines.unsqueeze(-3) * active.unsqueeze(-1) * active.unsqueeze(-2)
    L, info = torch.linalg.cholesky_ex(masked + identity * (1 - active).unsqueeze(-1))
    z = torch.zeros_like(q)
    for _ in range(2):
        right = -(z @ cosines + q) * active
        half = torch.linalg.solve_triangular(L, right.unsqueeze(-1), upper=False)
        z = z + torch.linalg.solve_triangular(L.mT, half, upper=True).squeeze(-1) * active
    return z, info.eq(0) & L.diagonal(dim1=-2, dim2=-1).gt(1e-4).all(-1)
