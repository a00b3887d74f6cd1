"""TorchJD's aggregators under our names, and its weights from a Gramian ([JD]'s authors' library)."""

from collections.abc import Callable

import torchjd.aggregation as torchjd
from torch import Tensor

from jdbench.aggregators import CAGrad

RADIUS = CAGrad().c
"""Of the ball of CAGrad: TorchJD's has no default, so it gets ours."""

MATRIX = {"GradDrop", "NashMTL"}
"""Those that take the Jacobian, not its Gramian: of TorchJD's, GradDrop and Nash-MTL."""


def peer(name: str, m: int) -> torchjd.Aggregator:
    """Return TorchJD's aggregator of a name.

    Args:
        name: Ours; RGW is TorchJD's Random.
        m: Number of rows, which its Nash-MTL wants to know.

    Returns:
        A mapping of matrices ``[m, n]`` to vectors ``[n]``.
    """
    if name == "CAGrad":
        return torchjd.CAGrad(c=RADIUS)
    if name == "NashMTL":
        return torchjd.NashMTL(n_tasks=m)
    return getattr(torchjd, "Random" if name == "RGW" else name)()


def peer_weights(name: str, m: int) -> Callable[[Tensor], Tensor]:
    """Return what gives TorchJD's weights.

    Args:
        name: Ours, but not GradDrop, which has none.
        m: Number of rows.

    Returns:
        A mapping of Gramians ``[m, m]``, for NashMTL of Jacobians ``[m, n]``, to weights ``[m]``.

    Raises:
        ValueError: It has no weights.
    """
    found = peer(name, m)
    if isinstance(found, torchjd.GramianWeightedAggregator):
        return found.gramian_weighting
    # Mean's and Random's look at the number of rows alone, so they stand for any matrix.
    if isinstance(found, torchjd.WeightedAggregator):
        return found.weighting
    raise ValueError(f"name={name!r}, required an aggregator by weights, got another, call `peer`")
