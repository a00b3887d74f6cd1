"""The margins of [JD] Section 2.2 in rational arithmetic, as in `predicates`, rounded once at the end.

The squares of these margins are rational, so that signs are exact and the only error is that of a square root.
"""

import math
from collections.abc import Sequence

from flint import fmpq, fmpq_mat

from jdbench.errors import SolverError
from jdbench.verification.properties import TABLE_1


def non_conflicting_margin(matrices: Sequence[fmpq_mat], directions: Sequence[fmpq_mat]) -> float:
    """Return min_i gᵢᵀa / (‖gᵢ‖ max_j ‖gⱼ‖) ([JD] Definition 1), whose sign is that of min_i gᵢᵀa.

    Args:
        matrices: J alone, m × n.
        directions: Its aggregation a alone, n × 1.

    Returns:
        Margin; a zero row counts as 0.
    """
    (J,), (a,) = matrices, directions
    products = (J * a).entries()
    signed = [p * abs(p) / s if s else fmpq(0) for p, s in zip(products, _squared_norms(J), strict=True)]
    worst = min(signed)
    return math.copysign(_root(abs(worst) / _scale(J)), -1 if worst < 0 else 1)


def linear_margin(matrices: Sequence[fmpq_mat], directions: Sequence[fmpq_mat]) -> float:
    """Return -‖A(c₁∘J) + A(c₂∘J) - A((c₁+c₂)∘J)‖ / max_j ‖gⱼ‖ ([JD] Definition 2).

    Args:
        matrices: c₁∘J, c₂∘J and (c₁+c₂)∘J, m × n; the gⱼ are rows of the last.
        directions: Their aggregations, n × 1 each.

    Returns:
        Margin, at most 0.
    """
    first, second, both = directions
    return -_root(_square(first + second - both) / _scale(matrices[-1]))


def weighted_margin(matrices: Sequence[fmpq_mat], directions: Sequence[fmpq_mat]) -> float:
    """Return minus the distance of a to the row span over max_j ‖gⱼ‖ ([JD] Definition 3), whatever the rank.

    Args:
        matrices: J alone, m × n.
        directions: Its aggregation a alone, n × 1.

    Returns:
        Margin, at most 0; a rounded Jᵀw is seldom in the span exactly.

    Raises:
        SolverError: The remainder is not orthogonal to the rows: a defect of this module.
    """
    (J,), (a,) = matrices, directions
    reduced, rank = J.rref()
    # The first rows of the reduced form are a basis: their Gramian is regular.
    basis = fmpq_mat(rank, J.ncols(), reduced.entries()[: rank * J.ncols()])
    rest = a - basis.transpose() * (basis * basis.transpose()).solve(basis * a) if rank else a
    if any((J * rest).entries()):
        raise SolverError(f"rest={rest.tolist()}, required 0 = J·rest, got others, report J={J.tolist()}")
    return -_root(_square(rest) / _scale(J))


MARGINS = dict(zip(TABLE_1, (non_conflicting_margin, linear_margin, weighted_margin), strict=True))
"""The margins by the names of the properties; each is 0 or more if and only if the property holds there."""


def _square(vector: fmpq_mat) -> fmpq:
    return sum((entry * entry for entry in vector.entries()), fmpq(0))


def _squared_norms(J: fmpq_mat) -> list[fmpq]:
    return [sum((entry * entry for entry in row), fmpq(0)) for row in J.tolist()]


def _scale(J: fmpq_mat) -> fmpq:
    """Return max_j ‖gⱼ‖², or 1 where all rows are zero."""
    return max(_squared_norms(J)) or fmpq(1)


def _root(square: fmpq) -> float:
    """Return √square, with powers of four taken out first: a ratio of huge numbers may fit no float."""
    p, q = int(square.p), int(square.q)
    shift = (p.bit_length() - q.bit_length()) // 2
    p, q = (p, q << 2 * shift) if shift >= 0 else (p << -2 * shift, q)
    try:
        return math.ldexp(math.sqrt(p / q), shift)
    except OverflowError:
        return math.inf
