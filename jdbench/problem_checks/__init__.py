"""Checks that an analytic problem is what it says it is, ours or anybody's, by samples."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jdbench.errors import InputError, ProcessEndedError
from jdbench.exits import survived
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.problem_checks.calculus import convexity, jacobian, smoothness
from jdbench.problem_checks.contract import batches, shapes, single_precision, starts
from jdbench.problem_checks.distance import (
    distance_bound,
    distance_foot,
    distance_off_the_set,
    distance_slope,
    set_distance,
)
from jdbench.problem_checks.optimality import dominance, stationarity
from jdbench.problem_checks.samples import Samples, draw
from jdbench.workers import Workers

__all__ = ["CHECKS", "Finding", "check_problem", "check_specs"]


class Finding(NamedTuple):
    """Something that a problem says and a sample contradicts.

    Attributes:
        check: Name of the check, such as ``jacobian``.
        message: What was claimed, what was found, and where.
    """

    check: str
    message: str

    def __str__(self) -> str:
        """Return both in a line."""
        return f"{self.check}: {self.message}"


CHECKS: dict[str, Callable[[Samples], list[str]]] = {
    "starts": starts,
    "shapes": shapes,
    "batches": batches,
    "single-precision": single_precision,
    "jacobian": jacobian,
    "convexity": convexity,
    "smoothness": smoothness,
    "dominance": dominance,
    "stationarity": stationarity,
    "set-distance": set_distance,
    "distance-bound": distance_bound,
    "distance-off-the-set": distance_off_the_set,
    "distance-slope": distance_slope,
    "distance-foot": distance_foot,
}
"""The checks by name, in the order in which they are made; each returns what it found, in sentences."""


def check_problem(problem: AnalyticProblem, samples: int = 200, seed: int = 0) -> list[Finding]:
    """Return what samples contradict of what a problem says about itself; nothing if all is well.

    Args:
        problem: Any analytic problem.
        samples: Number of points, and of points of the set, that each check looks at, at least 2.
        seed: Seed of the points.

    Returns:
        Findings, one a check at most but for several about one; a check that raises is one too.
    """
    try:
        with survived():
            drawn = draw(problem, samples, seed)
    except Exception as error:
        return [Finding("starts", f"raised {type(error).__name__}: {error}")]
    found: list[Finding] = []
    for name, check in CHECKS.items():
        try:
            with survived():
                messages = check(drawn)
        except Exception as error:
            messages = [f"raised {type(error).__name__}: {error}"]
        found += [Finding(name, message) for message in messages]
    return found


def check_specs(specs: Sequence[str], samples: int = 200, seed: int = 0) -> list[tuple[str, Finding]]:
    """Return the findings about problems that specs name, all resolved before the first is checked.

    Problems that are not our own are checked in a process of their own, which they may end.

    Args:
        specs: Specs of analytic problems.
        samples: As of `check_problem`.
        seed: As of `check_problem`.

    Returns:
        Pairs of a spec and a finding.

    Raises:
        InputError: A spec names no analytic problem, or there are fewer than 2 samples.
    """
    if samples < 2:
        raise InputError(f"samples={samples}, required at least 2, got fewer, try 200")
    ours: dict[str, bool] = {}
    for spec in specs:
        problem = resolve_problem(spec)
        if not isinstance(problem, AnalyticProblem):
            raise InputError(
                f"problem={spec!r}, required an AnalyticProblem, got a TrainingProblem, name another"
            )
        ours[spec] = type(problem).__module__.startswith("jdbench.")
    with Workers(1) as worker:
        return [
            (spec, finding)
            for spec in specs
            for finding in (
                _check(spec, samples, seed) if ours[spec] else _check_elsewhere(worker, spec, samples, seed)
            )
        ]


def _check(spec: str, samples: int, seed: int) -> list[Finding]:
    problem = resolve_problem(spec)
    return check_problem(problem, samples, seed) if isinstance(problem, AnalyticProblem) else []


def _check_elsewhere(worker: Workers, spec: str, samples: int, seed: int) -> list[Finding]:
    try:
        return worker.submit(_check, spec, samples, seed).result()
    except ProcessEndedError as error:
        return [Finding("exits", str(error))]
