"""The claims: which properties each aggregator has, with the reason, and lacks, with a counterexample.

[JD] Table 1 with the violations of its Appendix C, then the published variants, and for all of them what lies
beyond Table 1. A new aggregator of `jdbench.roster` gets one more row, without which it is held to hygiene;
what a row does not name is as `USUAL` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from jdbench.roster import CLAIMED
from jdbench.verification.properties import TABLE_1
from jdbench.verification.strategies import Matrix
from jdbench.verification.witnesses import Witness


@dataclass(frozen=True)
class Refutation:
    """Why an aggregator lacks a property, with a violation.

    Attributes:
        reason: In a few words, or where it stands.
        counterexample: A fixed violation, in both dtypes.
        unsearchable: Why a random search does not come upon a violation; empty if it does.
    """

    reason: str
    counterexample: Witness
    unsearchable: str = ""


ClaimRow = Mapping[str, str | Refutation]
"""By property: why it holds, or why it does not."""

Entries = list[list[float]]


def _tensor(entries: object) -> Tensor:
    return torch.tensor(entries, dtype=torch.float64)


def _conflict(reason: str, rows: Entries) -> Refutation:
    return Refutation(reason, Witness(Matrix(_tensor(rows), "[JD] Appendix C")))


def _scaling(reason: str, rows: Entries, c1: list[float], c2: list[float], seed: int = 0) -> Refutation:
    matrix = Matrix(_tensor(rows), "[JD] Appendix C")
    return Refutation(reason, Witness(matrix, seed, (_tensor(c1), _tensor(c2))))


def _witness(rows: Entries, other: Entries | None = None, action: Entries | None = None) -> Witness:
    return Witness(
        Matrix(_tensor(rows), "fixed"),
        other_matrix=None if other is None else _tensor(other),
        action=None if action is None else _tensor(action),
    )


def _jump_of_graddrop() -> Witness:
    """Return a first column whose P is the first draw of seed 0 rounded down to 20 bits, and one rounded up."""
    draws = torch.rand(2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    one = 2.0**20
    below = float(draws[0] * one // 1)
    return _witness([[below, one], [below - one, one]], [[below + 1, one], [below + 1 - one, one]])


DOUBLED = _witness([[1.0]], [[2.0]], [[2.0]])
WEAKLY = _witness([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
STRONGLY = _witness([[1.0], [-64.0]])
NO_SUM = [[2.0, 2.0, 1.0], [2.0, -2.0, 1.0], [1.0, 0.0, 0.0]]
"""Regular, norms 3, 3, 1, and Ĝ⁻¹1 = (3/2, 3/2, -1): 1ᵀv = 1/2 + 1/2 - 1 = 0 in [JD] eq. 37."""

IN_THE_HULL = "0 is in the convex hull of the rows"
UNDEFINED_THERE = "no d has Jd > 0: the definition is empty there, and we return 0"
ORTHOGONAL = "the dual cone is orthogonal to all rows"
OPEN_CONE = Refutation("the regularised cone is open", STRONGLY)
OPPOSED_ROWS = _conflict("opposed rows: the regularised cone is open", [[1.0], [-2.0]])
OTHER_WEIGHTS = "as Proposition 1, with other weights"

USUAL: ClaimRow = {
    "permutation-invariant": "the definition names no row, and its optimum is unique",
    "rotation-equivariant": "A(J) = Jᵀw(JJᵀ), and JQ has the Gramian of J",
    "homogeneous": "every step of the definition is of degree 1",
    "scale-invariant": Refutation("degree 1", DOUBLED),
    "identity-for-one-row": "the only weight is 1",
    "zero-only-if-weakly-stationary": "Jᵀw = 0 with w ≥ 0, w ≠ 0: its weights are such",
    "zero-if-weakly-stationary": Refutation("the third row conflicts with nothing and is followed", WEAKLY),
    "zero-if-strongly-stationary": Refutation("the longer of two opposed rows wins", STRONGLY),
    "continuous": "the optimum is unique and moves with the Gramian; a linear map at full rank",
}
"""What most have and lack beyond Table 1, in the order of the properties."""

ROWS: Mapping[str, ClaimRow] = {
    "Mean": {
        "non-conflicting": _conflict("[JD] C.1", [[-2.0], [4.0]]),
        "linear-under-scaling": "[JD] C.1",
        "weighted": "[JD] C.1",
        "continuous": "a linear map",
    },
    "MGDA": {
        "non-conflicting": "[JD] C.2",
        "linear-under-scaling": _scaling(
            "[JD] C.2, a = ½ and 3/2", [[2, 0], [0, 2], [1, 1]], [1, 1, 0.5], [1, 1, 1.5]
        ),
        "weighted": "[JD] C.2",
        "zero-if-weakly-stationary": IN_THE_HULL,
        "zero-if-strongly-stationary": IN_THE_HULL,
    },
    "DualProj": {
        "non-conflicting": "[JD] C.3",
        "linear-under-scaling": _scaling("[JD] C.3, a = ½ and 3/2", [[2, 0], [-2, 2]], [1, 0.5], [1, 1.5]),
        "weighted": "[JD] C.3",
        "zero-if-strongly-stationary": ORTHOGONAL,
    },
    "PCGrad": {
        "non-conflicting": _conflict("[JD] C.4", [[1, 0], [0, 1], [-0.5, -1]]),
        "linear-under-scaling": "[JD] C.4",
        "weighted": "[JD] C.4",
        "permutation-invariant": "in law: each order is as likely",
        "zero-if-strongly-stationary": Refutation(
            "three rows in balance: projected off one by one, no row vanishes",
            _witness([[-2.0, -2.0], [0.0, 1.0], [2.0, 1.0]]),
        ),
        "continuous": "each projection is continuous where no row is 0, for the same draws",
    },
    "GradDrop": {
        "non-conflicting": _conflict("[JD] C.5", [[-2.0], [1.0]]),
        "linear-under-scaling": _scaling("[JD] C.5, with coupled draws", [[1, -1], [-1, 1]], [1, 1], [3, 1], 3),
        "weighted": _conflict("[JD] C.5", [[1, -1], [-1, 1]]),
        "permutation-invariant": "sums of the positive and of the negative entries",
        "rotation-equivariant": Refutation(
            "chooses coordinate by coordinate: signs that agree need not after a rotation",
            _witness([[5, 0], [0, 5]], [[3, 4], [-4, 3]], [[0.6, 0.8], [-0.8, 0.6]]),
        ),
        "homogeneous": "P has degree 0, for the same draws",
        "zero-only-if-weakly-stationary": "a coordinate vanishes only if its column does",
        "continuous": Refutation(
            "jumps where P passes the draw, for the same draws",
            _jump_of_graddrop(),
            "P must pass a given real number within the shift of one entry by 2⁻²⁶",
        ),
    },
    "IMTLG": {
        "non-conflicting": _conflict("[JD] C.6", [[1.0], [-1.0], [-1.0]]),
        "linear-under-scaling": _scaling("[JD] C.6, a = 1 and 3", [[1, 0], [0, 1]], [1, 1], [3, 1]),
        "weighted": "[JD] C.6",
        "zero-only-if-weakly-stationary": Refutation(
            "0 where 1ᵀv = 0 leaves (37) undefined, and w may be negative at full rank",
            _witness(NO_SUM),
            "1ᵀv must be 0 within rounding, which few integer rows bring about",
        ),
        "continuous": Refutation(
            "1ᵀv passes through 0, even at full rank",
            _witness(NO_SUM, [[2.0, 2.0, 1.0], [2.0, -2.0, 1.0], [1.0 + 2.0**-20, 0.0, 0.0]]),
            "1ᵀv must pass 0 within the shift of one entry by 2⁻²⁶",
        ),
    },
    "CAGrad": {
        "non-conflicting": _conflict("[JD] C.7, a = 1", [[2, 0], [-4, 2]]),
        "linear-under-scaling": _scaling("[JD] C.7", [[2, 0], [0, 2]], [1, 1], [1, 7]),
        "weighted": "[JD] C.7",
        "identity-for-one-row": Refutation(
            "the best point of the ball around g is (1 + c)g", _witness([[1.0]])
        ),
        "zero-only-if-weakly-stationary": "‖A(J) - ḡ‖ ≤ c‖ḡ‖ with c < 1: only if ḡ = 0",
    },
    "RGW": {
        "non-conflicting": _conflict("[JD] C.8", [[1.0], [-2.0]]),
        "linear-under-scaling": "[JD] C.8",
        "weighted": "[JD] C.8",
        "permutation-invariant": "in law: the weights are exchangeable",
        "continuous": "a linear map, for the same draws",
    },
    "NashMTL": {
        "non-conflicting": "[JD] C.9",
        "linear-under-scaling": _scaling("[JD] C.9: indifferent to scale", [[1.0]], [1], [1]),
        "weighted": "[JD] C.9",
        "homogeneous": Refutation("the length is ε whatever J: degree 0", DOUBLED),
        "scale-invariant": "the ball of (41) has radius ε, and Σ log gᵢᵀd only gains a constant",
        "identity-for-one-row": Refutation("εg/‖g‖", _witness([[2.0]])),
        "zero-if-weakly-stationary": UNDEFINED_THERE,
        "zero-if-strongly-stationary": UNDEFINED_THERE,
    },
    "AlignedMTL": {
        "non-conflicting": _conflict("[JD] C.10", [[3**0.5 / 2], [-0.5]]),
        "linear-under-scaling": _scaling("[JD] C.10, a = ½ and 3/2", [[1, 0], [0, 1]], [1, 0.5], [1, 1.5]),
        "weighted": "[JD] C.10",
        "zero-only-if-weakly-stationary": "UVᵀ1 = 0 only if Jᵀ1 = 0",
    },
    "UPGrad": {
        "non-conflicting": "[JD] Section 2.3",
        "linear-under-scaling": "[JD] Section 2.3",
        "weighted": "[JD] Proposition 1",
        "zero-if-strongly-stationary": ORTHOGONAL,
    },
    "UPGrad(trace_regularization=0.0001)": {
        "non-conflicting": OPPOSED_ROWS,
        "linear-under-scaling": _scaling(
            "the trace mixes the scales of the rows", [[1.0], [-1.0]], [1, 1], [63, 1]
        ),
        "weighted": OTHER_WEIGHTS,
        "zero-if-strongly-stationary": OPEN_CONE,
    },
    "DualProj(trace_regularization=0.0001)": {
        "non-conflicting": OPPOSED_ROWS,
        "linear-under-scaling": _scaling("[JD] C.3, a = ½ and 3/2", [[2, 0], [-2, 2]], [1, 0.5], [1, 1.5]),
        "weighted": OTHER_WEIGHTS,
        "zero-if-strongly-stationary": OPEN_CONE,
    },
}
"""In the order of Table 1, then the published variants. Every row names the properties of Table 1."""


WITH_CLAIMS = tuple(spec for spec in CLAIMED if spec in ROWS)
"""Those of which something is claimed, in the order of the roster."""


@dataclass(frozen=True)
class Claim:
    """A cell of Table 1, or of its continuation.

    Attributes:
        aggregator: Spec.
        prop: Name of a property.
        source: Where it is proved or refuted, or why.
        counterexample: A fixed violation, if the property fails; None if it holds.
        unsearchable: Why a random search does not come upon a violation, if it does not.

    Example:
        >>> from jdbench.verification import CLAIMS
        >>> next(claim.source for claim in CLAIMS if (claim.aggregator, claim.prop) == ("UPGrad", "weighted"))
        '[JD] Proposition 1'
    """

    aggregator: str
    prop: str
    source: str
    counterexample: Witness | None = None
    unsearchable: str = ""

    @property
    def holds(self) -> bool:
        """Whether the property is claimed."""
        return self.counterexample is None


def claim_of(aggregator: str, row: ClaimRow, prop: str) -> Claim:
    """Return what a row says of a property, or the usual where it does not name it."""
    cell = row.get(prop) or USUAL[prop]
    if isinstance(cell, Refutation):
        return Claim(aggregator, prop, cell.reason, cell.counterexample, cell.unsearchable)
    return Claim(aggregator, prop, cell)


CLAIMS = (
    *(claim_of(name, ROWS[name], prop) for name in WITH_CLAIMS for prop in TABLE_1),
    *(claim_of(name, ROWS[name], prop) for prop in USUAL for name in WITH_CLAIMS),
)
"""Table 1, then what lies beyond it."""


def table_1() -> dict[str, tuple[bool, ...]]:
    """Return for each aggregator whether it is non-conflicting, linear under scaling and weighted.

    Example:
        >>> from jdbench.verification import table_1
        >>> table_1()["PCGrad"]
        (False, True, True)
    """
    held = {(claim.aggregator, claim.prop): claim.holds for claim in CLAIMS}
    return {name: tuple(held[name, prop] for prop in TABLE_1) for name in WITH_CLAIMS}
