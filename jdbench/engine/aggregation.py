"""What the engine takes for an aggregator: whatever gives weights for G, or a direction or weights for J."""

import inspect
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator, aggregate, global_generators, resolve
from jdbench.errors import InputError
from jdbench.shapes import Gramian, Jacobian, Vector, Weights


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


AggregatorLike = Weighting | AnyAggregator | str
"""An aggregator by its weights, any callable of J, TorchJD's aggregators and weightings, or a spec of one."""

Weigh = Callable[[Gramian, torch.Generator | None], Weights]


def chosen_aggregator(choice: AggregatorLike) -> Any:
    """Return the aggregator that was chosen, resolved if it was named by a spec.

    Raises:
        InputError: It is no aggregator at all.
    """
    aggregator: Any = resolve(choice).aggregator if isinstance(choice, str) else choice
    if isinstance(aggregator, type):
        try:
            aggregator = aggregator()
        except TypeError as error:
            raise InputError(
                f"aggregator={choice!r}, required one, got a class that needs more, make one: {error}"
            ) from error
    if not callable(aggregator) and not callable(getattr(aggregator, "weights", None)):
        raise InputError(
            f"aggregator={choice!r}, required an aggregator, a callable of the Jacobian or a spec, got "
            f"{type(choice).__name__}, see `jdbench list aggregators`"
        )
    return aggregator


def weighting_of(aggregator: Any) -> Weigh | None:
    """Return the function of G that gives an aggregator's weights; None if it needs J."""
    if callable(getattr(aggregator, "weights", None)):
        if _takes_generator(aggregator.weights):
            return lambda G, generator: _checked(aggregator, aggregator.weights(G, generator=generator), len(G))
        return _seeded(aggregator, aggregator.weights)
    # TorchJD: an aggregator holds its weighting, and a weighting says by its class what it is a function of.
    peer = getattr(aggregator, "gramian_weighting", aggregator)
    if any(kind.__name__ == "_GramianWeighting" for kind in type(peer).__mro__):
        return _seeded(aggregator, peer)
    return None


def _takes_generator(weights: Callable[..., Any]) -> bool:
    try:
        inspect.signature(weights).bind(None, generator=None)
    except TypeError:
        return False
    return True


def _seeded(aggregator: Any, weights: Callable[..., Any]) -> Weigh:
    def drawn(G: Gramian, generator: torch.Generator | None) -> Weights:
        with global_generators(generator):
            return _checked(aggregator, weights(G), len(G))

    return drawn


def direction_or_weights(
    aggregator: Any, J: Jacobian, generator: torch.Generator | None
) -> tuple[Vector | None, Weights | None]:
    """Return A(J) of any callable, or the weights if it gives one number a row; the other one is None."""
    if any(kind.__name__ == "_MatrixWeighting" for kind in type(aggregator).__mro__):
        with global_generators(generator):
            return None, _checked(aggregator, aggregator(J), len(J))
    return aggregate(aggregator, J, generator=generator), None


def _checked(aggregator: Any, w: object, m: int) -> Weights:
    if not isinstance(w, Tensor) or w.shape != (m,):
        got = tuple(w.shape) if isinstance(w, Tensor) else type(w).__name__
        raise InputError(
            f"aggregator={aggregator!r}, required weights of shape ({m},), got {got}, return one a row"
        )
    return w.detach().to(torch.float64)
