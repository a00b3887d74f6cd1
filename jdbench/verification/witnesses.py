"""Where violations are searched: matrices with all that a check needs besides the aggregator."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification.strategies import RANGES, Matrix, classes, regular

Classes = Mapping[str, st.SearchStrategy["Witness"]]

SEEDS = st.integers(0, 3)

ROUNDS = 64
"""How often an aggregator is called again to see whether it keeps something, in the class that is for that."""


@dataclass(frozen=True)
class Witness:
    """All that a check needs besides the aggregator: what a replay prints.

    Attributes:
        matrix: The matrix, with the name of its class.
        seed: State of the generator.
        scalings: c₁ and c₂, for linearity; otherwise none.
        other_matrix: A second matrix, for properties that compare two: PJ, JQ, cJ or J + E.
        action: What takes A(J) to A of the second matrix, from the right, shape ``[n, n]``; None: nothing.
        rounds: How often an aggregator is called again, at most, to see whether it keeps something; None: once.

    Example:
        >>> import torch
        >>> from jdbench.verification import Matrix, Witness
        >>> J = torch.tensor([[1.0], [-2.0]], dtype=torch.float64)
        >>> witness = Witness(Matrix(J, "opposed"), other_matrix=2 * J)
        >>> witness.J.tolist(), witness.other.tolist()
        ([[1.0], [-2.0]], [[2.0], [-4.0]])
    """

    matrix: Matrix
    seed: int = 0
    scalings: tuple[Tensor, ...] = field(default=())
    other_matrix: Tensor | None = None
    action: Tensor | None = None
    rounds: int | None = None

    @property
    def J(self) -> Tensor:  # noqa: N802  the paper's name
        """The matrix itself, shape ``[m, n]``, float64."""
        return self.matrix.J

    @property
    def other(self) -> Tensor:
        """The second matrix, shape ``[m, n]``, float64; J itself if there is none."""
        return self.matrix.J if self.other_matrix is None else self.other_matrix


def anywhere(dtype: torch.dtype) -> Classes:
    """Return witnesses of every class.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    return _with_seeds(classes(dtype))


def anyhow(dtype: torch.dtype) -> Classes:
    """Return witnesses of every class, regular ones, and ones that are called again `ROUNDS` times.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    often = st.builds(Witness, classes(dtype)["any shape"], SEEDS, rounds=st.just(ROUNDS))
    return {**anywhere(dtype), **_with_seeds(regular(dtype)), "called again and again": often}


def one_row_witnesses(dtype: torch.dtype) -> Classes:
    """Return witnesses of one row, of any scale.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    single = classes(dtype)["one row"]
    return _with_seeds({"one row": single, "tiny or huge row": _rows_at_extremes(single, dtype)})


def weakly_stationary_witnesses(dtype: torch.dtype) -> Classes:
    """Return witnesses with Jᵀw = 0 for some w ≥ 0, w ≠ 0.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    return _with_seeds({kind: classes(dtype)[kind] for kind in ("strongly stationary", "weakly stationary")})


def strongly_stationary_witnesses(dtype: torch.dtype) -> Classes:
    """Return witnesses with Jᵀw = 0 for some w > 0.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    return _with_seeds({kind: classes(dtype)[kind] for kind in ("strongly stationary",)})


def with_scalings(dtype: torch.dtype) -> Classes:
    """Return witnesses of every class with c₁ and c₂ of which all products and sums are exact.

    They are powers of two and three times such, whose sum is a power of two.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    return {kind: _scaled(matrices) for kind, matrices in classes(dtype).items()}


def permuted(dtype: torch.dtype) -> Classes:
    """Return regular witnesses with their rows in another order.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    return {kind: _permuted(matrices) for kind, matrices in regular(dtype).items()}


def rotated(dtype: torch.dtype) -> Classes:
    """Return regular witnesses 5K with 5KQ, Q a signed permutation times a rotation by (3, 4)/5: both exact.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    return {kind: _rotated(matrices) for kind, matrices in regular(dtype).items()}


def rescaled(dtype: torch.dtype) -> Classes:
    """Return regular witnesses with all their entries scaled by one power of two, near or far from 1.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    extreme = RANGES[dtype].extreme
    return {kind: _rescaled(matrices, extreme) for kind, matrices in regular(dtype).items()}


