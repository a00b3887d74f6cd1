"""The checks of problems find the faults planted for them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from jdbench.problem import AnalyticProblem
from jdbench.problem_checks import CHECKS, check_problem, examine_problem
from jdbench.problems.spheres import DoubleSphere, MonotoneSpheres
from support.faulty_problems import (
    AlwaysDouble,
    BatchBlind,
    ChancyStart,
    DistanceBeyondTheEnds,
    DistanceToTheLine,
    DominatedPoint,
    FalselyConvex,
    FrontFromZero,
    HalfDistance,
    HalfPrecision,
    HalfTheSet,
    Jumping,
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


@pytest.mark.parametrize(
    ("faulty", "check"),
    [
        (WrongRow, "jacobian"),
        (DominatedPoint, "dominance"),
        (LocallyDominated, "dominance"),
        (NotStationary, "stationarity"),
        (WithoutFactor, "jacobian"),
        (FrontFromZero, "distance-foot"),
        (DistanceToTheLine, "distance-foot"),
        (DistanceBeyondTheEnds, "distance-foot"),
        (HalfTheSet, "distance-of-optima"),
        (Jumping, "distance-lipschitz"),
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


def test_an_examination_says_what_was_checked_and_what_does_not_apply() -> None:
    sphere, log = examine_problem(DoubleSphere()), examine_problem(MonotoneSpheres(phi="log"))
    assert (sphere.made, sphere.left_out) == (list(CHECKS), [])
    assert log.left_out == ["convexity", "distance-of-optima"]
    assert set(log.made) | set(log.left_out) == set(CHECKS)
    points = f"nothing found by {len(CHECKS)} checks at 208 points and 200 of the Pareto set: starts, "
    assert str(sphere).startswith(points)
    assert str(log).endswith("not applicable: convexity, distance-of-optima")
    assert str(examine_problem(DistanceToTheLine())).startswith("1 found by ")


def test_the_command_says_what_was_checked(tmp_path: Path, jdbench) -> None:
    (tmp_path / "mine.py").write_text(
        "from jdbench.problems.spheres import DoubleSphere\n"
        "class Line(DoubleSphere):\n"
        "    def distance(self, x):\n"
        "        return (x - x.mean(-1, keepdim=True)).norm(dim=-1)\n"
    )
    run = jdbench("check-problem", "DoubleSphere", "mine:Line")
    first, finding, last = run.stdout.splitlines()
    assert run.returncode == 1
    assert first.startswith(f"DoubleSphere: nothing found by {len(CHECKS)} checks")
    assert finding.startswith("mine:Line: distance-foot: is ")
    assert "dominates" in finding
    assert last.startswith(f"mine:Line: 1 found by {len(CHECKS)} checks")
