"""What `jdbench verify --report` wrote, read back and held against what is claimed of each aggregator."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from jdbench.errors import InputError
from jdbench.roster import in_order
from jdbench.verification.claims import CLAIMS
from jdbench.verification.curves import Point, read_points
from jdbench.verification.properties import HYGIENE, PROPERTIES

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


@dataclass(frozen=True)
class Entry:
    """A verdict as it was written.

    Attributes:
        aggregator: Spec.
        prop: Name of the property.
        dtype: ``float64`` or ``float32``.
        outcome: ``survived``, ``refuted`` or ``broken``.
        examples: Matrices tried.
        margin: NaN where there is none.
        tolerance: NaN where there is none.
        message: What a broken aggregator did.
        witness: Plain values.
        recheck: What rational arithmetic says, as plain values, or None.
        expected: Why the failure was expected, or None.
    """

    aggregator: str
    prop: str
    dtype: str
    outcome: str
    examples: int
    margin: float
    tolerance: float
    message: str
    witness: dict[str, Any]
    recheck: dict[str, Any] | None
    expected: str | None

    @property
    def survived(self) -> bool:
        """Whether no violation was found."""
        return self.outcome == "survived"

    @property
    def standing(self) -> Standing:
        """How it stands to the claim of the definition."""
        holds = claimed(self.aggregator, self.prop)
        if holds is None:
            return Standing.UNCLAIMED
        if holds:
            return Standing.KEPT if self.survived else Standing.BROKEN_CLAIM
        return Standing.UNSHOWN if self.survived else Standing.LACKED


@dataclass(frozen=True)
class Verification:
    """All that was written.

    Attributes:
        entries: The verdicts.
        curves: The points of the violation curves.
        made: How: facts by name, the command among them.
    """

    entries: list[Entry]
    curves: list[Point]
    made: dict[str, str]

    @property
    def aggregators(self) -> list[str]:
        """Specs, ours first."""
        return in_order(entry.aggregator for entry in self.entries)

    @property
    def properties(self) -> list[str]:
        """Names of the properties, in the order of `PROPERTIES`."""
        found = {entry.prop for entry in self.entries}
        return [name for name in PROPERTIES if name in found]


def read_verification(folder: Path) -> Verification:
    """Return what a folder holds.

    Args:
        folder: As `jdbench verify --report` left it.

    Returns:
        Its verdicts, curves and how they were made.

    Raises:
        InputError: A file is missing or is not what it should be.
    """
    try:
        values: list[dict[str, Any]] = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
        entries = [Entry(**_fields(one)) for one in values]
        made: dict[str, str] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
        curves = read_points(folder / "curves.csv")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"verification={folder}, required a folder of `jdbench verify --report`, got {error}, make it again"
        ) from error
    if not entries:
        raise InputError(f"verification={folder}, required verdicts, got none, make it again")
    return Verification(entries, curves, made)


def definition_of(spec: str) -> str | None:
    """Return the definition of which an aggregator bears the name, a published variant being one of its own.

    Args:
        spec: An aggregator, ours or anybody's.

    Returns:
        An aggregator of `CLAIMS`, or None.
    """
    if (spec, HYGIENE) in HELD or any(name == spec for name, _ in HELD):
        return spec
    name = family(spec)
    return name if any(name == known for known, _ in HELD) else None


def family(spec: str) -> str:
    """Return the name in [JD] of an aggregator, without module and keywords.

    Args:
        spec: An aggregator.

    Returns:
        Such as ``UPGrad``; anybody's own name if it is none of [JD]'s.
    """
    name = spec.partition("(")[0].rpartition(":")[2]
    return ALIASES.get(name, name)


def claimed(spec: str, prop: str) -> bool | None:
    """Return whether the definition of an aggregator's name has a property.

    Args:
        spec: An aggregator.
        prop: Name of a property.

    Returns:
        None where nothing is claimed. Hygiene must hold of all.
    """
    return True if prop == HYGIENE else HELD.get((definition_of(spec) or "", prop))


def claimants(prop: str, specs: Sequence[str]) -> list[str]:
    """Return the definitions that have a property and of which at least one aggregator bears the name.

    Args:
        prop: Name of a property.
        specs: Aggregators.

    Returns:
        Names in [JD], in the order of its Table 1.
    """
    return in_order(family(spec) for spec in specs if HELD.get((family(spec), prop)))


def _fields(one: dict[str, Any]) -> dict[str, Any]:
    numbers = {name: math.nan if one[name] is None else float(one[name]) for name in ("margin", "tolerance")}
    rest = {name: value for name, value in one.items() if name != "property"}
    return {**rest, **numbers, "prop": one["property"]}
