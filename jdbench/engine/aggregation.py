"""What the engine needs of an aggregator: weights that depend on the Gramian alone ([JD] Section 6)."""

from typing import Protocol

import torch

from jdbench.errors import InputError
from jdbench.shapes import Gramian, Weights


class Weighting(Protocol):
    """Anything with W: G → w, so that A(J) = JᵀW(JJᵀ); every `GramianAggregator` is one."""

    def weights(self, G: Gramian, *, generator: torch.Generator | None = None) -> Weights:
        """Return the weights of the rows.

        Args:
            G: Gramian, shape ``[m, m]``, float64.
            generator: Source of all randomness; the global one if None.

        Returns:
            Shape ``[m]``.
        """
        ...


def weights(aggregator: Weighting, G: Gramian, generator: torch.Generator | None) -> Weights:
    """Return the weights that an aggregator gives to the rows.

    Args:
        aggregator: Whose weights.
        G: Gramian, shape ``[m, m]``, float64.
        generator: Source of all randomness; the global one if None.

    Returns:
        Shape ``[m]``, float64, on the device of G.

    Raises:
        InputError: The weights have another shape.
    """
    w = aggregator.weights(G, generator=generator)
    if w.shape != G.shape[:1]:
        raise InputError(
            f"aggregator={aggregator!r}, required weights of shape ({len(G)},), got {tuple(w.shape)}, "
            "return one a row"
        )
    return w.detach().to(torch.float64)


def check_weighting(aggregator: object) -> None:
    """Raise unless the aggregator depends on the Gramian alone.

    Args:
        aggregator: What arrived.

    Raises:
        InputError: It has no ``weights``.
    """
    # Not isinstance, which takes longer than all else of a small step.
    if not callable(getattr(aggregator, "weights", None)):
        raise InputError(
            f"aggregator={aggregator!r}, required weights that depend on the Gramian alone, got one without "
            "`weights(G)`, form the Jacobian row by row with torch.autograd.grad and call aggregator(J)"
        )
