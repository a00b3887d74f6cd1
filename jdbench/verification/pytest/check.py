"""One test of the pytest face of verification: an aggregator, a property, and what is expected of them."""

import contextlib
import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
import torch

from jdbench.aggregator import BUILT_IN, AnyAggregator, resolve
from jdbench.exits import ending_of
from jdbench.verification import EXAMPLES
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.exact.recheck import recheck
from jdbench.verification.expected_failures import ExpectedFailure, StaleExpectedFailureWarning, find_expected
from jdbench.verification.global_state import OF_RESULTS, kept
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.script import as_source
from jdbench.verification.search import verify
from jdbench.verification.tasks import made
from jdbench.verification.verdicts import Outcome, Verdict, dtype_name
from jdbench.verification.witnesses import Witness

FIRST = (
    [[1.0, 0.0], [-1.0, 1.0], [-1.0, -2.0]],
    [[2.0]],
    [[1.0, 1.0], [1.0, 1.0]],
    [[1.0, 2.0], [-1.0, -2.0]],
    [[0.0, 0.0], [0.0, 0.0]],
)
"""Matrices that a stranger's aggregator gets first: those on which solvers fail are among them."""


@dataclass(frozen=True)
class Search:
    """How long and from which seed violations are searched.

    Attributes:
        examples: Matrices tried for each property and dtype; ten times as many where a violation is claimed.
        seed: Seed of the search.
        replay: The options that repeat it, for the message of a failure.
    """

    examples: int = EXAMPLES
    seed: int = 0
    replay: str = ""


@dataclass(frozen=True, repr=False)
class Subject:
    """A test: an aggregator, a property, and what is expected of them.

    Attributes:
        names: The aggregator's name in lists and messages, then others that an expected failure may use.
        make: Makes the aggregator.
        property: Name of the property.
        dtype: In which it is called.
        search: How violations are searched.
        counterexample: A violation that must be there; None if the property must survive.
        searched: Whether the search must come upon a violation too.
        expected: Failures that are expected, of this subject or others.

    Example:
        >>> import torch
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.pytest_plugin import Subject
        >>> from jdbench.verification.pytest.check import Search
        >>> subject = Subject(("Mean",), Mean, "weighted", torch.float64, Search(examples=10))
        >>> subject
        Mean-float64
        >>> subject.check()  # raises an AssertionError where it is refuted
    """

    names: tuple[str, ...]
    make: Callable[[], AnyAggregator]
    property: str
    dtype: torch.dtype
    search: Search = field(default_factory=Search)
    counterexample: Witness | None = None
    searched: bool = True
    expected: tuple[ExpectedFailure, ...] = ()

    def __str__(self) -> str:
        """Return the name under which pytest lists it."""
        return f"{self.names[0]}-{dtype_name(self.dtype)}"

    __repr__ = __str__

    def check(self) -> None:
        """Fail unless the search comes out as expected.

        An expected failure is reported as such, with its reason; one that does not happen is warned of. What
        does not apply to the aggregator is skipped.

        Raises:
            AssertionError: The property was refuted, or the claimed violation is not there.
        """
        __tracebackhide__ = True
        if self.counterexample is not None:
            self._check_violation(self.counterexample)
            return
        aggregator = self.make()
        ours = type(aggregator).__module__.startswith(f"{BUILT_IN}.")
        ending = "" if ours else first_call_ends(self.make, self.dtype)
        verdict = (
            None
            if ending
            else verify(
                aggregator,
                PROPERTIES[self.property],
                dtype=self.dtype,
                examples=self.search.examples,
                seed=self.search.seed,
            )
        )
        expected = find_expected(self.expected, self.names, self.property, dtype_name(self.dtype))
        failed = verdict is None or verdict.failed
        if failed and expected is not None:
            pytest.xfail(expected.reason)
        if verdict is None:
            raise AssertionError(f"{self.names[0]} is broken: a call of it ends the process with {ending}")
        if failed:
            raise AssertionError(self._explain(aggregator, verdict))
        if expected is not None:
            warnings.warn(
                expected.stale(self.names[0], dtype_name(self.dtype)), StaleExpectedFailureWarning, stacklevel=2
            )
        if not verdict.survived:
            pytest.skip(verdict.message or f"{self.property} is not applicable to {self.names[0]}")

    def _check_violation(self, counterexample: Witness) -> None:
        __tracebackhide__ = True
        prop, aggregator, name = PROPERTIES[self.property], self.make(), self.names[0]
        finding = prop.check(Call(aggregator, self.dtype), counterexample)
        assert finding.violated, f"{name}: the fixed counterexample gives {finding}"
        if not self.searched:
            return
        examples = 10 * self.search.examples
        verdict = verify(
            aggregator, prop, dtype=self.dtype, examples=examples, seed=self.search.seed, shrink=False
        )
        assert verdict.outcome is Outcome.REFUTED, (
            f"{name}: {examples} matrices found no violation{self.search.replay}"
        )

    def _explain(self, aggregator: AnyAggregator, verdict: Verdict) -> str:
        name, where, prop = self.names[0], as_source(verdict.witness), PROPERTIES[self.property]
        if verdict.outcome is Outcome.BROKEN:
            return f"{name} is broken: {verdict.message}, at {where}{self.search.replay}"
        exactly = recheck(aggregator, verdict)
        return (
            f"{name} is not {prop.name} ({prop.statement}): "
            + (f"{verdict.message}: " if verdict.message else "")
            + f"margin {verdict.margin:.3g} beyond rounding, {verdict.tolerance:.1g}, at {where}"
            + ("" if exactly is None else f"\n{exactly}")
            + self.search.replay
        )


@functools.cache
def first_call_ends(make: Callable[[], AnyAggregator], dtype: torch.dtype) -> str:
    """Return how an aggregator's first calls end the process, such as ``exit code 0``; empty where they do not.

    They are tried in a fork, see `jdbench.exits.ending_of`: pytest itself cannot survive that, and would end
    with no word on what ended it. Later calls are guarded against ``exit()`` and ``os._exit()``, but not
    against what kills the process.
    """
    call = Call(make(), dtype)

    def alone() -> None:
        torch.set_num_threads(1)  # a fork has no other threads, and may wait for them forever
        for rows in FIRST:
            with contextlib.suppress(MisbehaviourError):
                call(torch.tensor(rows, dtype=torch.float64))

    return ending_of(alone, call.limit)


def named_subject(spec: str) -> tuple[tuple[str, ...], Callable[[], AnyAggregator]]:
    """Return a spec as it was given and in its shortest form, and what makes a new aggregator of it.

    Raises:
        InputError: The spec names no aggregator.
    """
    with kept(OF_RESULTS):
        resolved = resolve(spec)
    return (spec, resolved.spec), lambda: made(spec)
