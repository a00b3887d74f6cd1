"""Verdicts as the page shows them: the matrix, the refutations with their matrices, the worst of each curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from jdbench.spec import slug
from jdbench.verification.axes import AXES
from jdbench.verification.curves import Point
from jdbench.verification.folder import Verification
from jdbench.verification.standings import Standing, departures, family, standing, tally_ours
from jdbench.verification.summary import Worst, curve_summaries, worst_along
from jdbench.verification.verdicts import Outcome, Verdict
from jdbench.verification.witnesses import Witness

LONGEST = 420
"""Letters of a matrix in the list of refutations; the file of verdicts has all."""

BRIEF = 100
"""Letters of a matrix under the pointer."""

ENDS = {"float64": "64", "float32": "32"}

WORDS = {
    Standing.KEPT: "as claimed",
    Standing.LACKED: "as claimed: the definition lacks it",
    Standing.BROKEN_CLAIM: "the definition of the name has it",
    Standing.UNSHOWN: "the definition of the name lacks it, yet no violation was found",
    Standing.UNCLAIMED: "nothing is claimed",
}


@dataclass(frozen=True)
class RefutationRow:
    """A verdict that is not ``survived``, for the list and for the cell that points to it.

    Attributes:
        verdict: The verdict.
        standing: How it stands to the claim, as a class of the page.
        anchor: Its id on the page.
        matrix: The shrunk violation in a line.
    """

    verdict: Verdict
    standing: Standing
    anchor: str
    matrix: str

    @property
    def refuted(self) -> bool:
        """Whether there is a margin: nothing broke."""
        return self.verdict.outcome is Outcome.REFUTED


@dataclass(frozen=True)
class Mark:
    """A line of a cell of the matrix: one dtype.

    Attributes:
        text: Sign, then number of matrices or margin.
        dtype: ``64`` or ``32``.
        standing: As a class of the page.
        title: What it stands for, in words.
        link: Anchor of the refutation, or nothing.
    """

    text: str
    dtype: str
    standing: Standing
    title: str
    link: str


@dataclass(frozen=True)
class WorstCell:
    """A cell of the table of curves: the worst point along an axis.

    Attributes:
        text: The margin, and from where on it is violated.
        title: Where, out of how many matrices, and what rounding explains.
        mark: ``good`` or ``bad``.
    """

    text: str
    title: str
    mark: str


def refutations(verification: Verification) -> dict[str, list[RefutationRow]]:
    """Return what was refuted or broke, by aggregator; those without any are left out."""
    found: dict[str, list[RefutationRow]] = {spec: [] for spec in verification.aggregators}
    for one in verification.verdicts:
        if one.failed:
            listed = RefutationRow(one, standing(one), _anchor(one), witness_line(one.witness))
            found[one.aggregator].append(listed)
    return {spec: listed for spec, listed in found.items() if listed}


def matrix(verification: Verification) -> list[tuple[str, list[list[Mark]]]]:
    """Return the matrix of verdicts: for each aggregator its spec and, for each property, a mark a dtype."""
    return [
        (
            spec,
            [
                [_mark(one) for one in verification.verdicts if (one.aggregator, one.prop) == (spec, name)]
                for name in verification.properties
            ],
        )
        for spec in verification.aggregators
    ]


def worst_table(
    curves: Sequence[Point], columns: Sequence[tuple[str, str]]
) -> list[tuple[str, str, list[WorstCell]]]:
    """Return spec, property and the cells of the columns, which are axes and dtypes."""
    return [
        (spec, prop, [_worst(worst) for worst in cells]) for spec, prop, cells in worst_along(curves, columns)
    ]


def witness_line(witness: Witness, longest: int = LONGEST) -> str:
    """Return a witness in a line, cut after so many letters.

    Such as ``J = [[1, 0], [-2, 1]], c₁ = [1, 2], c₂ = [3, 2]``.
    """
    parts = [f"J = {_short(witness.J)}"]
    parts += [f"c{'₁₂'[i]} = {_short(c)}" for i, c in enumerate(witness.scalings)]
    if witness.other_matrix is not None:
        parts.append(f"against {_short(witness.other_matrix)}")
    if witness.seed:
        parts.append(f"seed {witness.seed}")
    text = ", ".join(parts)
    return text if len(text) <= longest else f"{text[:longest]}…"


def _short(value: Tensor) -> str:
    if value.ndim:
        return f"[{', '.join(map(_short, value))}]"
    return f"{float(value) + 0.0:.7g}"


def _anchor(verdict: Verdict) -> str:
    return f"r-{slug(verdict.aggregator)}-{verdict.prop}-{verdict.dtype_name}"


def _mark(verdict: Verdict) -> Mark:
    if verdict.survived:
        text = f"✓ {verdict.examples}"
        title = f"survived {verdict.examples} matrices, worst margin {verdict.margin:.2g}"
    elif verdict.outcome is Outcome.BROKEN:
        text, title = "! broken", f"{verdict.message} at {witness_line(verdict.witness, BRIEF)}"
    else:
        text = f"✗ {_brief(verdict.margin)}"
        what = verdict.message or f"margin {verdict.margin:.3g}, rounding explains {verdict.tolerance:.1g}"
        title = f"{what}: {witness_line(verdict.witness, BRIEF)}"
    how = standing(verdict)
    link = _anchor(verdict) if verdict.failed else ""
    title = f"{verdict.dtype_name}, {WORDS[how]}; {title}"
    return Mark(text, ENDS[verdict.dtype_name], how, title, link)


def _brief(margin: float) -> str:
    text = f"{margin:.2g}".replace("-", "−")
    return text.replace("e−0", "e−")


def _worst(worst: Worst | None) -> WorstCell:
    if worst is None:
        return WorstCell("–", "", "")
    point = worst.point
    title = (
        f"worst margin {point.margin:.3g} at {AXES[point.axis].what} = {point.x:g}, where rounding explains "
        f"{point.tolerance:.1g}; {worst.violations} of {worst.matrices} matrices violate it"
    )
    if worst.first is None:
        return WorstCell("within", title, "good")
    text = f"{point.margin:.2g} ({worst.violations}/{worst.matrices})"
    return WorstCell(text, f"{title}, from {worst.first:g} on", "bad")


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
