"""DualProj: the mean gradient projected onto the dual cone of the rows ([JD] eq. 29)."""

from dataclasses import dataclass

import torch

from jdbench.aggregator import GramianAggregator, short_repr
from jdbench.aggregators.preferences import checked_preferences, preference_bounds
from jdbench.aggregators.trace_regularization import trace_regularized
from jdbench.dual_cone import summed_weights
from jdbench.errors import checked_number
from jdbench.gramian import as_gramian
from jdbench.shapes import Gramian, Weights


@dataclass(frozen=True, repr=False)
class DualProj(GramianAggregator):
    """A(J) = πJ(Jᵀp) with πJ the projection onto the dual cone of the rows ([JD] eq. 29).

    Attributes:
        preferences: p, positive, one a row; 1/m each by default.
        trace_regularization: 0, the default, is the definition. 1e-4 is the published implementation,
            see `trace_regularized`; it is not non-conflicting.

    Raises:
        InputError: A preference is not positive, or the regularization negative.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import DualProj
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> d = DualProj()(J).round(decimals=3)
        >>> d, J @ d  # the mean (1.5, 0.5) would worsen the second objective
        (tensor([1., 1.]), tensor([4., 0.]))
    """

    preferences: tuple[float, ...] | None = None
    trace_regularization: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "preferences", checked_preferences(self.preferences))
        rho = checked_number("trace_regularization", self.trace_regularization, positive=False, hint="1e-4")
        object.__setattr__(self, "trace_regularization", rho)

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:  # noqa: ARG002
        """Return w = argmin of vᵀGv over v ≥ p ([JD] Section C.3)."""
        bounds = preference_bounds(self.preferences, as_gramian(G), each=False)
        return summed_weights(trace_regularized(G, self.trace_regularization), bounds)

    __repr__ = short_repr
