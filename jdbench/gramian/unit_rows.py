"""Gramian of the unit rows, Ĝ = D⁻¹GD⁻¹ with D the row norms: what remains of G when scale is set aside.

The dual cone of the rows does not change when a row is rescaled, and neither does the rank of J. What is
decided in unit rows is decided alike for gradients of norm 1e-150 and 1e150.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from jdbench.compiled import compiled
from jdbench.errors import InputError, NonFiniteError
from jdbench.shapes import Gramian, Norms

UNDERFLOW = 2.3e-162
"""The root of the smallest positive float64: norms below it square to zero."""


class UnitRows(NamedTuple):
    """A Gramian taken apart: G = diag(norms) · gramian · diag(norms).

    Attributes:
        norms: Row norms d, shape ``[..., m]``, in the unit of the gradients.
        gramian: Cosines of the rows, shape ``[..., m, m]``: ones on the diagonal, except for
            zero rows, which are zero throughout.

    Example:
        >>> import torch
        >>> from jdbench.gramian import unit_rows
        >>> norms, cosines = unit_rows(torch.tensor([[16.0, -2.0], [-2.0, 1.0]], dtype=torch.float64))
        >>> norms
        tensor([4., 1.], dtype=torch.float64)
    """

    norms: Norms
    gramian: Gramian


def as_gramian(G: Gramian) -> Gramian:
    """Return G in float64 if it has the type and the shape of a Gramian; its entries are not read.

    Args:
        G: Gramian, shape ``[..., m, m]`` with m ≥ 1, any floating dtype.

    Returns:
        The same matrix, float64, detached from any graph.

    Raises:
        InputError: G is no floating tensor, not square, or empty.

    Example:
        >>> import torch
        >>> from jdbench.gramian import as_gramian
        >>> as_gramian(torch.eye(2)).dtype
        torch.float64
        >>> as_gramian(torch.ones(2, 3))
        Traceback (most recent call last):
            ...
        jdbench.errors.InputError: G, required shape [..., m, m] with m ≥ 1, got (2, 3), pass G = JJᵀ
    """
    if not isinstance(G, Tensor) or not G.is_floating_point():  # pyright: ignore[reportUnnecessaryIsInstance]
        got = f"dtype {G.dtype}" if isinstance(G, Tensor) else type(G).__name__  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"G, required a floating-point torch.Tensor, got {got}, convert it first")
    shape = G.shape
    if len(shape) < 2 or shape[-1] != shape[-2] or shape[-1] < 1:
        raise InputError(f"G, required shape [..., m, m] with m ≥ 1, got {tuple(shape)}, pass G = JJᵀ")
    G = G.detach() if G.requires_grad else G
    return G if G.dtype == torch.float64 else G.to(torch.float64)


def checked_gramian(G: Gramian) -> Gramian:
    """Return G in float64 once it looks like a Gramian.

    Args:
        G: Gramian, shape ``[..., m, m]`` with m ≥ 1, any floating dtype.

    Returns:
        The same matrix, float64, detached from any graph.

    Raises:
        InputError: G is no floating tensor, not square, empty, or plainly not positive semi-definite.
        NonFiniteError: G holds NaN or infinity.

    Example:
        >>> import torch
        >>> from jdbench.gramian import checked_gramian
        >>> checked_gramian(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        Traceback (most recent call last):
            ...
        jdbench.errors.InputError: G, required a symmetric matrix with |G_ij| ≤ √(G_ii G_jj), got another, ...
    """
    checked = as_gramian(G)
    precision = half_precision(G.dtype)
    if checked.is_cpu and is_sound(checked.numpy().reshape(-1, *G.shape[-2:]), precision):
        return checked
    if checked.is_cpu or not bool(soundness(G)):
        _complain(checked, precision)
    return checked


def soundness(G: Gramian) -> Tensor:
    """Return whether the entries are those of a Gramian, as `checked_gramian` requires, on the device of G.

    Args:
        G: Gramian, shape ``[..., m, m]``.

    Returns:
        A boolean tensor without dimensions. Nothing waits for the device.

    Example:
        >>> import torch
        >>> from jdbench.gramian import soundness
        >>> soundness(torch.tensor([[4.0, 1.0], [1.0, 1.0]])), soundness(torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
        (tensor(True), tensor(False))
    """
    room = half_precision(G.dtype)
    G = as_gramian(G)
    norms = G.diagonal(dim1=-2, dim2=-1).sqrt() + UNDERFLOW
    limit = norms.unsqueeze(-1) * norms.unsqueeze(-2) * room
    # A negative diagonal has a NaN for its root, and NaN compares as false.
    return ((G.abs() <= limit) & ((G - G.mT).abs() <= limit * (room - 1)) & torch.isfinite(G)).all()


@cache
def half_precision(dtype: torch.dtype) -> float:
    """Return the precision to which a Gramian is checked, half the digits of its entries.

    Args:
        dtype: In which it was computed.

    Returns:
        1 + √ε.

    Example:
        >>> import torch
        >>> from jdbench.gramian import half_precision
        >>> f"{half_precision(torch.float32) - 1:.1e}, {half_precision(torch.float64) - 1:.1e}"
        '3.5e-04, 1.5e-08'
    """
    return 1 + torch.finfo(dtype).eps ** 0.5


def _complain(G: Gramian, precision: float) -> None:
    """Raise what `checked_gramian` raises."""
    if not bool(torch.isfinite(G).all()):
        kind = "NaN" if bool(torch.isnan(G).any()) else "infinity"
        where = [int(i) for i in (~torch.isfinite(G)).nonzero()[0]]
        raise NonFiniteError(f"G{where}={kind}, required finite entries, got {kind}, look at the gradients")
    diagonal = G.diagonal(dim1=-2, dim2=-1)
    if bool((diagonal < 0).any()):
        raise InputError("G, required a positive semi-definite matrix, got a negative diagonal, pass G = JJᵀ")
    # |gᵢᵀgⱼ| ≤ ‖gᵢ‖‖gⱼ‖ to half the digits; a norm whose square is zero may be as large as `UNDERFLOW`.
    norms = diagonal.sqrt() + UNDERFLOW
    room = norms.unsqueeze(-1) * norms.unsqueeze(-2) * precision
    if bool(((G.abs() > room) | ((G - G.mT).abs() > room * (precision - 1))).any()):
        raise InputError("G, required a symmetric matrix with |G_ij| ≤ √(G_ii G_jj), got another, pass G = JJᵀ")


@compiled
def is_sound(G: npt.NDArray[np.float64], precision: float) -> bool:
    """Return whether all that `checked_gramian` requires of entries holds, in one pass over them.

    Args:
        G: Gramians, shape ``[b, m, m]``.
        precision: As `half_precision` returns it.

    Returns:
        Whether the entries are finite and those of a symmetric matrix with |Gᵢⱼ| ≤ √(Gᵢᵢ Gⱼⱼ).

    Example:
        >>> import numpy as np
        >>> from jdbench.gramian import is_sound
        >>> is_sound(np.array([[[4.0, 1.0], [1.0, 1.0]]]), 1 + 1e-8)
        True
        >>> is_sound(np.array([[[4.0, 1.0], [1.0, np.nan]]]), 1 + 1e-8)
        False
    """
    room = np.empty(G.shape[1])
    for g in range(G.shape[0]):
        for i in range(G.shape[1]):
            if not 0.0 <= G[g, i, i] < math.inf:
                return False
            room[i] = math.sqrt(G[g, i, i]) + UNDERFLOW
            for j in range(i):
                limit = room[i] * room[j] * precision
                difference = abs(G[g, i, j] - G[g, j, i])
                # A NaN fails the second comparison, an infinity the first.
                if not (abs(G[g, i, j]) <= limit and difference <= limit * (precision - 1.0)):
                    return False
    return True


def unit_rows(G: Gramian) -> UnitRows:
    """Return the row norms and the Gramian of the unit rows.

    Args:
        G: Gramian, shape ``[..., m, m]``, float64, checked.

    Returns:
        Norms ``[..., m]`` and unit-row Gramian ``[..., m, m]``. Zero rows keep norm 0 and zero cosines.

    Example:
        >>> import torch
        >>> from jdbench.gramian import unit_rows
        >>> G = torch.tensor([[16.0, -2.0], [-2.0, 1.0]], dtype=torch.float64)
        >>> unit_rows(G).gramian  # the same for rows of any length
        tensor([[ 1.0000, -0.5000],
                [-0.5000,  1.0000]], dtype=torch.float64)
    """
    norms = G.diagonal(dim1=-2, dim2=-1).sqrt()
    inverse = torch.where(norms > 0, 1 / norms, 0.0)
    # One factor at a time: the product of two reciprocal norms can leave the range of float64.
    cosines = (G * inverse.unsqueeze(-1)) * inverse.unsqueeze(-2)
    cosines = cosines.clamp(-1.0, 1.0)
    diagonal = (norms > 0).to(torch.float64)
    return UnitRows(norms, cosines + torch.diag_embed(diagonal - cosines.diagonal(dim1=-2, dim2=-1)))
