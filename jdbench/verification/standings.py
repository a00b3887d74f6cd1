"""How verdicts stand to what is claimed of the definition in [JD] whose name an aggregator bears."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from jdbench.roster import in_order
from jdbench.verification.claims import CLAIMS
from jdbench.verification.properties import HYGIENE
from jdbench.verification.verdicts import Outcome, Verdict

ALIASES = {"Random": "RGW"}
"""Definitions of [JD] that others know under another name: TorchJD's Random is random loss weighting."""

HELD = {(claim.aggregator, claim.prop): claim.holds for claim in CLAIMS}


class Standing(StrEnum):
    """How a verdict stands to the claim."""

    KEPT = "kept"
    """It holds of the definition, and survives."""

    LACKED = "lacked"
    """It does not hold of the definition, and is refuted."""

    BROKEN_CLAIM = "contradicted"
    """It holds of the definition, and is refuted, or a call did not end in a direction."""

    UNSHOWN = "unshown"
    """It does not hold of the definition, and yet survives: the search found no violation."""

    UNCLAIMED = "unclaimed"
    """Nothing is claimed of an aggregator of this name."""


def standing(verdict: Verdict) -> Standing:
    """Return how a verdict stands to the claim of the definition."""
    holds = claimed(verdict.aggregator, verdict.prop)
    if holds is None:
        return Standing.UNCLAIMED
    if holds:
        return Standing.KEPT if verdict.survived else Standing.BROKEN_CLAIM
    return Standing.UNSHOWN if verdict.survived else Standing.LACKED


def bears_module(spec: str) -> bool:
    """Return whether an aggregator is somebody else's: its spec names a module."""
    return ":" in spec.partition("(")[0]


def family(spec: str) -> str:
    """Return an aggregator's name in [JD], without module and keywords; its own if it is none of [JD]'s."""
    name = spec.partition("(")[0].rpartition(":")[2]
    return ALIASES.get(name, name)


def definition_of(spec: str) -> str | None:
    """Return the aggregator of `CLAIMS` whose name a spec bears, a published variant being one of its own."""
    known = {name for name, _ in HELD}
    return next((name for name in (spec, family(spec)) if name in known), None)


def claimed(spec: str, prop: str) -> bool | None:
    """Return whether the definition of an aggregator's name has a property; None where nothing is claimed.

    Hygiene must hold of all.
    """
    return True if prop == HYGIENE else HELD.get((definition_of(spec) or "", prop))


def claimed_without_options(spec: str, prop: str) -> bool:
    """Return whether the definition of an aggregator's name has a property, options set aside.

    True for UPGrad(trace_regularization=…) where it is for UPGrad: what the option costs is to be seen.
    """
    return bool(claimed(spec.partition("(")[0], prop))


def claimants(prop: str, specs: Iterable[str]) -> list[str]:
    """Return the definitions that have a property and of which at least one aggregator bears the name."""
    return in_order(family(spec) for spec in specs if HELD.get((family(spec), prop)))


@dataclass(frozen=True)
class Tally:
    """How many verdicts on our own aggregators are what is claimed.

    Attributes:
        of: ``claimed to hold``, ``claimed to fail`` or ``hygiene``.
        agreeing: Number of verdicts that are as claimed.
        others: Those that are not.
    """

    of: str
    agreeing: int
    others: Sequence[Verdict]

    @property
    def total(self) -> int:
        """Number of verdicts."""
        return self.agreeing + len(self.others)


def tally_ours(verdicts: Iterable[Verdict]) -> list[Tally]:
    """Return how the verdicts on our own aggregators stand to the claims, without empty groups."""
    ours = [one for one in verdicts if not bears_module(one.aggregator)]
    named = [(one, standing(one)) for one in ours if one.prop != HYGIENE]
    groups = {
        "claimed to hold": ([v for v, s in named if s in (Standing.KEPT, Standing.BROKEN_CLAIM)], True),
        "claimed to fail": ([v for v, s in named if s in (Standing.LACKED, Standing.UNSHOWN)], False),
        "hygiene": ([v for v in ours if v.prop == HYGIENE], True),
    }
    return [
        Tally(of, sum(v.survived is survives for v in group), [v for v in group if v.survived is not survives])
        for of, (group, survives) in groups.items()
        if group
    ]


@dataclass(frozen=True)
class Departure:
    """Where somebody else's aggregator departs from the definition whose name it bears.

    Attributes:
        aggregator: Spec.
        defined: Whether a definition of [JD] bears its name.
        refuted: Verdicts that refute what the definition has; where there is none, all that do not survive.
        broken: Verdicts on what the definition has in which a call did not end in a direction.
        unshown: Verdicts that survive though the definition lacks the property.
    """

    aggregator: str
    defined: bool
    refuted: Sequence[Verdict]
    broken: Sequence[Verdict]
    unshown: Sequence[Verdict]


def departures(verdicts: Sequence[Verdict]) -> list[Departure]:
    """Return where third parties' aggregators depart from definitions, one each, by name."""
    found: list[Departure] = []
    for spec in in_order(one.aggregator for one in verdicts if bears_module(one.aggregator)):
        named = [(one, standing(one)) for one in verdicts if one.aggregator == spec]
        against = [one for one, how in named if how is Standing.BROKEN_CLAIM]
        broken = [one for one in against if one.outcome is Outcome.BROKEN]
        refuted = [one for one in against if one.outcome is Outcome.REFUTED]
        defined = any(how is not Standing.UNCLAIMED for one, how in named if one.prop != HYGIENE)
        if not defined:
            refuted = [one for one, _ in named if not one.survived and one not in broken]
        unshown = [one for one, how in named if how is Standing.UNSHOWN]
        found.append(Departure(spec, defined, refuted, broken, unshown))
    return found
