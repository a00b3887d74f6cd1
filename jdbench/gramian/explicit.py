"""Gramian of an explicit Jacobian, G = JJᵀ, and its rows combined, Jᵀw, both in float64 ([JD] Section 6)."""

import torch
from torch import Tensor

from jdbench.errors import InputError, NonFiniteError
from jdbench.shapes import Gramian, Jacobian, Vector, Weights

BLOCK = 64
"""Columns that one matrix product sums, in an order that BLAS chooses."""

SLAB = 128 * BLOCK
"""Columns whose blocks are in memory at once."""


def gramian(J: Jacobian) -> Gramian:
    """Return G = JJᵀ, accumulated in float64.

    The square of a gradient of norm 1e-23 is zero in float32, hence the precision. Long rows are summed
    block by block and the blocks pairwise, so that the error hardly grows with n: see `rank`. Whether J is
    finite shows on the diagonal of G, so J is read a second time only to say where it is not.

    Args:
        J: Jacobian, shape ``[..., m, n]`` with m ≥ 1, any floating dtype.

    Returns:
        Gramian, shape ``[..., m, m]``, float64, on the device of J.

    Raises:
        InputError: J is no floating tensor of at least two dimensions, or has no row.
        NonFiniteError: J holds NaN or infinity, or entries beyond 1e150.

    Example:
        >>> import torch
        >>> from jdbench.gramian import gramian
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> gramian(J)  # off the diagonal: negative where rows conflict
        tensor([[16., -4.],
                [-4.,  2.]], dtype=torch.float64)
        >>> gramian(1e-23 * J) > 0  # in float32 these squares would be 0
        tensor([[ True, False],
                [False,  True]])
    """
    check_jacobian(J)
    J = J.detach().to(torch.float64)
    G = _inner_products(J)
    if not bool(torch.isfinite(G.diagonal(dim1=-2, dim2=-1)).all()):
        raise non_finite(J)
    return G


def combine(J: Jacobian, w: Weights) -> Vector:
    """Return Jᵀw, summed in float64 and rounded once to the dtype of J.

    Args:
        J: Jacobian, shape ``[..., m, n]``.
        w: Weights of the rows, shape ``[..., m]``, float64.

    Returns:
        Combination of the rows, shape ``[..., n]``, dtype of J.

    Example:
        >>> import torch
        >>> from jdbench.gramian import combine
        >>> J = torch.tensor([[4.0, 0.0], [-1.0, 1.0]])
        >>> combine(J, torch.tensor([0.5, 0.25], dtype=torch.float64))
        tensor([1.7500, 0.2500])
    """
    return (w.unsqueeze(-2) @ J.detach().to(torch.float64)).squeeze(-2).to(J.dtype)


def _inner_products(J: Tensor) -> Tensor:
    """Return JJᵀ, a sum over blocks of `BLOCK` columns along a binary tree."""
    n = J.shape[-1]
    if n <= BLOCK:
        return J @ J.mT
    if n > SLAB:
        half = SLAB * (-(-n // SLAB) // 2)
        return _inner_products(J[..., :half]) + _inner_products(J[..., half:])
    whole = n - n % BLOCK
    blocks = J[..., :whole].unflatten(-1, (-1, BLOCK)).movedim(-2, 0)
    parts = blocks @ blocks.mT
    while len(parts) > 1:
        half = len(parts) // 2
        parts = torch.cat([parts[:half] + parts[half : 2 * half], parts[2 * half :]])
    rest = J[..., whole:]
    return parts[0] + rest @ rest.mT


def check_jacobian(J: Tensor) -> None:
    """Raise unless J looks like a Jacobian; its entries are not read.

    Args:
        J: What arrived.

    Raises:
        InputError: J is no floating tensor of at least two dimensions, or has no row.

    Example:
        >>> import torch
        >>> from jdbench.gramian import check_jacobian
        >>> check_jacobian(torch.ones(2, 3))
        >>> check_jacobian(torch.ones(3))
        Traceback (most recent call last):
            ...
        jdbench.errors.InputError: J, required shape [..., m, n] with m ≥ 1, got (3,), pass one gradient a row
    """
    if not isinstance(J, Tensor) or not J.is_floating_point():  # pyright: ignore[reportUnnecessaryIsInstance]
        got = f"dtype {J.dtype}" if isinstance(J, Tensor) else type(J).__name__  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InputError(f"J, required a floating-point torch.Tensor, got {got}, convert it first")
    if J.ndim < 2 or J.shape[-2] < 1:
        raise InputError(
            f"J, required shape [..., m, n] with m ≥ 1, got {tuple(J.shape)}, pass one gradient a row"
        )


def non_finite(J: Tensor) -> NonFiniteError:
    """Return the error that says where J holds NaN or infinity, or that its squares leave the range of float64.

    Args:
        J: Jacobian, shape ``[..., m, n]``.

    Example:
        >>> import torch
        >>> from jdbench.gramian import non_finite
        >>> print(non_finite(torch.tensor([[1.0, torch.inf]])))
        J[0, 1]=infinity, required finite entries, got 1 of infinity, mask or rescale the objectives ...
    """
    for name, bad in (("NaN", torch.isnan(J)), ("infinity", torch.isinf(J))):
        if bool(bad.any()):
            where = tuple(int(i) for i in bad.nonzero()[0])
            return NonFiniteError(
                f"J{list(where)}={name}, required finite entries, got {int(bad.sum())} of {name}, "
                "mask or rescale the objectives that produce them"
            )
    largest = float(J.abs().max())
    return NonFiniteError(
        f"max|J|={largest:.3g}, required entries within 1e±150, got squares beyond float64, "
        "rescale J (every deterministic aggregator is homogeneous)"
    )
