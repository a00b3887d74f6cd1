"""Inner products and weighted sums of gradients of any size: in float32 where that is safe, else in more.

Float32 holds numbers from 2⁻¹²⁶ to 2¹²⁸, hence squares of numbers from 2⁻⁶³ to 2⁶⁴ alone. Whether products have
left that range shows afterwards, in their diagonal, at no cost. If so, they are taken once more, of gradients
with a power of two taken out of each.
"""

import math

import torch
from torch import Tensor

from jdbench.engine.scale import exponents, grow, shrink

ACCURATE = 2**15
"""Entries up to which a matrix is simply multiplied in float64; beyond, in float32 block by block."""

BLOCK = 1024
"""Columns that one float32 product sums; the blocks are summed in float64."""

WEIGHT = 64
"""Weights from 2⁻⁶⁴ to 2⁶⁴ multiply float32 gradients in float32."""


def inner_products(rows: Tensor) -> Tensor:
    """Return RRᵀ in float64.

    Float32 rows of more than `ACCURATE` entries in all are multiplied in float32, `BLOCK` columns at a time,
    and the blocks summed in float64: |error| ≤ γ₁₀₂₅ ‖rᵢ‖ ‖rⱼ‖ in the γ of float32, whatever the norms, and
    about 1e-6 of that product in practice. Everything else is float64 throughout.

    Args:
        rows: Shape ``[m, n]``, float32 or float64.

    Returns:
        Shape ``[m, m]``, float64, memory of its own.
    """
    if rows.dtype == torch.float64 or rows.numel() <= ACCURATE:
        rows = rows.to(torch.float64)
        return rows @ rows.mT
    if rows.is_cpu:  # elsewhere reading a number would wait for the device
        G = _by_blocks(rows)
        if _within_range(G, rows.shape[1]):
            return G
    e = exponents(rows)
    return grow(_by_blocks(shrink(rows, e)), e)


def _by_blocks(rows: Tensor) -> Tensor:
    """Sum blocks of columns; of G, which is symmetric, three quarters are computed."""
    m, n = rows.shape
    whole, half = n - n % BLOCK, m // 2
    blocks = rows[:, :whole].unflatten(1, (-1, BLOCK)).transpose(0, 1)
    upper = torch.bmm(blocks[:, :half], blocks.mT).sum(0, dtype=torch.float64)
    lower = torch.bmm(blocks[:, half:], blocks[:, half:].mT).sum(0, dtype=torch.float64)
    if whole < n:
        rest = rows[:, whole:]
        upper += rest[:half] @ rest.mT
        lower += rest[half:] @ rest[half:].mT
    return torch.cat([upper, torch.cat([upper[:, half:].mT, lower], 1)])


def _within_range(G: Tensor, n: int) -> bool:
    """Return whether no sum of n float32 products overflowed, and none lost more than a rounding to underflow.

    Each of n products loses at most 2⁻¹²⁶; that is 2⁻²⁴ of ‖rᵢ‖‖rⱼ‖ where no square of a norm is below n·2⁻¹⁰².
    """
    least, largest = torch.aminmax(G.diagonal())
    return n * 2.0**-102 <= float(least) and float(largest) < math.inf  # a NaN is neither


def factors(w: Tensor, dtype: torch.dtype) -> Tensor:
    """Return weights in the dtype of what they multiply, if it holds them with room to spare, else in float64.

    Args:
        w: Shape ``[m]``, float64.
        dtype: float32 or float64.

    Returns:
        Shape ``[m]``.
    """
    if dtype == torch.float64:
        return w
    least, largest = torch.aminmax(torch.frexp(w).exponent)  # that of zero is zero
    return w.to(dtype) if int(least) >= -WEIGHT and int(largest) <= WEIGHT else w


def weighted_sum(w: Tensor, rows: Tensor) -> Tensor:
    """Return Rᵀw.

    Args:
        w: Shape ``[m]``, float64.
        rows: Shape ``[m, n]``, float32 or float64.

    Returns:
        Shape ``[n]``, dtype of the rows.
    """
    w = w if rows.numel() <= ACCURATE else factors(w, rows.dtype)
    return (w @ rows.to(w.dtype)).to(rows.dtype)
