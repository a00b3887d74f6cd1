"""What [JD] proves of the dual cone's program, of our solver and of every other: see `statements`."""

import pytest
import torch
from hypothesis import given, settings

from jdbench.dual_cone import Status, available_solvers
from jdbench.verification.dual_cone.statements import STATEMENTS, Programs, programs, statement_findings
from jdbench.verification.strategies import classes

OURS, *OTHERS = available_solvers()
CLASSES = classes(torch.float64)


def examples(count: int) -> settings:
    """Return the settings of a search that is the same in every run."""
    return settings(max_examples=count, derandomize=True, deadline=None, database=None)


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_our_solver_keeps(statement: str, kind: str) -> None:
    """Within rounding, whatever residuals it reports."""

    @examples(15)
    @given(programs(CLASSES[kind]))
    def check(given_: Programs) -> None:
        finding = statement_findings(given_, given_.solve(OURS), exact=True)[statement]
        assert not finding.violated, f"{statement}: {finding} at J = {given_.matrix.J.tolist()}"

    check()


@pytest.mark.parametrize("kind", CLASSES)
@pytest.mark.parametrize("solver", [OURS, *OTHERS])
def test_no_solver_is_silently_wrong(solver: str, kind: str) -> None:
    """Every statement holds within the residuals that a solution reports, or weights are NaN and it says so."""

    @examples(2)
    @given(programs(CLASSES[kind]))
    def check(given_: Programs) -> None:
        solution = given_.solve(solver)
        failed = solution.weights.isnan().any()
        assert (solution.status is Status.FAILED) == bool(failed)
        for statement, finding in statement_findings(given_, solution, exact=False).items():
            assert not finding.violated, f"{statement}: {finding} at J = {given_.matrix.J.tolist()}"

    check()
