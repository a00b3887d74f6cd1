"""What verdicts and violation curves come to: the worst outcome of a property, the worst point of a curve."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from jdbench.verification.axes import AXES
from jdbench.verification.curves import Point
from jdbench.verification.properties import PROPERTIES, TABLE_1
from jdbench.verification.standings import claimed_without_options
from jdbench.verification.verdict_files import read_verdict_file
from jdbench.verification.verdicts import Outcome

NON_CONFLICTING = TABLE_1[0]

SURVIVED, REFUTED, BROKEN = (str(outcome) for outcome in Outcome)


@dataclass(frozen=True)
class Verdicts:
    """What a leaderboard knows of properties.

    Attributes:
        outcomes: ``survived``, ``refuted`` or ``broken`` by aggregator and property: the worst of its dtypes.
        page: Where the verdicts stand with their witnesses, as seen from the report; empty if nowhere near.
    """

    outcomes: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    page: str = ""

    def having(self, *names: str) -> list[str]:
        """Return the aggregators for which no search found a violation of these properties, sorted."""
        known = sorted({aggregator for aggregator, _ in self.outcomes})
        return [one for one in known if all(self.outcomes.get((one, name)) == SURVIVED for name in names)]

    def frame(self) -> pd.DataFrame:
        """Return the table ``aggregator property outcome``, in the order of `PROPERTIES`."""
        order = list(PROPERTIES)
        rows = sorted((a, order.index(p), p, outcome) for (a, p), outcome in self.outcomes.items())
        return pd.DataFrame(
            [(a, p, outcome) for a, _, p, outcome in rows], columns=["aggregator", "property", "outcome"]
        )


def read_verdicts(file: Path | None, out: Path) -> Verdicts:
    """Return what a file of `jdbench verify` says of properties.

    Args:
        file: ``verdicts.json``; that of ``out/verification``, if there is one, where None.
        out: The report's folder.

    Returns:
        The verdicts; none where no file was named and none is there.

    Raises:
        InputError: The file is missing or is not what it should be.
    """
    found = file or out / "verification" / "verdicts.json"
    if file is None and not found.is_file():
        return Verdicts()
    worst = [SURVIVED, REFUTED, BROKEN]
    outcomes: dict[tuple[str, str], str] = {}
    for one in read_verdict_file(found):
        name = one.aggregator, one.prop
        outcomes[name] = max(outcomes.get(name, SURVIVED), str(one.outcome), key=worst.index)
    page = found.with_name("index.html")
    near = page.is_file() and page.resolve().is_relative_to(out.resolve())
    return Verdicts(outcomes, page.resolve().relative_to(out.resolve()).as_posix() if near else "")


@dataclass(frozen=True)
class Worst:
    """The worst of some points of a curve.

    Attributes:
        point: The violation with the smallest margin, or the point with it where nothing is violated.
        violations: Matrices that violate the property, at all points.
        matrices: Matrices tried, at all points.
        first: The smallest abscissa of a violation; None where there is none.
    """

    point: Point
    violations: int
    matrices: int
    first: float | None


def worst_of(points: Sequence[Point]) -> Worst:
    """Return the worst of points, of which there is at least one."""
    violated = [point for point in points if point.violated]
    return Worst(
        min(violated or points, key=Point.order),
        sum(point.violations for point in points),
        sum(point.matrices for point in points),
        min((point.x for point in violated), default=None),
    )


@dataclass(frozen=True)
class CurveSummary:
    """Along which axes an aggregator violates the properties of Table 1 that the definition of its name has.

    Attributes:
        aggregator: Spec.
        lost: By property and axis the worst of float64, or of float32 if there alone it is violated.
        kept: The properties without a violation.
        checks: Number of matrices tried for those.
    """

    aggregator: str
    lost: Mapping[str, Mapping[str, Worst]]
    kept: Sequence[str]
    checks: int


def curve_summaries(curves: Sequence[Point]) -> list[CurveSummary]:
    """Return a summary for each aggregator that has any of the properties by its name."""
    found: list[CurveSummary] = []
    for spec in dict.fromkeys(point.aggregator for point in curves):
        props = [prop for prop in TABLE_1 if claimed_without_options(spec, prop)]
        points = [point for point in curves if point.aggregator == spec and point.prop in props]
        if not points:
            continue
        violated = [point for point in points if point.violated]
        kept = [prop for prop in props if all(point.prop != prop for point in violated)]
        lost = {prop: _lost([p for p in violated if p.prop == prop]) for prop in props if prop not in kept}
        checks = sum(point.matrices for point in points if point.prop in kept)
        found.append(CurveSummary(spec, lost, kept, checks))
    return found


def _lost(violated: Sequence[Point]) -> dict[str, Worst]:
    found: dict[str, Worst] = {}
    for axis in AXES:
        points = [point for point in violated if point.axis == axis]
        double = [point for point in points if point.dtype == "float64"]
        if points:
            found[axis] = worst_of(double or points)
    return found


def worst_along(
    curves: Sequence[Point], columns: Sequence[tuple[str, str]]
) -> list[tuple[str, str, list[Worst | None]]]:
    """Return, for each aggregator and property that the definition of its name has, the worst along each axis.

    Args:
        curves: The points of all curves.
        columns: Axes and dtypes.

    Returns:
        Spec, property and the worst of each column, None where nothing was measured.
    """
    rows: list[tuple[str, str, list[Worst | None]]] = []
    for prop in TABLE_1:
        for spec in dict.fromkeys(point.aggregator for point in curves):
            mine = [point for point in curves if (point.aggregator, point.prop) == (spec, prop)]
            if claimed_without_options(spec, prop) and mine:
                cells = [[point for point in mine if (point.axis, point.dtype) == column] for column in columns]
                rows.append((spec, prop, [worst_of(cell) if cell else None for cell in cells]))
    return rows


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
    steps = sorted({point.x for point in points})
    found: list[tuple[str, list[float]]] = []
    for spec in dict.fromkeys(point.aggregator for point in points):
        if claimed_without_options(spec, NON_CONFLICTING):
            mine = {point.x: point.cosine for point in points if point.aggregator == spec}
            found.append((spec, [mine[x] for x in steps]))
    return steps, found
