"""What the verdicts and the curves come to, in sentences: every number in them is computed in verification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jdbench.verification.curves import Point
from jdbench.verification.standings import departures, family, tally_ours
from jdbench.verification.summary import Worst, curve_summaries
from jdbench.verification.verdicts import Verdict


@dataclass(frozen=True)
class Sentence:
    """A sentence with the aggregator, or whatever it is about.

    Attributes:
        subject: Spec, or a group of verdicts.
        text: The sentence.
    """

    subject: str
    text: str


def sentences_on_ours(verdicts: Sequence[Verdict]) -> list[Sentence]:
    """Return how the verdicts on our aggregators stand to the claims."""
    found: list[Sentence] = []
    for tally in tally_ours(verdicts):
        counted = f"{tally.agreeing} of {tally.total}"
        named = ", ".join(f"{one.aggregator} {one.prop} {one.dtype_name}" for one in tally.others)
        but = f"; the others: {named}" if named else ""
        text = {
            "claimed to hold": f"{counted} verdicts survive where the property is claimed{but}.",
            "claimed to fail": f"{counted} verdicts are refutations, found by the search alone, where the "
            f"property is claimed to fail{but}.",
        }.get(tally.of, f"{counted} survive{but}.")
        found.append(Sentence(tally.of, text))
    return found


def sentences_on_others(verdicts: Sequence[Verdict]) -> list[Sentence]:
    """Return where third parties' aggregators depart from the definitions whose names they bear, one each."""
    found: list[Sentence] = []
    for one in departures(verdicts):
        parts: list[str] = []
        name = family(one.aggregator)
        if not one.defined:
            parts.append(f"no definition of [JD] bears its name; refuted: {_listed(one.refuted) or 'nothing'}")
        elif one.refuted:
            parts.append(f"refuted though [JD]'s {name} has it: {_listed(one.refuted)}")
        if one.broken:
            messages = "; ".join(dict.fromkeys(verdict.message for verdict in one.broken))
            parts.append(f"broken in {_names(one.broken)} ({messages})")
        if one.unshown:
            parts.append(f"no violation found though [JD]'s {name} lacks it: {_names(one.unshown)}")
        text = "; ".join(parts) or "every verdict is that of the definition of its name"
        found.append(Sentence(one.aggregator, f"{text[0].upper()}{text[1:]}."))
    return found


def sentences_on_curves(curves: Sequence[Point]) -> list[Sentence]:
    """Return for each aggregator along which axes it violates the properties of the definition of its name."""
    found: list[Sentence] = []
    for one in curve_summaries(curves):
        parts = [f"{prop} lost along {_along(axes)}" for prop, axes in one.lost.items()]
        if one.kept:
            parts.append(f"{', '.join(one.kept)} within the derived tolerance in all {one.checks} checks")
        found.append(Sentence(one.aggregator, f"{'; '.join(parts)}."))
    return found


def _along(axes: Mapping[str, Worst]) -> str:
    parts: list[str] = []
    for axis, worst in axes.items():
        margin = worst.point.message or f"worst {worst.point.margin:.2g}"
        alone = "" if worst.point.dtype == "float64" else ", float32 alone"
        parts.append(f"{axis} from {worst.first:g} on ({margin}{alone})")
    return ", ".join(parts)


def _listed(verdicts: Sequence[Verdict]) -> str:
    by: dict[str, list[str]] = {}
    for one in verdicts:
        by.setdefault(one.prop, []).append(f"{one.margin:.2g} in {one.dtype_name}")
    return ", ".join(f"{name} (margin {', '.join(margins)})" for name, margins in by.items())


def _names(verdicts: Sequence[Verdict]) -> str:
    by: dict[str, list[str]] = {}
    for one in verdicts:
        by.setdefault(one.prop, []).append(one.dtype_name)
    return ", ".join(f"{name} ({', '.join(dtypes)})" for name, dtypes in by.items())
