"""Nash-MTL: the direction of a given length that maximises the product of the improvements ([JD] eq. 41)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.aggregators.mgda import minimum_norm
from jdbench.compiled import compiled
from jdbench.dual_cone.kernels.nonnegative_qp import EPS
from jdbench.errors import checked_number
from jdbench.gramian import checked_gramian, rank_cutoff, unit_rows
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class NashMTL(GramianAggregator):
    """A(J) = argmax of Σ log gᵢᵀd over ‖d‖ ≤ ε and Jd ≥ 0 ([JD] eq. 41).

    It is (ε/√m) Jᵀα with α∘(JJᵀα) = 1. Where no d has Jd > 0 (a zero row, or 0 in the convex hull of the unit
    rows, up to `rank_cutoff` for its squared length) the definition is empty and we return 0.

    Attributes:
        epsilon: Length ε of every aggregation, positive, in the unit of the parameters.

    Raises:
        InputError: ε is not positive and finite.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import NashMTL
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> d = NashMTL(epsilon=0.1)(J)
        >>> d.norm().round(decimals=3)
        tensor(0.1000)
        >>> d.equal(NashMTL(epsilon=0.1)(torch.tensor([[1.0], [64.0]]) * J))  # row norms do not count
        True
    """

    epsilon: float = 1.0

    def __post_init__(self) -> None:
        checked = checked_number("epsilon", self.epsilon, positive=True, hint="1.0")
        object.__setattr__(self, "epsilon", checked)

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return (ε/√m) α, or 0."""
        G = checked_gramian(G)
        m = G.shape[-1]
        norms, cosines = unit_rows(G)
        flat = _bargain(cosines.reshape(-1, m, m).cpu().numpy(), rank_cutoff(m))
        beta = torch.from_numpy(flat).to(G.device).reshape(G.shape[:-1])
        return torch.where(beta > 0, self.epsilon / m**0.5 * beta / norms, 0.0)

    __repr__ = short_repr


@compiled
def _bargain(cosines: npt.NDArray[np.float64], cutoff: float) -> npt.NDArray[np.float64]:
    """Return β with β∘(Ĝβ) = 1 for each unit-row Gramian, or 0 where there is none.

    With β = Dα the condition is that of α in unit rows: the solution does not see row norms.
    """
    size, m, _ = cosines.shape
    beta = np.zeros((size, m))
    for b in range(size):
        hull = minimum_norm(cosines[b : b + 1], np.diag(cosines[b]).copy().reshape(1, m))[0]
        if np.min(np.diag(cosines[b])) > 0.0 and np.dot(hull, np.dot(cosines[b], hull)) > cutoff:
            beta[b] = _newton(cosines[b])
    return beta


@compiled
def _newton(cosines: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the minimiser of ½βᵀĜβ - Σ log βᵢ, strictly convex and self-concordant, by Newton's method.

    In the relative step δ, β ← β∘(1 + sδ), Newton's matrix is diag(β)Ĝdiag(β) + I: never singular, however
    far β spreads. The step length s minimises along the line.
    """
    m = cosines.shape[0]
    identity = np.eye(m)
    beta = np.full(m, np.sqrt(m / np.sum(cosines)))
    previous = np.inf
    for _ in range(500):
        quadratic = cosines * np.outer(beta, beta)
        residual = 1.0 - np.sum(quadratic, axis=1)
        step = np.linalg.solve(quadratic + identity, residual)
        decrement = np.dot(step, residual)
        # Quadratic convergence ends where rounding keeps the decrement from falling.
        if decrement <= EPS * EPS or (decrement < 1e-10 and decrement >= 0.25 * previous):
            break
        previous = decrement
        beta *= 1.0 + _line_minimum(quadratic, residual, step, decrement) * step
    return beta


@compiled
def _line_minimum(
    quadratic: npt.NDArray[np.float64],
    residual: npt.NDArray[np.float64],
    step: npt.NDArray[np.float64],
    decrement: float,
) -> float:
    """Return the s > 0 that minimises along the step: a root of a s + Σ (Qδ)ᵢ - Σ δᵢ/(1 + sδᵢ)."""
    if decrement < 1e-4:
        return 1.0  # within the region of quadratic convergence (decrement < 1/4) by a wide margin
    curvature = np.dot(step, np.dot(quadratic, step))
    linear = np.sum(step * (1.0 - residual))
    low = 0.0
    high = np.inf
    for value in step:
        if value < 0.0:
            high = min(high, -1.0 / value)
    s = min(1.0, 0.5 * high) if np.isfinite(high) else 1.0
    for _ in range(60):
        shares = step / (1.0 + s * step)
        slope = curvature * s + linear - np.sum(shares)
        if abs(slope) <= 1e-3 * decrement:
            break
        if slope > 0.0:
            high = s
        else:
            low = s
        following = s - slope / (curvature + np.sum(shares * shares))
        if not low < following < high:
            following = 2.0 * s if not np.isfinite(high) else 0.5 * (low + high)
        s = following
    return s
