"""Which aggregator has which property: Table 1 of [JD] and beyond, each "no" with what shows it."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from jdbench.roster import CLAIMED
from jdbench.verification.further_claims import FURTHER, Row
from jdbench.verification.properties import TABLE_1
from jdbench.verification.strategies import Matrix
from jdbench.verification.witnesses import Witness


@dataclass(frozen=True)
class Claim:
    """A cell of Table 1, or of its continuation.

    Attributes:
        aggregator: Spec.
        prop: Name of a property.
        source: Where it is proved or refuted.
        counterexample: A fixed violation, if the property fails; None if it holds.
        unsearchable: Why a random search does not come upon a violation, if it does not.
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


def _tensor(entries: object) -> Tensor:
    return torch.tensor(entries, dtype=torch.float64)


def _conflict(rows: list[list[float]], seed: int = 0) -> Witness:
    return Witness(Matrix(_tensor(rows), "[JD] Appendix C"), seed)


def _scaling(rows: list[list[float]], c1: list[float], c2: list[float], seed: int = 0) -> Witness:
    return Witness(Matrix(_tensor(rows), "[JD] Appendix C"), seed, (_tensor(c1), _tensor(c2)))


NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1


TABLE_1_CLAIMS = (
    Claim("Mean", NON_CONFLICTING, "[JD] C.1", _conflict([[-2.0], [4.0]])),
    Claim("Mean", LINEAR, "[JD] C.1"),
    Claim("Mean", WEIGHTED, "[JD] C.1"),
    Claim("MGDA", NON_CONFLICTING, "[JD] C.2"),
    Claim(
        "MGDA", LINEAR, "[JD] C.2, a = ½ and 3/2", _scaling([[2, 0], [0, 2], [1, 1]], [1, 1, 0.5], [1, 1, 1.5])
    ),
    Claim("MGDA", WEIGHTED, "[JD] C.2"),
    Claim("DualProj", NON_CONFLICTING, "[JD] C.3"),
    Claim("DualProj", LINEAR, "[JD] C.3, a = ½ and 3/2", _scaling([[2, 0], [-2, 2]], [1, 0.5], [1, 1.5])),
    Claim("DualProj", WEIGHTED, "[JD] C.3"),
    Claim("PCGrad", NON_CONFLICTING, "[JD] C.4", _conflict([[1, 0], [0, 1], [-0.5, -1]])),
    Claim("PCGrad", LINEAR, "[JD] C.4"),
    Claim("PCGrad", WEIGHTED, "[JD] C.4"),
    Claim("GradDrop", NON_CONFLICTING, "[JD] C.5", _conflict([[-2.0], [1.0]])),
    Claim("GradDrop", LINEAR, "[JD] C.5, with coupled draws", _scaling([[1, -1], [-1, 1]], [1, 1], [3, 1], 3)),
    Claim("GradDrop", WEIGHTED, "[JD] C.5", _conflict([[1, -1], [-1, 1]])),
    Claim("IMTLG", NON_CONFLICTING, "[JD] C.6", _conflict([[1.0], [-1.0], [-1.0]])),
    Claim("IMTLG", LINEAR, "[JD] C.6, a = 1 and 3", _scaling([[1, 0], [0, 1]], [1, 1], [3, 1])),
    Claim("IMTLG", WEIGHTED, "[JD] C.6"),
    Claim("CAGrad", NON_CONFLICTING, "[JD] C.7, a = 1", _conflict([[2, 0], [-4, 2]])),
    Claim("CAGrad", LINEAR, "[JD] C.7", _scaling([[2, 0], [0, 2]], [1, 1], [1, 7])),
    Claim("CAGrad", WEIGHTED, "[JD] C.7"),
    Claim("RGW", NON_CONFLICTING, "[JD] C.8", _conflict([[1.0], [-2.0]])),
    Claim("RGW", LINEAR, "[JD] C.8"),
    Claim("RGW", WEIGHTED, "[JD] C.8"),
    Claim("NashMTL", NON_CONFLICTING, "[JD] C.9"),
    Claim("NashMTL", LINEAR, "[JD] C.9: indifferent to scale", _scaling([[1.0]], [1], [1])),
    Claim("NashMTL", WEIGHTED, "[JD] C.9"),
    Claim("AlignedMTL", NON_CONFLICTING, "[JD] C.10", _conflict([[3**0.5 / 2], [-0.5]])),
    Claim("AlignedMTL", LINEAR, "[JD] C.10, a = ½ and 3/2", _scaling([[1, 0], [0, 1]], [1, 0.5], [1, 1.5])),
    Claim("AlignedMTL", WEIGHTED, "[JD] C.10"),
    Claim("UPGrad", NON_CONFLICTING, "[JD] Section 2.3"),
    Claim("UPGrad", LINEAR, "[JD] Section 2.3"),
    Claim("UPGrad", WEIGHTED, "[JD] Proposition 1"),
    Claim(
        "DualProj(trace_regularization=0.0001)",
        NON_CONFLICTING,
        "opposed rows: the regularised cone is open",
        _conflict([[1.0], [-2.0]]),
    ),
    Claim(
        "DualProj(trace_regularization=0.0001)",
        LINEAR,
        "[JD] C.3, a = ½ and 3/2",
        _scaling([[2, 0], [-2, 2]], [1, 0.5], [1, 1.5]),
    ),
    Claim("DualProj(trace_regularization=0.0001)", WEIGHTED, "as Proposition 1, with other weights"),
    Claim(
        "UPGrad(trace_regularization=0.0001)",
        NON_CONFLICTING,
        "opposed rows: the regularised cone is open",
        _conflict([[1.0], [-2.0]]),
    ),
    Claim(
        "UPGrad(trace_regularization=0.0001)",
        LINEAR,
        "the trace mixes the scales of the rows",
        _scaling([[1.0], [-1.0]], [1, 1], [63, 1]),
    ),
    Claim("UPGrad(trace_regularization=0.0001)", WEIGHTED, "as Proposition 1, with other weights"),
)
"""Table 1 in its order, then the published variants."""


def _further(row: Row) -> Iterator[Claim]:
    for name in CLAIMED:
        refutation = row.fails.get(name, None if name in row.holds else row.fails.get(""))
        if refutation is None:
            yield Claim(name, row.prop, row.holds.get(name, row.holds.get("", "")))
        else:
            yield Claim(name, row.prop, refutation.reason, refutation.counterexample, refutation.unsearchable)


CLAIMS = (*TABLE_1_CLAIMS, *(claim for row in FURTHER for claim in _further(row)))
"""Table 1, then what lies beyond it."""


def table_1() -> dict[str, tuple[bool, bool, bool]]:
    """Return, for each aggregator, whether it is non-conflicting, linear under scaling and weighted."""
    names = dict.fromkeys(claim.aggregator for claim in TABLE_1_CLAIMS)
    held = {(claim.aggregator, claim.prop): claim.holds for claim in TABLE_1_CLAIMS}
    return {n: (held[n, NON_CONFLICTING], held[n, LINEAR], held[n, WEIGHTED]) for n in names}
