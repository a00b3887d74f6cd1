"""What an aggregator can be claimed to be: each property with its margin and where violations are searched."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from hypothesis import strategies as st
from torch import Tensor

from jdbench.verification import predicates, tolerances
from jdbench.verification.calls import Call
from jdbench.verification.strategies import Matrix, matrices


@dataclass(frozen=True)
class Witness:
    """All that a check needs besides the aggregator: what a replay prints.

    Attributes:
        matrix: The matrix, with the name of its class.
        seed: State of the generator.
        scalings: c₁ and c₂, for linearity; otherwise none.
    """

    matrix: Matrix
    seed: int = 0
    scalings: tuple[Tensor, ...] = field(default=())


@dataclass(frozen=True)
class Finding:
    """A margin with the error that rounding explains; violated below minus that, or if NaN.

    Attributes:
        margin: Signed, a pure number.
        tolerance: Derived, at least 0.
    """

    margin: float
    tolerance: float

    @property
    def violated(self) -> bool:
        """Whether the property fails here."""
        return not self.margin >= -self.tolerance


@dataclass(frozen=True)
class Property:
    """A property that holds for all matrices, or fails for one.

    Attributes:
        name: As claims name it.
        statement: What holds, in one sentence with its source.
        witnesses: Where violations are searched, by dtype.
        check: The finding for one witness.
    """

    name: str
    statement: str
    witnesses: Callable[[torch.dtype], st.SearchStrategy[Witness]]
    check: Callable[[Call, Witness], Finding]


def _anywhere(dtype: torch.dtype) -> st.SearchStrategy[Witness]:
    return st.builds(Witness, matrices(dtype), st.integers(0, 3))


@st.composite
def _with_scalings(draw: st.DrawFn, dtype: torch.dtype) -> Witness:
    """Draw c₁ and c₂ of powers of two and three times such, whose sum is a power of two: all exact."""
    matrix = draw(matrices(dtype))
    m = len(matrix.J)
    powers = 2.0 ** torch.tensor(
        draw(st.lists(st.integers(-3, 3), min_size=m, max_size=m)), dtype=torch.float64
    )
    shares = torch.tensor(
        draw(st.lists(st.sampled_from([1.0, 2.0, 3.0]), min_size=m, max_size=m)), dtype=torch.float64
    )
    return Witness(matrix, draw(st.integers(0, 3)), (powers * shares, powers * (4 - shares)))


def _non_conflicting(call: Call, witness: Witness) -> Finding:
    J = witness.matrix.J
    a = call(J, witness.seed)
    margin = float(predicates.non_conflicting(J, a))
    return Finding(margin, tolerances.direction(J, a, call.dtype))


def _linear_under_scaling(call: Call, witness: Witness) -> Finding:
    J = witness.matrix.J
    c1, c2 = (c.unsqueeze(-1) for c in witness.scalings)
    scaled = [c1 * J, c2 * J, (c1 + c2) * J]
    first, second, both = (call(matrix, witness.seed) for matrix in scaled)
    margin = float(predicates.linear_under_scaling(first, second, both, scaled[-1]))
    pairs = zip(scaled, (first, second, both), strict=True)
    return Finding(margin, sum(tolerances.direction(matrix, a, call.dtype) for matrix, a in pairs))


def _weighted(call: Call, witness: Witness) -> Finding:
    J = witness.matrix.J
    a = call(J, witness.seed)
    return Finding(float(predicates.weighted(J, a)), tolerances.direction(J, a, call.dtype))


def _repeatable(call: Call, witness: Witness) -> Finding:
    J = witness.matrix.J
    return Finding(-float((call(J, witness.seed) != call(J, witness.seed)).sum()), 0.0)


TABLE_1 = ("non-conflicting", "linear-under-scaling", "weighted")
"""The properties of [JD] Table 1, verified by default."""

HYGIENE = "hygiene"
"""The property that every aggregator must have, always verified."""

PROPERTIES = {
    p.name: p
    for p in (
        Property(
            "non-conflicting",
            "0 ≤ J·A(J) for every J ([JD] Definition 1)",
            _anywhere,
            _non_conflicting,
        ),
        Property(
            "linear-under-scaling",
            "c ↦ A(diag(c)·J) is linear for c > 0 ([JD] Definition 2)",
            _with_scalings,
            _linear_under_scaling,
        ),
        Property(
            "weighted",
            "A(J) = Jᵀw for some w ([JD] Definition 3)",
            _anywhere,
            _weighted,
        ),
        Property(
            HYGIENE,
            "a finite direction of the right shape and dtype, the same for the same generator state, from an "
            "input left as it was",
            _anywhere,
            _repeatable,
        ),
    )
}
