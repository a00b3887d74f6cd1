"""Which aggregator has which property: Table 1 of [JD] and beyond, each "no" with what shows it."""

from dataclasses import dataclass

from jdbench.roster import CLAIMED
from jdbench.verification.claim_rows import ROWS, USUAL, Refutation
from jdbench.verification.properties import TABLE_1
from jdbench.verification.witnesses import Witness

AGGREGATORS = tuple(spec for spec in CLAIMED if spec in ROWS)
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


def _claim(aggregator: str, prop: str) -> Claim:
    cell = ROWS[aggregator].get(prop) or USUAL[prop]
    if isinstance(cell, Refutation):
        return Claim(aggregator, prop, cell.reason, cell.counterexample, cell.unsearchable)
    return Claim(aggregator, prop, cell)


CLAIMS = (
    *(_claim(name, prop) for name in AGGREGATORS for prop in TABLE_1),
    *(_claim(name, prop) for prop in USUAL for name in AGGREGATORS),
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
    return {name: tuple(held[name, prop] for prop in TABLE_1) for name in AGGREGATORS}
