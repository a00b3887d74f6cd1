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

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import shared_bounds
        >>> bounds = shared_bounds(torch.eye(3, dtype=torch.float64) / 3)  # those of UPGrad for three rows
        >>> bounds.tensor.shape, bounds.array.shape
        (torch.Size([3, 3]), (1, 3, 3))
    """

    tensor: WeightRows
    array: npt.NDArray[np.float64]


def shared_bounds(U: WeightRows) -> SharedBounds:
    """Return the bounds in both forms.

    Args:
        U: Bounds, shape ``[k, m]``, float64.

    Returns:
        The tensor itself and its array.

    Example:
        >>> import torch
        >>> from jdbench.dual_cone import shared_bounds
        >>> bounds = shared_bounds(torch.tensor([[0.5, 0.5]], dtype=torch.float64))  # of DualProj, two rows
        >>> bounds.array
        array([[[0.5, 0.5]]])
    """
    return SharedBounds(U, np.ascontiguousarray(U.numpy(force=True)[None]))
