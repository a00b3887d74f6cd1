"""Aligned-MTL: the principal components of the Jacobian made equally long ([JD] eq. 42 and 43)."""

from dataclasses import dataclass

import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.aggregators.preferences import checked_preferences, preference_vector
from jdbench.errors import unknown_name
from jdbench.gramian import checked_gramian, eigen, unit_rows
from jdbench.shapes import Gramian, Weights

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

        Args:
            G: Gramian, shape ``[..., m, m]``.
            generator: Not used.

        Returns:
            Weights, shape ``[..., m]``, float64.
        """
        G = checked_gramian(G)
        norms, cosines = unit_rows(G)
        largest = norms.amax(-1, keepdim=True)
        norms = norms / torch.where(largest > 0, largest, 1.0)
        values, vectors, rank = eigen(cosines)
        X = norms.unsqueeze(-1) * vectors * values.sqrt().unsqueeze(-2)
        V, sigma, _ = torch.linalg.svd(X)
        rank = rank.unsqueeze(-1)
        counts = (torch.arange(G.shape[-1], device=G.device) < rank) & (sigma > 0)
        reciprocal = torch.where(counts, 1 / sigma, 0.0)
        coordinates = (preference_vector(self.preferences, G) @ V) * reciprocal
        length = self._length(torch.where(counts, sigma, 0.0), rank)
        return length * (V @ coordinates.unsqueeze(-1)).squeeze(-1)

    def _length(self, sigma: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
        """Return s, shape ``[..., 1]``, of descending singular values that are zero beyond the rank."""
        at_least_one = rank.clamp(min=1)
        if self.scale == "min":
            return sigma.gather(-1, at_least_one - 1)
        if self.scale == "median":
            return sigma.gather(-1, at_least_one // 2)
        return (sigma.square().sum(-1, keepdim=True) / at_least_one).sqrt()

    __repr__ = short_repr
