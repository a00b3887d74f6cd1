"""The one model of a verdict: what a check finds, what a search concludes, what rational arithmetic adds.

`search.verify` makes verdicts, `exact.recheck` adds to them, `verdict_files` writes and reads them; tables,
pages, pytest and replays show them.
"""

import math
from dataclasses import dataclass
from enum import StrEnum

import torch

from jdbench.verification.witnesses import Witness

DTYPES = (torch.float64, torch.float32)
"""Those in which aggregators are verified, in the order of every list."""


class Outcome(StrEnum):
    """What came of a search.

    Example:
        >>> from jdbench.verification import Outcome
        >>> [str(outcome) for outcome in Outcome]
        ['survived', 'refuted', 'broken']
    """

    SURVIVED = "survived"
    REFUTED = "refuted"
    BROKEN = "broken"
    """A call did not end in a direction, or what was seen once did not come again."""


@dataclass(frozen=True)
class Finding:
    """A margin with the error that rounding explains; violated below minus that, or if NaN.

    Attributes:
        margin: Signed, a pure number.
        tolerance: Derived, at least 0.
        message: What was seen, where the margin alone does not say.

    Example:
        >>> from jdbench.verification import Finding
        >>> Finding(-1e-16, 1e-14).violated, Finding(-0.5, 1e-14).violated
        (False, True)
    """

    margin: float
    tolerance: float
    message: str = ""

    @property
    def violated(self) -> bool:
        """Whether the property fails here."""
        return not self.margin >= -self.tolerance


NO_MARGIN = Finding(math.nan, math.nan)
"""Where a call did not end in a direction."""


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

    Example:
        >>> from jdbench.verification import Recheck
        >>> print(Recheck(-0.5, 1e-14, missing="no exact definition bears its name"))
        confirmed in rational arithmetic, margin -0.5; no exact definition bears its name
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


@dataclass(frozen=True)
class Verdict:
    """The answer to one claim about one aggregator in one dtype.

    Attributes:
        prop: The property's name.
        dtype: In which the aggregator was called.
        outcome: ``survived`` the search, ``refuted`` by it, or ``broken``: a call did not end in a direction.
        examples: Number of matrices tried.
        margin: The smallest margin seen, or that of the shrunk violation; NaN where it is broken.
        tolerance: The rounding error at that margin.
        witness: The shrunk violation, or where the smallest margin was.
        message: What the aggregator did, where it is broken, and which hygiene it lacks.
        shown_by: The property whose check shows it at the witness: another where the aggregator keeps something
            of which hygiene tells.
        limit: Seconds that one call could take.
        aggregator: Spec; empty for an aggregator that nobody named.
        recheck: What rational arithmetic says of a refutation, where it can.
        expected: Why a failure is expected; None where it is not.

    Example:
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.verification import PROPERTIES, verify
        >>> verdict = verify(Mean(), PROPERTIES["non-conflicting"], examples=20, shrink=False)
        >>> str(verdict.outcome), verdict.margin < -verdict.tolerance
        ('refuted', True)
    """

    prop: str
    dtype: torch.dtype
    outcome: Outcome
    examples: int
    margin: float
    tolerance: float
    witness: Witness
    message: str = ""
    shown_by: str = ""
    limit: float = 10.0
    aggregator: str = ""
    recheck: Recheck | None = None
    expected: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the property was refuted or the aggregator broke."""
        return self.outcome in (Outcome.REFUTED, Outcome.BROKEN)

    @property
    def survived(self) -> bool:
        """Whether no violation was found."""
        return self.outcome is Outcome.SURVIVED

    @property
    def dtype_name(self) -> str:
        """``float64`` or ``float32``."""
        return dtype_name(self.dtype)

    @property
    def name(self) -> str:
        """``aggregator/property/dtype``, different for every verdict of a file."""
        return f"{self.aggregator}/{self.prop}/{self.dtype_name}"


def dtype_name(dtype: torch.dtype) -> str:
    """Return the name of a dtype without its module, such as ``float32``."""
    return str(dtype).removeprefix("torch.")
