"""Inner products and weighted sums of gradients of any size: in float32 where that is safe, else in more.

Float32 holds numbers from 2⁻¹²⁶ to 2¹²⁸, hence squares of numbers from 2⁻⁶³ to 2⁶⁴ alone. Whether products have
left that range shows afterwards, in their diagonal, at no cost. If so, they are taken once more, of gradients
with a power of two taken out of each.
"""

import math

import torch
from torch import Tensor

ACCURATE = 2**15
"""Entries up to which a matrix is simply multiplied in float64; beyond, in float32 block by block."""

BLOCK = 1024
"""Columns that one float32 product sums; the blocks are summed in float64."""

LARGEST = 126
"""Largest power of two taken out: the next but one, and its reciprocal, are no normal float32."""

WEIGHT = 64
"""Weights from 2⁻⁶⁴ to 2⁶⁴ multiply float32 gradients in float32."""


def inner_products(rows: Tensor) -> Tensor:
    """Return RRᵀ of rows ``[m, n]``, float32 or float64, as float64 in memory of its own.

    Float32 rows of more than `ACCURATE` entries in all are multiplied in float32, `BLOCK` columns at a time,
    and the blocks summed in float64: |error| ≤ γ₁₀₂₅ ‖rᵢ‖ ‖rⱼ‖ in the γ of float32, whatever the norms, and
    about 1e-6 of that product in practice. Everything else is float64 throughout.
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
    """Return weights in the dtype of what they multiply if it holds them with room to spare, or in float64."""
    if dtype == torch.float64:
        return w
    least, largest = torch.aminmax(torch.frexp(w).exponent)  # that of zero is zero
    return w.to(dtype) if int(least) >= -WEIGHT and int(largest) <= WEIGHT else w


def weighted_sum(w: Tensor, rows: Tensor) -> Tensor:
    """Return Rᵀw of rows ``[m, n]`` in their dtype, w in float64."""
    w = w if rows.numel() <= ACCURATE else factors(w, rows.dtype)
    return (w @ rows.to(w.dtype)).to(rows.dtype)


def working(t: Tensor) -> Tensor:
    """Return t in the precision that is computed in: float32 for anything narrower, else its own.

    Complex tensors stay as they are.
    """
    return t if t.dtype == torch.float64 or t.is_complex() else t.to(torch.float32)


def exponents(rows: Tensor) -> Tensor:
    """Return for every row the e with 2ᵉ⁻¹ ≤ max|entry| < 2ᵉ, within ±126, int32; 0 for a zero row."""
    flat = rows.flatten(1)
    if flat.shape[1] == 0:
        return torch.zeros(len(flat), dtype=torch.int32, device=flat.device)
    # Not torch.linalg.vector_norm(…, inf), nor torch.aminmax, which take thirty times as long on a CPU.
    largest = torch.maximum(flat.amax(1), -flat.amin(1))
    return torch.frexp(largest).exponent.clamp(-LARGEST, LARGEST)


def shrink(rows: Tensor, e: Tensor) -> Tensor:
    """Return row i times 2^(-eᵢ): exact, but for entries 2¹²⁵ times below the largest of the row."""
    factor = torch.ldexp(torch.ones_like(e, dtype=rows.dtype), -e)
    return rows * factor.view(-1, *[1] * (rows.ndim - 1))


def grow(G: Tensor, e: Tensor) -> Tensor:
    """Return the Gramian of the rows from that of the shrunk rows, 2^(eᵢ + eⱼ) Gᵢⱼ, float64."""
    factor = torch.ldexp(torch.ones_like(e, dtype=torch.float64), e)
    return G.to(torch.float64) * factor.unsqueeze(-1) * factor


def shrunk_weights(w: Tensor, e: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the weights of the shrunk rows, wᵢ 2^eᵢ, in the dtype of the rows."""
    return torch.ldexp(w, e).to(dtype)
