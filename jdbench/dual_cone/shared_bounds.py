"""Bounds of the dual cone's programs that many Gramians share, in the forms in which solvers read them."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.shapes import WeightRows


class SharedBounds(NamedTuple):
    """Bounds kept between calls, not to be changed: at m = 8 converting them would take a fifth of the time.

    Attributes:
        tensor: U, shape ``[k, m]``, float64, on the device of the Gramians.
        array: The same on the CPU, shape ``[1, k, m]``.
    """

    tensor: WeightRows
    array: npt.NDArray[np.float64]


def shared_bounds(U: WeightRows) -> SharedBounds:
    """Return the bounds in both forms.

    Args:
        U: Bounds, shape ``[k, m]``, float64.

    Returns:
        The tensor itself and its array.
    """
    return SharedBounds(U, np.ascontiguousarray(U.numpy(force=True)[None]))
