"""Checks by samples that an analytic problem, ours or another's, is what it says it is."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, cast

from jdbench.errors import InputError, ProcessEndedError
from jdbench.exits import survived
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.problem_checks.contract import (
    check_batches,
    check_convexity,
    check_jacobian_by_autodiff,
    check_shapes,
    check_single_precision,
    check_smoothness,
    check_starts,
)
from jdbench.problem_checks.distance import (
    check_distance_bound,
    check_distance_foot,
    check_distance_lipschitz,
    check_distance_of_optima,
    check_distance_off_the_set,
    check_distance_slope,
    check_set_distance,
)
from jdbench.problem_checks.optimality import check_dominance, check_stationarity
from jdbench.problem_checks.samples import Samples, draw_samples
from jdbench.workers import Workers

__all__ = ["CHECKS", "Contradiction", "Examination", "check_problem", "check_specs", "examine_problem"]


class Contradiction(NamedTuple):
    """Something that a problem says and a sample contradicts.

    Attributes:
        check: Name of the check, such as ``jacobian``.
        message: What was claimed, what was found, and where.

    Example:
        >>> from jdbench.problem_checks import Contradiction
        >>> print(Contradiction("smoothness", "J changes by 3 a unit, beta=2"))
        smoothness: J changes by 3 a unit, beta=2
    """

    check: str
    message: str

    def __str__(self) -> str:
        """Return both in a line."""
        return f"{self.check}: {self.message}"


class Examination(NamedTuple):
    """What was checked of a problem, and what came of it.

    Attributes:
        findings: What samples contradict; nothing if all is well.
        made: Names of the checks that were made; none where the problem ended the process.
        left_out: Names of those that do not apply to it, such as that of a β that it does not claim.
        points: How many points of the domain were looked at.
        optimal: How many of the Pareto set.

    Example:
        >>> from jdbench.problem_checks import Examination
        >>> print(Examination([], ["shapes", "jacobian"], [], points=200, optimal=50))
        nothing found by 2 checks at 200 points and 50 of the Pareto set: shapes, jacobian
    """

    findings: list[Contradiction]
    made: list[str]
    left_out: list[str]
    points: int
    optimal: int

    def __str__(self) -> str:
        """Return what was checked, in a line."""
        if not self.made:
            return f"{len(self.findings)} found, and nothing more was checked"
        found = f"{len(self.findings)} found" if self.findings else "nothing found"
        left_out = f"; not applicable: {', '.join(self.left_out)}" if self.left_out else ""
        return (
            f"{found} by {len(self.made)} checks at {self.points} points and {self.optimal} of the Pareto set: "
            f"{', '.join(self.made)}{left_out}"
        )


CHECKS: dict[str, Callable[[Samples], list[str] | None]] = {
    "starts": check_starts,
    "shapes": check_shapes,
    "batches": check_batches,
    "single-precision": check_single_precision,
    "jacobian": check_jacobian_by_autodiff,
    "convexity": check_convexity,
    "smoothness": check_smoothness,
    "dominance": check_dominance,
    "stationarity": check_stationarity,
    "set-distance": check_set_distance,
    "distance-bound": check_distance_bound,
    "distance-off-the-set": check_distance_off_the_set,
    "distance-lipschitz": check_distance_lipschitz,
    "distance-of-optima": check_distance_of_optima,
    "distance-slope": check_distance_slope,
    "distance-foot": check_distance_foot,
}
"""The checks by name, in the order in which they are made.

Each returns what it found, in sentences, or None where it does not apply.
"""


def check_problem(problem: AnalyticProblem, samples: int = 200, seed: int = 0) -> list[Contradiction]:
    """Return what samples contradict of what a problem says about itself; nothing if all is well.

    Args:
        problem: Any analytic problem.
        samples: Number of points, and of points of the set, that each check looks at, at least 2.
        seed: Seed of the points.

    Returns:
        Findings, one a check at most but for several about one; a check that raises is one too.

    Example:
        >>> from jdbench.problem_checks import check_problem
        >>> from jdbench.problems.quadratic import ElementWiseQuadratic
        >>> problem = ElementWiseQuadratic()
        >>> problem.beta = 1.5  # it is 2
        >>> [finding.check for finding in check_problem(problem, samples=20)]
        ['smoothness']
    """
    return examine_problem(problem, samples, seed).findings


def examine_problem(problem: AnalyticProblem, samples: int = 200, seed: int = 0) -> Examination:
    """Return what was checked of a problem, and what came of it.

    Args:
        problem: Any analytic problem.
        samples: As of `check_problem`.
        seed: As of `check_problem`.

    Returns:
        The findings, with the checks that were made and those that do not apply.

    Example:
        >>> from jdbench.problem import resolve_problem
        >>> from jdbench.problem_checks import examine_problem
        >>> found = examine_problem(resolve_problem("ZDT1"), samples=20)
        >>> found.findings, found.left_out  # it claims neither convexity nor a β
        ([], ['convexity', 'smoothness', 'distance-of-optima'])
    """
    try:
        with survived():
            drawn = draw_samples(problem, samples, seed)
    except Exception as error:
        return Examination([_raised("starts", error)], ["starts"], [], 0, 0)
    found: list[Contradiction] = []
    made: list[str] = []
    for name, check in CHECKS.items():
        try:
            with survived():
                messages = check(drawn)
        except Exception as error:
            found.append(_raised(name, error))
            made.append(name)
            continue
        if messages is not None:
            made.append(name)
            found += [Contradiction(name, message) for message in messages]
    left_out = [name for name in CHECKS if name not in made]
    return Examination(found, made, left_out, len(drawn.x), len(drawn.optimal))


def _raised(check: str, error: Exception) -> Contradiction:
    return Contradiction(check, f"raised {type(error).__name__}: {error}")


def check_specs(specs: Sequence[str], samples: int = 200, seed: int = 0) -> list[tuple[str, Examination]]:
    """Return what was checked of problems that specs name, all resolved before the first is checked.

    Problems that are not our own are checked in a process of their own, which they may end.

    Args:
        specs: Specs of analytic problems.
        samples: As of `check_problem`.
        seed: As of `check_problem`.

    Returns:
        Pairs of a spec and what came of it.

    Raises:
        InputError: A spec names no analytic problem, or there are fewer than 2 samples.

    Example:
        >>> from jdbench.problem_checks import check_specs
        >>> [(spec, len(found.findings)) for spec, found in check_specs(["EWQ", "CQF"], samples=20)]
        [('EWQ', 0), ('CQF', 0)]
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
            (
                spec,
                _examine(spec, samples, seed)
                if ours[spec]
                else _examine_elsewhere(worker, spec, samples, seed),
            )
            for spec in specs
        ]


def _examine(spec: str, samples: int, seed: int) -> Examination:
    return examine_problem(cast("AnalyticProblem", resolve_problem(spec)), samples, seed)


def _examine_elsewhere(worker: Workers, spec: str, samples: int, seed: int) -> Examination:
    try:
        return worker.submit(_examine, spec, samples, seed).result()
    except ProcessEndedError as error:
        return Examination([Contradiction("exits", str(error))], [], [], 0, 0)