def shifted(dtype: torch.dtype) -> Classes:
    """Return regular witnesses with one entry shifted by a power of two far below the row's norm, exactly.

    The shift is some 2⁻²⁶ of the entries in float64 and 2⁻¹² in float32: half of the digits, where what
    rounding adds to a difference and what curvature adds to a modulus are both small.

    Args:
        dtype: In which the aggregator is called.

    Returns:
        A strategy for each class.
    """
    digits = 26 if dtype == torch.float64 else 12
    return {kind: _shifted(matrices, digits) for kind, matrices in regular(dtype).items()}


def _with_seeds(strategies: Mapping[str, st.SearchStrategy[Matrix]]) -> Classes:
    return {kind: st.builds(Witness, matrices, SEEDS) for kind, matrices in strategies.items()}


@st.composite
def _rows_at_extremes(draw: st.DrawFn, rows: st.SearchStrategy[Matrix], dtype: torch.dtype) -> Matrix:
    exponent = RANGES[dtype].extreme
    return Matrix(draw(rows).J * 2.0 ** draw(st.sampled_from([-exponent, exponent])), "tiny or huge row")


@st.composite
def _scaled(draw: st.DrawFn, matrices: st.SearchStrategy[Matrix]) -> Witness:
    matrix = draw(matrices)
    m = len(matrix.J)
    powers = _tensor(draw(st.lists(st.integers(-3, 3), min_size=m, max_size=m)))
    shares = _tensor(draw(st.lists(st.sampled_from([1, 2, 3]), min_size=m, max_size=m)))
    return Witness(matrix, draw(SEEDS), (2.0**powers * shares, 2.0**powers * (4 - shares)))


@st.composite
def _permuted(draw: st.DrawFn, matrices: st.SearchStrategy[Matrix]) -> Witness:
    matrix = draw(matrices)
    order = draw(st.permutations(range(len(matrix.J))))
    return Witness(matrix, draw(SEEDS), other_matrix=matrix.J[torch.tensor(order)])


@st.composite
def _rotated(draw: st.DrawFn, matrices: st.SearchStrategy[Matrix]) -> Witness:
    matrix = draw(matrices)
    n = matrix.J.shape[1]
    order = torch.tensor(draw(st.permutations(range(n))))
    signs = _tensor(draw(st.lists(st.sampled_from([1, -1]), min_size=n, max_size=n)))
    Q = 5 * torch.eye(n, dtype=torch.float64)
    if n > 1 and draw(st.booleans()):
        Q[:2, :2] = torch.tensor([[3.0, 4.0], [-4.0, 3.0]], dtype=torch.float64)
    Q = (Q * signs)[:, order]
    return Witness(Matrix(5 * matrix.J, matrix.kind), draw(SEEDS), other_matrix=matrix.J @ Q, action=Q / 5)


@st.composite
def _rescaled(draw: st.DrawFn, matrices: st.SearchStrategy[Matrix], extreme: int) -> Witness:
    matrix = draw(matrices)
    size = math.log2(float(matrix.J.abs().max()))
    # Entries of 16 at either extreme still have finite squares that are not zero.
    powers = [k for k in (1, -1, 3, -3, extreme, -extreme) if abs(size + k) <= extreme + 4]
    c = 2.0 ** draw(st.sampled_from(powers))
    action = c * torch.eye(matrix.J.shape[1], dtype=torch.float64)
    return Witness(matrix, draw(SEEDS), other_matrix=c * matrix.J, action=action)


@st.composite
def _shifted(draw: st.DrawFn, matrices: st.SearchStrategy[Matrix], digits: int) -> Witness:
    matrix = draw(matrices)
    other = matrix.J.clone()
    i, j = draw(st.integers(0, other.shape[0] - 1)), draw(st.integers(0, other.shape[1] - 1))
    power = 2.0 ** (float(matrix.J[i].abs().max().log2().ceil()) - digits)
    other[i, j] += draw(st.sampled_from([power, -power]))
    return Witness(matrix, draw(SEEDS), other_matrix=other)


def _tensor(entries: list[int]) -> Tensor:
    return torch.tensor(entries, dtype=torch.float64)
