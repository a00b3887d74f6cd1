"""What the verdicts and the curves come to, in sentences: every number in them is read from the files."""

from collections.abc import Sequence
from dataclasses import dataclass

from jdbench.report.verdicts.data import Entry, Standing, Verification, family
from jdbench.report.verdicts.tables import claims_or_varies
from jdbench.verification.axes import AXES
from jdbench.verification.curves import Point
from jdbench.verification.properties import HYGIENE, TABLE_1

NON_CONFLICTING, _, _ = TABLE_1


@dataclass(frozen=True)
class Finding:
    """A finding.

    Attributes:
        subject: Aggregator, or what it is about.
        text: The sentence.
    """

    subject: str
    text: str


def built_in(spec: str) -> bool:
    """Return whether an aggregator is one of ours.

    Args:
        spec: An aggregator.

    Returns:
        True for a spec without a module.
    """
    return ":" not in spec.partition("(")[0]


def own_findings(verification: Verification) -> list[Finding]:
    """Return how the verdicts on our aggregators stand to the claims.

    Args:
        verification: What was read.

    Returns:
        Sentences; none where nothing of ours was verified.
    """
    ours = [entry for entry in verification.entries if built_in(entry.aggregator) and entry.prop != HYGIENE]
    held = [e for e in ours if e.standing in (Standing.KEPT, Standing.BROKEN_CLAIM)]
    lacked = [e for e in ours if e.standing in (Standing.LACKED, Standing.UNSHOWN)]
    hygiene = [e for e in verification.entries if built_in(e.aggregator) and e.prop == HYGIENE]
    found: list[Finding] = []
    if held:
        kept = sum(e.survived for e in held)
        text = (
            f"{kept} of {len(held)} verdicts survive where the property is claimed{_but(held, survived=False)}."
        )
        found.append(Finding("claimed to hold", text))
    if lacked:
        refuted = sum(not e.survived for e in lacked)
        text = (
            f"{refuted} of {len(lacked)} verdicts are refutations, found by the search alone, where the "
            f"property is claimed to fail{_but(lacked, survived=True)}."
        )
        found.append(Finding("claimed to fail", text))
    if hygiene:
        clean = sum(e.survived for e in hygiene)
        found.append(Finding("hygiene", f"{clean} of {len(hygiene)} survive{_but(hygiene, survived=False)}."))
    return found


def others_findings(verification: Verification) -> list[Finding]:
    """Return where third parties' aggregators depart from the definitions whose names they bear.

    Args:
        verification: What was read.

    Returns:
        A sentence for each aggregator.
    """
    found: list[Finding] = []
    for spec in verification.aggregators:
        if built_in(spec):
            continue
        entries = [e for e in verification.entries if e.aggregator == spec]
        refuted = [e for e in entries if e.standing is Standing.BROKEN_CLAIM and e.outcome == "refuted"]
        broken = [e for e in entries if e.standing is Standing.BROKEN_CLAIM and e.outcome == "broken"]
        unshown = [e for e in entries if e.standing is Standing.UNSHOWN]
        parts: list[str] = []
        if all(e.standing is Standing.UNCLAIMED for e in entries if e.prop != HYGIENE):
            lost = [e for e in entries if not e.survived and e not in broken]
            parts.append(f"no definition of [JD] bears its name; refuted: {_listed(lost) or 'nothing'}")
        if refuted:
            parts.append(f"refuted though [JD]'s {family(spec)} has it: {_listed(refuted)}")
        if broken:
            messages = "; ".join(dict.fromkeys(e.message for e in broken))
            parts.append(f"broken in {_names(broken)} ({messages})")
        if unshown:
            parts.append(f"no violation found though [JD]'s {family(spec)} lacks it: {_names(unshown)}")
        text = "; ".join(parts) or "every verdict is that of the definition of its name"
        found.append(Finding(spec, f"{text[0].upper()}{text[1:]}."))
    return found


def cosines(
    curves: Sequence[Point], axis: str, dtype: str = "float64"
) -> tuple[list[float], list[tuple[str, list[float]]]]:
    """Return the smallest cosine of an update with a gradient, at each step of the captured training.

    Args:
        curves: The points of all curves.
        axis: ``batch`` or ``subset``.
        dtype: In which the aggregators were called.

    Returns:
        The steps, and for each aggregator whose name stands for a non-conflicting definition its cosines.
    """
    points = [p for p in curves if (p.prop, p.axis, p.dtype) == (NON_CONFLICTING, axis, dtype)]
    steps = sorted({p.x for p in points})
    found: list[tuple[str, list[float]]] = []
    for spec in dict.fromkeys(p.aggregator for p in points):
        if claims_or_varies(spec, NON_CONFLICTING):
            mine = {p.x: p.cosine for p in points if p.aggregator == spec}
            found.append((spec, [mine[x] for x in steps]))
    return steps, found


def curve_findings(curves: Sequence[Point]) -> list[Finding]:
    """Return, for each aggregator, along which axes the properties of the definition of its name are violated.

    Args:
        curves: The points of all curves.

    Returns:
        A sentence for each aggregator that has any of the properties by its name.
    """
    found: list[Finding] = []
    for spec in dict.fromkeys(p.aggregator for p in curves):
        props = [prop for prop in TABLE_1 if claims_or_varies(spec, prop)]
        points = [p for p in curves if p.aggregator == spec and p.prop in props]
        if not points:
            continue
        violated = [p for p in points if p.violated]
        kept = [prop for prop in props if all(p.prop != prop for p in violated)]
        parts = [_along(violated, prop) for prop in props if prop not in kept]
        if kept:
            count = sum(p.matrices for p in points if p.prop in kept)
            parts.append(f"{', '.join(kept)} within the derived tolerance in all {count} checks")
        found.append(Finding(spec, f"{'; '.join(parts)}."))
    return found


def _along(violated: Sequence[Point], prop: str) -> str:
    """Return where a property is lost, in float64 or else in float32."""
    parts: list[str] = []
    for axis in AXES:
        points = [p for p in violated if (p.prop, p.axis) == (prop, axis)]
        double = [p for p in points if p.dtype == "float64"]
        if points:
            worst = min(double or points, key=Point.order)
            margin = worst.message or f"worst {worst.margin:.2g}"
            where = f"{axis} from {min(p.x for p in double or points):g} on"
            parts.append(f"{where} ({margin}{'' if double else ', float32 alone'})")
    return f"{prop} lost along {', '.join(parts)}"


def _but(entries: Sequence[Entry], *, survived: bool) -> str:
    others = [entry for entry in entries if entry.survived is survived]
    if not others:
        return ""
    named = ", ".join(f"{e.aggregator} {e.prop} {e.dtype}" for e in others)
    return f"; the others: {named}"


def _listed(entries: Sequence[Entry]) -> str:
    by: dict[str, list[str]] = {}
    for e in entries:
        by.setdefault(e.prop, []).append(f"{e.margin:.2g} in {e.dtype}")
    return ", ".join(f"{name} (margin {', '.join(margins)})" for name, margins in by.items())


def _names(entries: Sequence[Entry]) -> str:
    by: dict[str, list[str]] = {}
    for e in entries:
        by.setdefault(e.prop, []).append(e.dtype)
    return ", ".join(f"{name} ({', '.join(dtypes)})" for name, dtypes in by.items())
