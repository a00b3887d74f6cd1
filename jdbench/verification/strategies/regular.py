"""Classes of matrices far from any discontinuity of an aggregator, for equivariance and continuity."""

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.rounding import largest_entry, normalized_rows, row_norms
from jdbench.verification.strategies.matrix import Matrix, drawn_count, drawn_integers, powers_of_two, shuffled

DIAGONAL = 8
REST = 4
"""The most that the other entries of a row or column of the square part add up to."""

EIGENVALUE = 2 / 11
"""At least so large is the smallest eigenvalue of the unit-row Gramian of a regular matrix."""

SPREAD = 8
"""At most so large is the ratio of two row norms of a regular matrix."""


@st.composite
def regular_rows(draw: st.DrawFn, kind: str, scales: tuple[int, ...] = (0,)) -> Matrix:
    """Draw m rows of full rank with well-conditioned unit rows and norms within a factor 8 of each other.

    The first m columns are a square A with ±8 on the diagonal and entries up to 4 / (m - 1) beside it: in
    each row and column the diagonal exceeds the rest by 4, hence ‖A⁻¹‖∞ ≤ 1/4 and ‖A⁻¹‖₁ ≤ 1/4 (J. M. Varah,
    *Linear Algebra and its Applications* 11, 1975) and ‖A⁻¹‖₂² ≤ ‖A⁻¹‖₁ ‖A⁻¹‖∞ ≤ 1/16. Up to two further
    columns of entries up to 2 only add to the Gramian: its smallest eigenvalue is at least 16. Rows have norms
    between 8 and √(64 + 16 + 8) = √88, thus that of the unit rows is at least 16/88 = 2/11, whatever power of
    two each row is then scaled by, here ½, 1 or 2, and in whatever order the columns come.

    Args:
        draw: Given by Hypothesis.
        kind: Name of the class.
        scales: All entries are multiplied by two to one of these powers.

    Returns:
        1 to 5 rows and up to two columns more.
    """
    m, extra = drawn_count(draw, 1, 5), drawn_count(draw, 0, 2)
    A = drawn_integers(draw, m, m, REST // max(m - 1, 1))
    signs = draw(st.lists(st.sampled_from([1, -1]), min_size=m, max_size=m))
    A[range(m), range(m)] = DIAGONAL * torch.tensor(signs, dtype=torch.float64)
    J = torch.cat([A, drawn_integers(draw, m, extra, 2)], -1)
    J = J[:, shuffled(draw, m + extra)] * powers_of_two(draw, m, 1)
    return Matrix(J * 2.0 ** draw(st.sampled_from(scales)), kind)


def is_regular(J: Tensor) -> bool:
    """Return whether a matrix is as far from any discontinuity as those that `regular_rows` draws.

    Args:
        J: Matrix, shape ``[m, n]``, float64.

    Returns:
        Whether eigenvalue and ratio of norms are within `EIGENVALUE` and `SPREAD`.
    """
    if len(J) > J.shape[1]:
        return False
    norms = row_norms(J / largest_entry(J))
    if not bool(norms.max() <= SPREAD * norms.min()) or not bool(norms.min() > 0):
        return False
    return float(torch.linalg.svdvals(normalized_rows(J))[-1].square()) >= EIGENVALUE
