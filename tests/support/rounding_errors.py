"""The errors of an aggregation that rounding explains."""

import math

import torch
from torch import Tensor

from jdbench import rounding
from jdbench.aggregator import Aggregator, GramianAggregator
from jdbench.aggregators import MGDA, AlignedMTL, CAGrad, DualProj, UPGrad
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.tensors import seeded


def forward_error(A: Aggregator, J: Tensor) -> float:
    """Return the error of A(J) that rounding explains, where A is continuous."""
    if not isinstance(A, GramianAggregator):
        return float(rounding.combination(J, torch.ones(J.shape[0], dtype=torch.float64)).norm())
    w = A.weights(gramian(J), generator=seeded())
    slack = float(tolerances.improvement(J, w))
    if isinstance(A, UPGrad | DualProj) and A.trace_regularization > 0:
        return trace_error(A, J, w)
    if isinstance(A, AlignedMTL):
        rank = int(torch.linalg.matrix_rank(J))
        return slack + tolerances.polar(J, rank) * float(rounding.size(J, w))
    if isinstance(A, CAGrad) and A.c > 0:
        # The value errs by a slack; the Lagrangian's modulus is that of the references.
        modulus = MGDA()(J).norm() / (A.c * J.mean(0).norm())
        return float(tolerances.strong_convexity(slack * rounding.row_norms(J).max(), modulus))
    return float(tolerances.projection(J, w))


def trace_error(A: GramianAggregator, J: Tensor, w: Tensor) -> float:
    """Return the error of the regularised program: G/tr(G) + ρI is the Gramian of the rows (J/‖J‖_F, √ρ I)."""
    rho = getattr(A, "trace_regularization", 0.0)
    extended = torch.cat([J / J.norm(), math.sqrt(rho) * torch.eye(J.shape[0], dtype=torch.float64)], dim=1)
    return float(tolerances.projection(extended, w) * J.norm())
