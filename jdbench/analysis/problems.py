"""The problems of a store, and their families."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from jdbench.analysis.schema import FAMILY, PROBLEM
from jdbench.environment import provenance_fact
from jdbench.errors import InputError, JDBenchError
from jdbench.problem import AnalyticProblem, Problem, TrainingProblem, resolve_problem
from jdbench.spec import slug

OVERALL = "all problems"
"""Stands for the family in rows that are about all of them."""

UNKNOWN = "unknown"
"""The family of problems that cannot be had."""


@dataclass(frozen=True)
class ProblemEntry:
    """A problem of which a store has runs.

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
        problems: Its problems.
    """

    name: str
    problems: Sequence[ProblemEntry]

    @property
    def page(self) -> str:
        """Name of its page."""
        return f"family-{slug(self.name)}.html"


Resolver = Callable[[str], Problem]
"""Makes a problem of its spec; a `JDBenchError`, ImportError or AttributeError says why it cannot be had."""


def resolve_announced(spec: str) -> Problem:
    """Return a problem that is announced by its name: data is not code, a store has nothing else imported.

    Raises:
        InputError: The spec is ``module:Name``, or its keywords do not fit.
        UnknownNameError: Nothing announced has that name.

    Example:
        >>> from jdbench.analysis.problems import resolve_announced
        >>> resolve_announced("EWQ").family
        'convex'
        >>> resolve_announced("mine:Bowl")
        Traceback (most recent call last):
        jdbench.errors.InputError: problem='mine:Bowl', required a name that a package announces, got ...
    """
    if ":" in spec.partition("(")[0]:
        raise InputError(
            f"problem={spec!r}, required a name that a package announces, got a module, which reading a "
            "store does not import, say `jdbench report --import` if you trust the store"
        )
    return resolve_problem(spec)


def announced_problem(spec: str) -> Problem | None:
    """Return the problem of `resolve_announced`; None where it cannot be had."""
    try:
        return resolve_announced(spec)
    except (JDBenchError, ImportError, AttributeError):
        return None


def entry_of(
    spec: str,
    *,
    measured: bool,
    path_shape: tuple[int, int] | None = None,
    resolve: Resolver = resolve_announced,
) -> ProblemEntry:
    """Return a problem of a store.

    Args:
        spec: Its spec.
        measured: Whether runs on it have a distance, by which an analytic problem is known that cannot be had.
        path_shape: m and n as the paths of runs tell them, for a problem that cannot be had.
        resolve: What makes the problem of its spec.

    Returns:
        The problem.
    """
    problem, absent = None, ""
    try:
        problem = resolve(spec)
    except (JDBenchError, ImportError, AttributeError) as error:
        absent = str(error)
    analytic = isinstance(problem, AnalyticProblem)
    kind = "analytic" if measured or analytic else "training"
    family = UNKNOWN if problem is None else problem.family
    shape = (problem.m, problem.n) if analytic else path_shape if problem is None else None
    return ProblemEntry(spec, slug(spec), kind, family, problem, absent, shape)


def families(problems: Iterable[ProblemEntry]) -> dict[str, str]:
    """Return the family of each problem by its spec."""
    return {entry.spec: entry.family for entry in problems}


def shapes(problems: Iterable[ProblemEntry]) -> dict[str, tuple[int, int]]:
    """Return m and n of the Jacobian by spec, of the problems that have one."""
    return {entry.spec: entry.shape for entry in problems if entry.shape is not None}


def provenances(entry: ProblemEntry, environments: Iterable[Mapping[str, str]]) -> list[str]:
    """Return what the runs on a problem were trained on, a line for each data set that they saw.

    Args:
        entry: The problem.
        environments: Facts stored with the runs.

    Returns:
        Lines as stored with the runs, in order. Where none is stored, what is here now, and that it is; nothing
        where the problem says nothing.
    """
    fact = provenance_fact(entry.spec)
    stored = dict.fromkeys(facts[fact] for facts in environments if fact in facts)
    if stored or not isinstance(entry.problem, TrainingProblem):
        return list(stored)
    try:
        here = entry.problem.provenance()
    except JDBenchError:
        here = ""  # a damaged file is no matter of a report
    return [f"{here} (found here, not stored with the runs)"] if here else []


def by_family(
    frame: pd.DataFrame, family_of: Mapping[str, str], part: Callable[[str, pd.DataFrame], pd.DataFrame]
) -> pd.DataFrame:
    """Return what a function makes of the rows of all problems and of each family, one below the other.

    Args:
        frame: A table with problems.
        family_of: Family of each problem, `UNKNOWN` where it has none.
        part: Makes it of the name of a family, or `OVERALL`, and the rows of its problems.

    Returns:
        Its columns after one with the name; `OVERALL` first, then the families by name.
    """
    own = np.array([family_of.get(str(problem), UNKNOWN) for problem in frame[PROBLEM]], dtype=object)
    parts = {OVERALL: frame} | {name: pd.DataFrame(frame[own == name]) for name in sorted(set(own))}
    found: list[pd.DataFrame] = []
    for name, rows in parts.items():
        made = part(name, rows)
        made.insert(0, str(FAMILY), name)
        found.append(made)
    return pd.concat([made for made in found if len(made)] or found[:1], ignore_index=True)
