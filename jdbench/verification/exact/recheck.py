"""A violation found in floating point, checked again in rational arithmetic.

A float margin leaves two questions open. Does what the aggregator returned, taken as the rational numbers that
floats are, violate the property by more than rounding explains? And would the definition of that name in [JD],
without any rounding, violate it too, or is the implementation at fault?
"""

import importlib.util
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from torch import Tensor

from jdbench.aggregator import AnyAggregator
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.properties import TABLE_1
from jdbench.verification.verify import Outcome, Verdict

_, LINEAR, _ = TABLE_1


class Bearer(StrEnum):
    """How an aggregator comes by a definition's name."""

    IMPLEMENTATION = "implementation"
    """It is jdbench's own implementation of it, without options."""

    VARIANT = "variant"
    """It is jdbench's own, with options that make it another definition."""

    NAMESAKE = "namesake"
    """Somebody named it so: it may implement the definition or mean something else."""


BLAME = {
    Bearer.IMPLEMENTATION: "a fault of the implementation",
    Bearer.VARIANT: "the options make another definition",
    Bearer.NAMESAKE: "a fault of this implementation, or another definition under the name",
}


@dataclass(frozen=True)
class Definition:
    """What a definition in [JD] does, in exact arithmetic, where an aggregator of its name violates a property.

    Attributes:
        name: The definition's name in [JD].
        keeps: Whether it keeps the property here.
        ulps: The aggregator's largest distance from it, in units in the last place of the larger of the
            result and the matrix.
        bearer: What the aggregator is to the definition.
    """

    name: str
    keeps: bool
    ulps: float
    bearer: Bearer

    def __str__(self) -> str:
        """Return a clause."""
        if not self.keeps:
            return f"[JD]'s {self.name} violates it here too, {self.ulps:.2g} ulps away"
        return f"[JD]'s {self.name} keeps it here: {BLAME[self.bearer]}, {self.ulps:.2g} ulps off"


@dataclass(frozen=True)
class Recheck:
    """A refutation in rational arithmetic.

    Attributes:
        margin: The margin of the float outputs, exact but for a last square root; None if it was not computed.
        tolerance: What rounding explains, as in the verdict.
        definition: What the definition of that name does; None where there is none to evaluate.
        missing: Why there is no margin, or no definition.
    """

    margin: float | None
    tolerance: float
    definition: Definition | None = None
    missing: str = ""

    @property
    def confirmed(self) -> bool | None:
        """Whether the exact margin is beyond rounding (a rounded output is never exact); None without one."""
        return None if self.margin is None else self.margin < -self.tolerance

    def __str__(self) -> str:
        """Return one line: "confirmed in rational arithmetic, margin -1; [JD]'s Mean violates it too …"."""
        if self.margin is None:
            return f"not rechecked: {self.missing}"
        first = (
            f"confirmed in rational arithmetic, margin {self.margin:.3g}"
            if self.confirmed
            else f"not confirmed in rational arithmetic, margin {self.margin:.3g} is within rounding"
        )
        return f"{first}; {self.definition or self.missing}"

    def as_json(self) -> dict[str, Any]:
        """Return plain values.

        Returns:
            What JSON can hold; None for what was not done.
        """
        definition = self.definition and {
            "name": self.definition.name,
            "keeps": self.definition.keeps,
            "ulps": self.definition.ulps if self.definition.ulps < float("inf") else None,
            "bearer": str(self.definition.bearer),
        }
        return {
            "confirmed": self.confirmed,
            "margin": self.margin,
            "definition": definition,
            "summary": str(self),
        }


def recheck(aggregator: AnyAggregator, verdict: Verdict, *, limit: float = 10.0) -> Recheck | None:
    """Check a refutation of a property of Table 1 again, exactly.

    Args:
        aggregator: What was refuted.
        verdict: The verdict on it.
        limit: Seconds that one call may take.

    Returns:
        The recheck; None if nothing was refuted, or a property that is not in Table 1.

    Raises:
        SolverError: The exact arithmetic contradicts itself: a defect of jdbench.
    """
    if verdict.outcome is not Outcome.REFUTED or verdict.property not in TABLE_1:
        return None
    if importlib.util.find_spec("flint") is None:
        missing = 'python-flint is not installed, run `pip install "jdbench[exact]"`'
        return Recheck(None, verdict.tolerance, missing=missing)
    # They need the extra, which the float verdict does not.
    from jdbench.verification.exact import aggregations as exact
    from jdbench.verification.exact import margins as exact_margins
    from jdbench.verification.exact.definitions import defined_directions, definition_name

    matrices = _matrices(verdict)
    call = Call(aggregator, verdict.dtype, limit)
    try:
        outputs = [call(J, verdict.witness.seed).to(verdict.dtype) for J in matrices]
    except MisbehaviourError as error:
        return Recheck(None, verdict.tolerance, missing=f"called again, it {error.what}: {error}")
    rational, directions = [exact.exact_matrix(J) for J in matrices], [exact.exact_matrix(a) for a in outputs]
    margin = exact_margins.MARGINS[verdict.property](rational, directions)
    name = definition_name(aggregator)
    if name is None:
        missing = "no exact definition bears its name"
        return Recheck(margin, verdict.tolerance, missing=missing)
    defined = defined_directions(name, rational, directions)
    if defined is None:
        missing = f"[JD]'s {name} is random, with too many outcomes to compare with"
        return Recheck(margin, verdict.tolerance, missing=missing)
    ulps = max(
        exact.ulps(a, expected, max(abs(entry) for entry in J.entries()))
        for a, expected, J in zip(outputs, defined, rational, strict=True)
    )
    # What the definition gives is not rounded: its margin has no tolerance.
    keeps = exact_margins.MARGINS[verdict.property](rational, defined) >= 0
    return Recheck(margin, verdict.tolerance, Definition(name, keeps, ulps, _bearer(aggregator, name)))


def _bearer(aggregator: AnyAggregator, name: str) -> Bearer:
    if not type(aggregator).__module__.startswith("jdbench.aggregators."):
        return Bearer.NAMESAKE
    return Bearer.IMPLEMENTATION if repr(aggregator) == name else Bearer.VARIANT


def _matrices(verdict: Verdict) -> list[Tensor]:
    """Return the matrices that the property aggregates: for linearity c₁∘J, c₂∘J and (c₁+c₂)∘J."""
    J = verdict.witness.matrix.J
    if verdict.property != LINEAR:
        return [J]
    c1, c2 = (c.unsqueeze(-1) for c in verdict.witness.scalings)
    return [c1 * J, c2 * J, (c1 + c2) * J]
