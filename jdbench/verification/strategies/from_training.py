"""The class of Gramians of a real network in training, see `jdbench.verification.captured`."""

from functools import cache

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification.captured import snapshots, triangular
from jdbench.verification.strategies.matrix import MOST_ROWS, RANGES, Matrix, rounded

DECADES = 2.0
"""What the norms of a batch span, for it to be drawn from: those of less are as tame as Gaussian ones."""


@st.composite
def captured(draw: st.DrawFn, dtype: torch.dtype) -> Matrix:
    """Draw 2 to 6 gradients of one batch, rotated into as many columns: their inner products are the network's.

    The rows are those of L, a triangular factor of the batch's Gramian, restricted and made triangular again.
    Each is rounded to integers of 51 binary digits (22 in float32) times a power of two of its own. Rows
    whose squares leave the dtype's range are left out beforehand.

    Args:
        draw: Given by Hypothesis.
        dtype: float32 or float64.

    Returns:
        A lower triangle, shape ``[m, m]``, whose rows are off by at most √m 2⁻⁵¹ (2⁻²²) of their norm.
    """
    rows = draw(st.sampled_from(_rows(dtype)))
    chosen = draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=MOST_ROWS, unique=True))
    return Matrix(rounded(triangular(rows[chosen]), RANGES[dtype].digits), "captured")


@cache
def _rows(dtype: torch.dtype) -> list[Tensor]:
    smallest = 2.0 ** -RANGES[dtype].extreme
    return [one.factor[one.norms >= smallest] for one in snapshots() if one.decades > DECADES]
