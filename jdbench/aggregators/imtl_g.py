"""IMTL-G: equal projections on all unit gradients, by the pseudo-inverse of the Gramian ([JD] eq. 35 to 37)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.gramian import checked_gramian, eigen, full_rank, rank_cutoff, unit_rows
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class IMTLG(GramianAggregator):
    """A(J) = Jᵀv / 1ᵀv with v = (JJᵀ)†d and d the row norms, or 0 where 1ᵀv = 0 ([JD] eq. 35 to 37).

    Discontinuous in the rank, which is decided in unit rows (`rank_cutoff`), so that no row is too small to
    count. The definition's "1ᵀv = 0" is read as |1ᵀv| at most its rounding error, see `weights`.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import IMTLG
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> d = IMTLG()(J)
        >>> (J @ d / J.norm(dim=1)).round(decimals=3)  # as far along one unit gradient as along the other
        tensor([0.3060, 0.3060])
    """

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return v / 1ᵀv, whose sum is 1, or 0.

        With full rank r = m (zero rows aside) v = D⁻¹Ĝ⁻¹1, whatever the row norms. Below it v = X(XᵀX)⁻²Xᵀd
        with X = DB and Ĝ = BBᵀ of rank r, by the singular values of X, of which the r largest count; those
        resolve row norms that span eight decades to eight digits.

        An error of norm κ = `rank_cutoff` in Ĝ shifts y = Ĝ⁻¹1 by at most κ‖y‖/λ with λ the smallest
        eigenvalue, and 1ᵀv = Σ yᵢ/dᵢ by that times Σ 1/dᵢ; in the second case the shift is taken as
        κ √m ‖d‖/σ² with the smallest singular value that counts. A smaller |1ᵀv| is taken for 0.
        """
        G = checked_gramian(G)
        if not G.is_cpu:
            return _by_eigenvalues(G)
        m = G.shape[-1]
        w, certain = _by_cholesky(G.numpy().reshape(-1, m, m))
        w = torch.from_numpy(w).reshape(G.shape[:-1])
        if not certain.all():
            left = torch.from_numpy(~certain).reshape(G.shape[:-2])
            w[left] = _by_eigenvalues(G[left])
        return w

    __repr__ = short_repr


def _by_cholesky(G: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """Return the weights, and for which Gramians full rank and |1ᵀv| above its rounding are certain."""
    norms, _, inverse, trace = full_rank(G)
    with np.errstate(all="ignore"):  # where the trace is infinite nothing is meant
        reciprocal = norms.min(-1, keepdims=True) / norms
        y = np.einsum("bij,bi->bj", inverse, inverse.sum(-1))
        v = y * reciprocal
        total = v.sum(-1)
        error = rank_cutoff(G.shape[-1]) * reciprocal.sum(-1) * np.sqrt(np.square(y).sum(-1)) * trace
        return v / total[:, None], np.abs(total) > error


def _by_eigenvalues(G: Gramian) -> Weights:
    """Return the weights of Gramians of any rank."""
    m = G.shape[-1]
    kappa = rank_cutoff(m)
    norms, cosines = unit_rows(G)
    largest = norms.amax(-1, keepdim=True)
    norms = norms / torch.where(largest > 0, largest, 1.0)
    values, vectors, rank = eigen(cosines)
    present = (norms > 0).to(G.dtype)
    inverse = torch.where(norms > 0, 1 / norms, 0.0)

    reciprocal = torch.where(values > 0, 1 / values, 0.0)
    coordinates = (present.unsqueeze(-2) @ vectors).squeeze(-2) * reciprocal
    v = inverse * (vectors @ coordinates.unsqueeze(-1)).squeeze(-1)
    error = kappa * inverse.sum(-1) * coordinates.norm(dim=-1) * reciprocal.amax(-1)

    deficient = rank < present.sum(-1)
    if bool(deficient.any()):
        X = norms.unsqueeze(-1) * vectors * values.sqrt().unsqueeze(-2)
        P, sigma, _ = torch.linalg.svd(X[deficient])
        counts = torch.arange(m, device=G.device) < rank[deficient].unsqueeze(-1)
        squares = torch.where(counts & (sigma > 0), sigma**-2, 0.0)
        d = norms[deficient]
        coordinates = (d.unsqueeze(-2) @ P).squeeze(-2) * squares
        v[deficient] = (P @ coordinates.unsqueeze(-1)).squeeze(-1)
        error[deficient] = kappa * m**0.5 * d.norm(dim=-1) * squares.amax(-1)

    total = v.sum(-1)
    defined = total.abs() > error
    return torch.where(defined.unsqueeze(-1), v / torch.where(defined, total, 1.0).unsqueeze(-1), 0.0)
