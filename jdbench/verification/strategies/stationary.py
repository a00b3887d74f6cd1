"""Classes of stationary matrices, with the weights that show it, and of matrices beside them."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification.strategies.matrix import (
    MOST_COLUMNS,
    MOST_ROWS,
    Matrix,
    exponents,
    integers,
    shuffled,
    size,
)

SPREAD = 8
"""Some of these matrices have rows scaled by 2^±8: what balances them is then as uneven."""


@st.composite
def strongly_stationary(draw: st.DrawFn) -> Matrix:
    """Draw rows, one of them minus a positive combination of the others: then Jᵀ(w, 1) = 0 with (w, 1) > 0."""
    J, w = _balanced(draw, size(draw, 1, MOST_ROWS - 1))
    return Matrix(*_reweighed(draw, J, "strongly stationary", w))


@st.composite
def weakly_stationary(draw: st.DrawFn) -> Matrix:
    """Draw some rows in balance and others beside them, whose weight in the certificate is zero."""
    J, w = _balanced(draw, size(draw, 1, 3))
    others = integers(draw, size(draw, 1, 3), J.shape[1])
    w = torch.cat([w, torch.zeros(len(others), dtype=w.dtype)])
    return Matrix(*_reweighed(draw, torch.cat([J, others]), "weakly stationary", w))


@st.composite
def near_stationary(draw: st.DrawFn) -> Matrix:
    """Draw rows in balance but for one entry, which is off by a power of two down to 2⁻¹²."""
    J, w = _balanced(draw, size(draw, 1, MOST_ROWS - 1))
    i, j = draw(st.integers(0, len(J) - 1)), draw(st.integers(0, J.shape[1] - 1))
    J[i, j] += draw(st.sampled_from([1.0, -1.0])) * 2.0 ** -draw(st.integers(0, 12))
    J, kind, _ = _reweighed(draw, J, "near-stationary", w)
    return Matrix(J, kind)


def _balanced(draw: st.DrawFn, m: int) -> tuple[Tensor, Tensor]:
    """Return m + 1 rows and positive weights with Jᵀw = 0."""
    J = integers(draw, m, size(draw, 1, MOST_COLUMNS), 4)
    w = torch.tensor(draw(st.lists(st.integers(1, 3), min_size=m, max_size=m)), dtype=torch.float64)
    one = torch.ones(1, dtype=torch.float64)
    return torch.cat([J, -(w @ J).unsqueeze(0)]), torch.cat([w, one])


def _reweighed(draw: st.DrawFn, J: Tensor, kind: str, w: Tensor) -> tuple[Tensor, str, Tensor]:
    """Return the rows in another order and, in some draws, times powers of two c: (w/c)ᵀ(c∘J) = wᵀJ exactly."""
    order = shuffled(draw, len(J))
    J, w = J[order], w[order]
    if draw(st.booleans()):
        c = exponents(draw, len(J), SPREAD)
        J, w = J * c, w / c.squeeze(-1)
    return J, kind, w
