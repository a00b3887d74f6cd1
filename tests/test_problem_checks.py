"""The checks of problems find the faults planted for them."""

from collections.abc import Callable

import pytest
from faulty_problems import (
    AlwaysDouble,
    BatchBlind,
    ChancyStart,
    DominatedPoint,
    FalselyConvex,
    FrontFromZero,
    HalfDistance,
    HalfPrecision,
    LocallyDominated,
    LongDistance,
    NeverAttained,
    NotStationary,
    OffsetDistance,
    OptimalStart,
    OutsideStart,
    Raises,
    SameStart,
    SmallBeta,
    WithoutFactor,
    WrongRow,
    ZeroDistance,
)

from jdbench.problem import AnalyticProblem
from jdbench.problem_checks import CHECKS, check_problem


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (WrongRow, "jacobian"),
        (DominatedPoint, "dominance"),
        (LocallyDominated, "dominance"),
        (NotStationary, "stationarity"),
        (WithoutFactor, "jacobian"),
        (FrontFromZero, "distance-foot"),
        (SmallBeta, "smoothness"),
        (FalselyConvex, "convexity"),
        (BatchBlind, "batches"),
        (HalfDistance, "distance-slope"),
        (LongDistance, "distance-bound"),
        (ZeroDistance, "distance-off-the-set"),
        (OffsetDistance, "set-distance"),
        (HalfPrecision, "single-precision"),
        (AlwaysDouble, "shapes"),
        (SameStart, "starts"),
        (ChancyStart, "starts"),
        (OptimalStart, "starts"),
        (OutsideStart, "starts"),
        (NeverAttained, "shapes"),
        (Raises, "set-distance"),
    ],
)
def test_planted_fault_is_caught(faulty: Callable[[], AnalyticProblem], check: str) -> None:
    assert check in {finding.check for finding in check_problem(faulty())}


def test_every_check_has_a_fault_that_it_catches() -> None:
    faults = next(mark for mark in test_planted_fault_is_caught.pytestmark if mark.name == "parametrize").args[
        1
    ]
    assert {check for _, check in faults} == set(CHECKS)
