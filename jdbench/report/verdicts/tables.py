"""Verdicts as the page shows them: the matrix, the refutations with their matrices, the worst of each curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jdbench.report.verdicts.data import Entry, Standing, Verification, claimed
from jdbench.spec import slug
from jdbench.verification.axes import AXES
from jdbench.verification.curves import Point
from jdbench.verification.properties import TABLE_1
from jdbench.verification.replay import replay_name

LONGEST = 420
"""Letters of a matrix in the list of refutations; the replay script has all."""

BRIEF = 100
"""Letters of a matrix under the pointer."""

SIGNS = {"survived": "✓", "refuted": "✗", "broken": "!"}

ENDS = {"float64": "64", "float32": "32"}


@dataclass(frozen=True)
class Refutation:
    """A verdict that is not ``survived``, for the list and for the cell that points to it.

    Attributes:
        entry: The verdict.
        anchor: Its id on the page.
        matrix: The shrunk violation in a line.
        recheck: What rational arithmetic says, or nothing.
        replay: Path of its script, or nothing.
    """

    entry: Entry
    anchor: str
    matrix: str
    recheck: str
    replay: str


@dataclass(frozen=True)
class Mark:
    """A line of a cell of the matrix: one dtype.

    Attributes:
        text: Sign, then number of matrices or margin.
        dtype: ``64`` or ``32``.
        standing: A `Standing`, as a class of the page.
        title: What it stands for, in words.
        link: Anchor of the refutation, or nothing.
    """

    text: str
    dtype: str
    standing: Standing
    title: str
    link: str


@dataclass(frozen=True)
class Worst:
    """A cell of the table of curves: the worst point along an axis.

    Attributes:
        text: The margin, and from where on it is violated.
        title: Where, out of how many matrices, and what rounding explains.
        mark: ``good`` or ``bad``.
    """

    text: str
    title: str
    mark: str


def refutations(verification: Verification) -> dict[str, list[Refutation]]:
    """Return what was refuted or broke, by aggregator.

    Args:
        verification: What was read.

    Returns:
        Lists in the order of the properties; aggregators without any are left out.
    """
    found = {
        spec: [
            _refutation(entry)
            for entry in verification.entries
            if entry.aggregator == spec and not entry.survived
        ]
        for spec in verification.aggregators
    }
    return {spec: listed for spec, listed in found.items() if listed}


def matrix(verification: Verification) -> list[tuple[str, list[list[Mark]]]]:
    """Return the matrix of verdicts.

    Args:
        verification: What was read.

    Returns:
        For each aggregator its spec and, for each property, a mark a dtype.
    """
    return [
        (
            spec,
            [
                [_mark(e) for e in verification.entries if e.aggregator == spec and e.prop == name]
                for name in verification.properties
            ],
        )
        for spec in verification.aggregators
    ]


def worst_table(
    curves: Sequence[Point], columns: Sequence[tuple[str, str]]
) -> list[tuple[str, str, list[Worst]]]:
    """Return the worst margin along each axis of each property that the definition of a name has.

    Args:
        curves: The points of all curves.
        columns: Axes and dtypes.

    Returns:
        Spec, property and cells.
    """
    rows: list[tuple[str, str, list[Worst]]] = []
    for prop in TABLE_1:
        for spec in dict.fromkeys(point.aggregator for point in curves):
            mine = [point for point in curves if (point.aggregator, point.prop) == (spec, prop)]
            if claims_or_varies(spec, prop) and mine:
                cells = [_worst([p for p in mine if (p.axis, p.dtype) == c], c[0]) for c in columns]
                rows.append((spec, prop, cells))
    return rows


def claims_or_varies(spec: str, prop: str) -> bool:
    """Return whether the definition of an aggregator's name has a property, options set aside.

    Args:
        spec: An aggregator.
        prop: Name of a property.

    Returns:
        True for UPGrad(trace_regularization=…) where it is for UPGrad: what the option costs is to be seen.
    """
    return bool(claimed(spec.partition("(")[0], prop))


def shown(witness: dict[str, Any], longest: int = LONGEST) -> str:
    """Return a witness in a line, integers as such.

    Args:
        witness: Plain values.
        longest: Letters after which it is cut.

    Returns:
        Such as ``J = [[1, 0], [-2, 1]], c₁ = [1, 2], c₂ = [3, 2]``.
    """
    parts = [f"J = {_short(witness['J'])}"]
    parts += [f"c{'₁₂'[i]} = {_short(c)}" for i, c in enumerate(witness.get("scalings") or ())]
    if witness.get("other_matrix") is not None:
        parts.append(f"against {_short(witness['other_matrix'])}")
    if witness.get("seed"):
        parts.append(f"seed {witness['seed']}")
    text = ", ".join(parts)
    return text if len(text) <= longest else f"{text[:longest]}…"


def _short(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_short, value))}]"
    return f"{value + 0.0:.7g}".replace("-0", "0") if value == 0 else f"{value:.7g}"


def _anchor(entry: Entry) -> str:
    return f"r-{slug(entry.aggregator)}-{entry.prop}-{entry.dtype}"


def _refutation(entry: Entry) -> Refutation:
    recheck = entry.recheck["summary"] if entry.recheck else ""
    name = replay_name(entry.aggregator, entry.prop, entry.dtype)
    replay = "" if entry.survived else f"replays/{name}"
    return Refutation(entry, _anchor(entry), shown(entry.witness), recheck, replay)


def _mark(entry: Entry) -> Mark:
    words = {
        Standing.KEPT: "as claimed",
        Standing.LACKED: "as claimed: the definition lacks it",
        Standing.BROKEN_CLAIM: "the definition of the name has it",
        Standing.UNSHOWN: "the definition of the name lacks it, yet no violation was found",
        Standing.UNCLAIMED: "nothing is claimed",
    }[entry.standing]
    if entry.survived:
        text, title = (
            f"✓ {entry.examples}",
            f"survived {entry.examples} matrices, worst margin {entry.margin:.2g}",
        )
    elif entry.outcome == "broken":
        text, title = "! broken", f"{entry.message} at {shown(entry.witness, BRIEF)}"
    else:
        text = f"✗ {_brief(entry.margin)}"
        what = entry.message or f"margin {entry.margin:.3g}, rounding explains {entry.tolerance:.1g}"
        title = f"{what}: {shown(entry.witness, BRIEF)}"
    link = "" if entry.survived else _anchor(entry)
    return Mark(text, ENDS[entry.dtype], entry.standing, f"{entry.dtype}, {words}; {title}", link)


def _brief(margin: float) -> str:
    text = f"{margin:.2g}".replace("-", "−")
    return text.replace("e−0", "e−")


def _worst(points: Sequence[Point], axis: str) -> Worst:
    if not points:
        return Worst("–", "", "")
    violated = [point for point in points if point.violated]
    worst = min(violated or points, key=Point.order)
    total, count = sum(p.matrices for p in points), sum(p.violations for p in points)
    title = (
        f"worst margin {worst.margin:.3g} at {AXES[axis].what} = {worst.x:g}, where rounding explains "
        f"{worst.tolerance:.1g}; {count} of {total} matrices violate it"
    )
    if not violated:
        return Worst("within", title, "good")
    return Worst(
        f"{worst.margin:.2g} ({count}/{total})", f"{title}, from {min(p.x for p in violated):g} on", "bad"
    )
