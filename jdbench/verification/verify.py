"""Directed random search for a violation: Hypothesis climbs towards small margins and shrinks what it finds."""

import contextlib
from dataclasses import dataclass
from enum import StrEnum

import hypothesis
import torch
from hypothesis import HealthCheck, Verbosity, given, settings, target
from hypothesis.errors import Flaky

from jdbench.aggregator import AnyAggregator
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.properties import Finding, Property, Witness


class Outcome(StrEnum):
    """What came of a search."""

    SURVIVED = "survived"
    REFUTED = "refuted"
    BROKEN = "broken"


@dataclass(frozen=True)
class Verdict:
    """The answer to one claim.

    Attributes:
        property: The property's name.
        dtype: In which the aggregator was called.
        outcome: ``survived`` the search, ``refuted`` by it, or ``broken``: a call did not end in a direction.
        examples: Number of matrices tried.
        margin: The smallest margin seen, or that of the shrunk violation.
        tolerance: The rounding error at that margin.
        witness: The shrunk violation, or where the smallest margin was.
        message: What the aggregator did, where it is broken.
    """

    property: str
    dtype: torch.dtype
    outcome: Outcome
    examples: int
    margin: float
    tolerance: float
    witness: Witness
    message: str = ""


class _ViolationError(Exception):
    pass


def verify(
    aggregator: AnyAggregator,
    prop: Property,
    *,
    dtype: torch.dtype = torch.float64,
    examples: int = 100,
    seed: int = 0,
    limit: float = 10.0,
) -> Verdict:
    """Search for a violation of a property and return the verdict.

    Args:
        aggregator: What is verified.
        prop: The property.
        dtype: float32 or float64.
        examples: Number of matrices tried before the property counts as surviving, at least 1.
        seed: Seed of the search; the same seed tries the same matrices.
        limit: Seconds that one call may take.

    Returns:
        The verdict. Surviving is no proof.
    """
    call = Call(aggregator, dtype, limit)
    tried = 0
    lowest: list[tuple[Finding, Witness]] = []
    violations: list[tuple[Finding, Witness]] = []
    misbehaviours: list[tuple[str, Witness]] = []

    # Not to be run by pytest: the search is our own, its randomness is the seed's, and it stores nothing.
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        verbosity=Verbosity.quiet,
        print_blob=False,
        report_multiple_bugs=False,
    )
    @given(prop.witnesses(dtype))
    def search(witness: Witness) -> None:
        nonlocal tried
        tried += 1
        try:
            finding = prop.check(call, witness)
        except MisbehaviourError as error:
            misbehaviours.append((f"{error.what}: {error}", witness))
            raise
        if finding.violated:
            violations.append((finding, witness))
            raise _ViolationError
        if not lowest or finding.margin < lowest[0][0].margin:
            lowest[:] = [(finding, witness)]
        target(-finding.margin)

    # What ends the search is kept above, shrunk: the last one that it came upon is the smallest.
    with contextlib.suppress(MisbehaviourError, _ViolationError, Flaky):
        hypothesis.seed(seed)(search)()
    nan = float("nan")
    if misbehaviours and not violations:
        message, witness = misbehaviours[-1]
        return Verdict(prop.name, dtype, Outcome.BROKEN, tried, nan, nan, witness, message)
    outcome = Outcome.REFUTED if violations else Outcome.SURVIVED
    finding, witness = (violations or lowest)[-1]
    return Verdict(prop.name, dtype, outcome, tried, finding.margin, finding.tolerance, witness)
