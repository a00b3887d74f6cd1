"""Aligned-MTL: the principal components of the Jacobian made equally long ([JD] eq. 42 and 43)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.aggregators.preferences import checked_preferences, preference_vector
from jdbench.errors import unknown_name
from jdbench.gramian import checked_gramian, eigen, full_rank, unit_rows
from jdbench.shapes import Gramian, Weights

Floats = npt.NDArray[np.float64]

SCALES = ("min", "median", "rmse")


@dataclass(frozen=True, repr=False)
class AlignedMTL(GramianAggregator):
    """A(J) = Jᵀw with w = s·VΣ†Vᵀp, where JJᵀ = VΣ²Vᵀ ([JD] eq. 42 and 43).

    The rank is decided in unit rows (`rank_cutoff`), so that no row is too small to count; σ are the singular
    values up to that rank.

    Attributes:
        preferences: p, positive, one a row; 1/m each by default.
        scale: The common length s: ``"min"``, the smallest σ, is the definition; ``"median"``, the (lower)
            median of the σ, and ``"rmse"``, the root of the mean σ², are the other choices of the official
            implementation (Senushkin et al., 2023).

    Raises:
        InputError: A preference is not positive.
        UnknownNameError: There is no such scale.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import AlignedMTL
        >>> J = torch.tensor([[4.0, 0.0], [0.0, 1.0]])
        >>> AlignedMTL()(J).round(decimals=3)  # both components as long as the shorter one
        tensor([0.5000, 0.5000])
        >>> AlignedMTL(scale="rmse", preferences=(0.9, 0.1))(J).round(decimals=3)
        tensor([2.6240, 0.2920])
    """

    preferences: tuple[float, ...] | None = None
    scale: str = "min"

    def __post_init__(self) -> None:
        object.__setattr__(self, "preferences", checked_preferences(self.preferences))
        if self.scale not in SCALES:
            raise unknown_name("scale", str(self.scale), SCALES)

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return s·VΣ†Vᵀp.

        V and Σ come from the singular values of X = DB, with D the row norms and Ĝ = BBᵀ: they resolve row
        norms that span eight decades to eight digits, where the eigenvalues of G would resolve none.
        """
        G = checked_gramian(G)
        X, rank = _root(G)
        V, sigma, _ = np.linalg.svd(X)
        rank = rank[..., None]
        counts = (np.arange(G.shape[-1]) < rank) & (sigma > 0)
        reciprocal = np.divide(1.0, sigma, out=np.zeros_like(sigma), where=counts)
        coordinates = (preference_vector(self.preferences, G).numpy(force=True) @ V) * reciprocal
        w = self._length(np.where(counts, sigma, 0.0), rank) * (V @ coordinates[..., None])[..., 0]
        return torch.from_numpy(w).to(G.device)

    def _length(self, sigma: Floats, rank: npt.NDArray[np.int64]) -> Floats:
        """Return s, shape ``[..., 1]``, of descending singular values that are zero beyond the rank."""
        at_least_one = np.maximum(rank, 1)
        if self.scale == "min":
            return np.take_along_axis(sigma, at_least_one - 1, -1)
        if self.scale == "median":
            return np.take_along_axis(sigma, at_least_one // 2, -1)
        return np.sqrt(np.square(sigma).sum(-1, keepdims=True) / at_least_one)

    __repr__ = short_repr


def _root(G: Gramian) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Return X with XXᵀ = G over its largest entry, and the rank of G, shapes ``[..., m, m]`` and ``[...]``.

    X = DB with D the row norms: B is the Cholesky factor of the unit rows where all are certain to be of full
    rank, and comes from the eigenvalues elsewhere.
    """
    m = G.shape[-1]
    norms, L, _, trace = full_rank(G.numpy(force=True).reshape(-1, m, m))
    if np.isfinite(trace).all():
        X = L * (norms / norms.max(-1, keepdims=True))[..., None]
        return X.reshape(G.shape), np.full(G.shape[:-2], m)
    norms, cosines = unit_rows(G)
    largest = norms.amax(-1, keepdim=True)
    norms = norms / torch.where(largest > 0, largest, 1.0)
    values, vectors, rank = eigen(cosines)
    X = norms.unsqueeze(-1) * vectors * values.sqrt().unsqueeze(-2)
    return X.numpy(force=True), rank.numpy(force=True)
