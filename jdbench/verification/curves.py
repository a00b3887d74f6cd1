"""Violation curves: the worst margin of the properties of Table 1 against what makes an aggregation hard."""

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import pandas as pd
import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator
from jdbench.verification.axes import AXES, MATRICES, Axis
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.properties import PROPERTIES, TABLE_1
from jdbench.verification.strategies import Matrix
from jdbench.verification.tolerances import relative_size
from jdbench.verification.verdicts import NO_MARGIN, Finding, dtype_name
from jdbench.verification.witnesses import Witness

NON_CONFLICTING, _, _ = TABLE_1


@dataclass(frozen=True)
class Point:
    """The worst of the matrices at one point of a curve.

    Attributes:
        aggregator: Spec.
        prop: One of Table 1.
        dtype: ``float64`` or ``float32``.
        axis: A key of `AXES`.
        x: Abscissa.
        margin: The smallest margin among the violations, or among all where there is none; NaN if a call did
            not end in a direction.
        tolerance: What rounding explains at that matrix.
        violations: Matrices with a margin below minus their tolerance.
        matrices: Matrices tried.
        index: That of the matrix, for the function of its axis in `jdbench.verification.axes`.
        cosine: The smallest cosine of an aggregation and a row, over all matrices, where an aggregation that is
            zero within rounding counts as 0; NaN but for non-conflicting.
        message: What the aggregator did, where it did not return a direction.

    Example:
        >>> from jdbench.verification import Point
        >>> Point("Mean", "non-conflicting", "float64", "rank", 1.0, -0.4, 1e-14, 12, 30, 0).violated
        True
    """

    aggregator: str
    prop: str
    dtype: str
    axis: str
    x: float
    margin: float
    tolerance: float
    violations: int
    matrices: int
    index: int
    cosine: float = math.nan
    message: str = ""

    @property
    def violated(self) -> bool:
        """Whether there is a violation."""
        return self.violations > 0

    def order(self) -> float:
        """Return what the worst point has least of: the margin, below all where it is NaN."""
        return -math.inf if math.isnan(self.margin) else self.margin


def curve(
    aggregator: AnyAggregator,
    spec: str,
    axis: str,
    dtype: torch.dtype,
    *,
    properties: Sequence[str] = TABLE_1,
    count: int = MATRICES,
    limit: float = 10.0,
) -> list[Point]:
    """Measure an aggregator along an axis.

    Args:
        aggregator: What is measured.
        spec: Its name in the table.
        axis: A key of `AXES`.
        dtype: float32 or float64.
        properties: Those of Table 1 that are wanted.
        count: Most matrices a point.
        limit: Seconds that one call may take.

    Returns:
        A point for each property and abscissa.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.verification import curve
        >>> points = curve(Mean(), "Mean", "rank", torch.float64, properties=["weighted"], count=1)
        >>> [point.x for point in points if not point.violated]
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    """
    call = Call(aggregator, dtype, limit)
    call.warm_up()
    along = AXES[axis]
    points: list[Point] = []
    for x in along.points[dtype]:
        witnesses = [_witness(along, x, index, dtype) for index in range(min(count, along.count))]
        points += [_point(call, spec, name, along, x, witnesses) for name in properties]
    return points


def as_table(points: Iterable[Point]) -> pd.DataFrame:
    """Return points as a tidy table: a row a point, a column an attribute, `Point.prop` as ``property``."""
    table = pd.DataFrame([asdict(point) for point in points], columns=[field.name for field in fields(Point)])
    return table.rename(columns={"prop": "property"})


def read_points(file: Path) -> list[Point]:
    """Return the points of a CSV file of `as_table`."""
    kinds = get_type_hints(Point)
    with file.open(encoding="utf-8", newline="") as lines:
        rows = [{"prop": row.pop("property"), **row} for row in csv.DictReader(lines)]
    return [Point(**{name: _value(text, kinds[name]) for name, text in row.items()}) for row in rows]


def _value(text: str, kind: type) -> Any:
    return math.nan if kind is float and not text else kind(text)


def _witness(axis: Axis, x: float, index: int, dtype: torch.dtype) -> Witness:
    """Return the matrix with scalings of which all products and sums are exact, see `with_scalings`."""
    J = axis.matrix(x, index, dtype)
    generator = torch.Generator().manual_seed(index)
    powers = 2.0 ** torch.randint(-3, 4, (len(J),), generator=generator).to(torch.float64)
    shares = torch.randint(1, 4, (len(J),), generator=generator).to(torch.float64)
    return Witness(Matrix(J, axis.name), index, (powers * shares, powers * (4 - shares)))


def _point(call: Call, spec: str, name: str, axis: Axis, x: float, witnesses: Sequence[Witness]) -> Point:
    findings: list[Finding] = []
    cosines: list[float] = []
    message = ""
    for witness in witnesses:
        try:
            finding = PROPERTIES[name].check(call, witness)
            if name == NON_CONFLICTING:
                cosines.append(_cosine(finding, witness.J, call(witness.J, witness.seed)))
        except MisbehaviourError as error:
            finding, message = NO_MARGIN, f"{error.what}: {error}"
        findings.append(finding)
    violations = [index for index, finding in enumerate(findings) if finding.violated]
    worst = min(violations or range(len(findings)), key=lambda index: _order(findings[index].margin))
    return Point(
        spec,
        name,
        dtype_name(call.dtype),
        axis.name,
        x,
        findings[worst].margin,
        findings[worst].tolerance,
        len(violations),
        len(findings),
        worst,
        min(cosines, default=math.nan),
        message,
    )


def _order(margin: float) -> float:
    return -math.inf if math.isnan(margin) else margin


def _cosine(finding: Finding, J: Tensor, a: Tensor) -> float:
    """Return min_i gᵢᵀa / (‖gᵢ‖ ‖a‖): the margin has max_j ‖gⱼ‖ for ‖a‖. 0 where a is 0 within rounding."""
    size = relative_size(J, a)
    return finding.margin / size if size > finding.tolerance else 0.0
