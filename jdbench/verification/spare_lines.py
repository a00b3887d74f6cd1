"""Smaller violations: the rows and columns of a matrix that its violation does not need.

Hypothesis shrinks the entries well, and the number of rows and columns, which it drew first, less so.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from jdbench.verification.strategies import Matrix
from jdbench.verification.witnesses import Witness


def without_spare_lines(violates: Callable[[Witness], bool], witness: Witness) -> Witness:
    """Return the witness without rows and columns, as long as it stays a violation.

    Args:
        violates: Whether a witness is a violation, for a property that is claimed of every matrix.
        witness: A violation, of one matrix with or without scalings.

    Returns:
        A violation from which no single row or column can be left out.
    """
    smaller = True
    while smaller:
        smaller = False
        m, n = witness.J.shape
        fewer_rows = [_row_left_out(witness, i) for i in range(m) if m > 1]
        fewer_columns = [_column_left_out(witness, j) for j in range(n) if n > 1]
        for candidate in [*fewer_rows, *fewer_columns]:
            if violates(candidate):
                witness, smaller = candidate, True
                break
    return witness


def _row_left_out(witness: Witness, i: int) -> Witness:
    kept = [k for k in range(len(witness.J)) if k != i]
    return _with(witness, witness.J[kept], tuple(c[kept] for c in witness.scalings))


def _column_left_out(witness: Witness, j: int) -> Witness:
    kept = [k for k in range(witness.J.shape[1]) if k != j]
    return _with(witness, witness.J[:, kept], witness.scalings)


def _with(witness: Witness, J: Tensor, scalings: tuple[Tensor, ...]) -> Witness:
    return replace(witness, matrix=Matrix(J, witness.matrix.kind), scalings=scalings)
