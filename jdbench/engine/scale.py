"""Powers of two taken out of the rows of a matrix, so that squares of tiny gradients stay within float32."""

import torch
from torch import Tensor

LARGEST = 126
"""Largest power of two taken out: the next but one, and its reciprocal, are no normal float32."""


def working(t: Tensor) -> Tensor:
    """Return t in the precision that is computed in: float32 for anything narrower, else its own.

    Args:
        t: Any floating tensor.

    Returns:
        The same values, float32 or float64; complex ones as they are.
    """
    return t if t.dtype == torch.float64 or t.is_complex() else t.to(torch.float32)


def exponents(rows: Tensor) -> Tensor:
    """Return for every row the e with 2ᵉ⁻¹ ≤ max|entry| < 2ᵉ, within ±126; 0 for a zero row.

    Args:
        rows: Shape ``[m, ...]``.

    Returns:
        Shape ``[m]``, int32.
    """
    flat = rows.flatten(1)
    if flat.shape[1] == 0:
        return torch.zeros(len(flat), dtype=torch.int32, device=flat.device)
    # Not torch.linalg.vector_norm(…, inf), nor torch.aminmax, which take thirty times as long on a CPU.
    largest = torch.maximum(flat.amax(1), -flat.amin(1))
    return torch.frexp(largest).exponent.clamp(-LARGEST, LARGEST)


def shrink(rows: Tensor, e: Tensor) -> Tensor:
    """Return row i times 2^(-eᵢ): exact, but for entries 2¹²⁵ times below the largest of the row.

    Args:
        rows: Shape ``[m, ...]``.
        e: Exponents, shape ``[m]``.

    Returns:
        Shape of the rows.
    """
    factor = torch.ldexp(torch.ones_like(e, dtype=rows.dtype), -e)
    return rows * factor.view(-1, *[1] * (rows.ndim - 1))


def grow(G: Tensor, e: Tensor) -> Tensor:
    """Return the Gramian of the rows from that of the shrunk rows, 2^(eᵢ + eⱼ) Gᵢⱼ.

    Args:
        G: Shape ``[m, m]``.
        e: Exponents, shape ``[m]``.

    Returns:
        Shape ``[m, m]``, float64.
    """
    factor = torch.ldexp(torch.ones_like(e, dtype=torch.float64), e)
    return G.to(torch.float64) * factor.unsqueeze(-1) * factor


def weigh(w: Tensor, e: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weights of the shrunk rows, wᵢ 2^eᵢ.

    Args:
        w: Weights of the rows, shape ``[m]``, float64.
        e: Exponents, shape ``[m]``.
        dtype: Of the rows.

    Returns:
        Shape ``[m]``, that dtype.
    """
    return torch.ldexp(w, e).to(dtype)
