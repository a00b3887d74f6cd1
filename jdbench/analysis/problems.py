"""The problems of a report, and their families."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from jdbench.analysis.family_tables import UNKNOWN
from jdbench.errors import JDBenchError
from jdbench.problem import AnalyticProblem, Problem, resolve_problem
from jdbench.spec import slug


@dataclass(frozen=True)
class Subject:
    """A problem as a report sees it.

    Attributes:
        spec: Its spec.
        slug: The same for ids and file names.
        kind: ``analytic`` or ``training``.
        family: Its family; `UNKNOWN` where it cannot be had.
        problem: The problem itself, or None where it cannot be had.
        absent: Why it cannot.
        shape: m and n of its Jacobian; None for trainings and problems that cannot be had and left no paths.
    """

    spec: str
    slug: str
    kind: Literal["analytic", "training"]
    family: str
    problem: Problem | None
    absent: str
    shape: tuple[int, int] | None

    @property
    def analytic(self) -> AnalyticProblem | None:
        """The problem, if it is an analytic one and can be had."""
        return self.problem if isinstance(self.problem, AnalyticProblem) else None

    @property
    def page(self) -> str:
        """Name of its page."""
        return f"problem-{self.slug}.html"


@dataclass(frozen=True)
class Family:
    """A family of problems.

    Attributes:
        name: Its name.
        subjects: Its problems.
    """

    name: str
    subjects: Sequence[Subject]

    @property
    def page(self) -> str:
        """Name of its page."""
        return f"family-{slug(self.name)}.html"


def subject_of(spec: str, *, measured: bool, shape: tuple[int, int] | None) -> Subject:
    """Return a problem of a report.

    Args:
        spec: Its spec.
        measured: Whether runs on it have a distance, by which an analytic problem is known that cannot be had.
        shape: That of its Jacobian, by `jdbench.analysis.run_table.shapes`.

    Returns:
        The problem.
    """
    problem, absent = None, ""
    try:
        problem = resolve_problem(spec)
    except (JDBenchError, ImportError, AttributeError) as error:
        absent = str(error)
    kind = "analytic" if measured or isinstance(problem, AnalyticProblem) else "training"
    family = UNKNOWN if problem is None else problem.family
    return Subject(spec, slug(spec), kind, family, problem, absent, shape)
