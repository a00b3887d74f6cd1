"""Directed random search for a violation: Hypothesis climbs towards small margins and shrinks what it finds."""

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import hypothesis
import torch
from hypothesis import HealthCheck, Phase, Verbosity, given, settings, target
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from torch import Tensor

from jdbench.aggregator import AnyAggregator
from jdbench.verification import EXAMPLES
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.properties import HYGIENE, PROPERTIES, Property
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdicts import NO_MARGIN, Finding, Outcome, Verdict
from jdbench.verification.witnesses import ROUNDS, Witness

STEPS = 4
"""Steps of the score in each factor e of margin over tolerance: what is climbed must have an end."""


TRIED_AGAIN = 8
"""Of so many violations, the last first, the verdict is one that comes again; shrinking leaves many."""

FEWEST_SHARES = 4
"""No class gets more than a fourth of the examples: where a property has few, there is less to search."""


class _ViolationError(Exception):
    pass


def verify(
    aggregator: AnyAggregator,
    prop: Property,
    *,
    dtype: torch.dtype = torch.float64,
    examples: int = EXAMPLES,
    seed: int = 0,
    limit: float = 10.0,
    shrink: bool = True,
) -> Verdict:
    """Search for a violation of a property, class by class of matrices, and return the verdict.

    Every class of the property's domain gets its share of the examples, simple classes first; the first class
    that holds a violation gives the counterexample.

    The verdict is on the function of J that a new copy of the aggregator is: each call goes to a copy of its
    own, but where hygiene asks whether anything is kept. What a violation shows it must show again: one that
    keeps something where no copy reaches, in its module or in a closure, is not refuted but broken.

    Args:
        aggregator: What is verified.
        prop: The property.
        dtype: float32 or float64.
        examples: Number of matrices tried before the property counts as surviving, at least 1, shared among
            the classes, rounded up; half of it where the property concerns two classes alone.
        seed: Seed of the search; the same seed tries the same matrices.
        limit: Seconds that one call may take, compilation by numba or torch not counted; the first of all may
            import and compile by other means, and get a minute more.
        shrink: Whether to make a found violation small, which takes longer than to find it.

    Returns:
        The verdict. Surviving is no proof.

    Example:
        >>> from jdbench.aggregators import UPGrad
        >>> from jdbench.verification import PROPERTIES, verify
        >>> verdict = verify(UPGrad(), PROPERTIES["identity-for-one-row"], examples=8)
        >>> str(verdict.outcome), verdict.margin >= -verdict.tolerance
        ('survived', True)
    """
    call = Call(aggregator, dtype, limit)
    call.warm_up()
    classes = prop.witnesses(dtype)
    share = math.ceil(examples / max(len(classes), FEWEST_SHARES))
    tried = 0
    lowest: list[tuple[Finding, Witness]] = []
    for witnesses in classes.values():
        search = _Search(call, prop)
        search.run(witnesses, share, seed, shrink=shrink)
        tried += search.tried
        if search.violations:
            if shrink and prop.everywhere:
                search.shrink_shape()
            return _confirmed(search, tried)
        if search.misbehaviours:
            message, witness = search.misbehaviours[-1]
            return _verdict(call, prop, Outcome.BROKEN, tried, NO_MARGIN, witness, message)
        lowest += search.lowest
    finding, witness = min(lowest, key=lambda pair: pair[0].margin)
    return _verdict(call, prop, Outcome.SURVIVED, tried, finding, witness)


ONCE = "violated once and not again: it depends on something besides J and the generator"


def _verdict(
    call: Call,
    prop: Property,
    outcome: Outcome,
    tried: int,
    finding: Finding,
    witness: Witness,
    message: str = "",
    shown_by: str = "",
) -> Verdict:
    return Verdict(
        prop.name,
        call.dtype,
        outcome,
        tried,
        finding.margin,
        finding.tolerance,
        witness,
        message or (finding.message if outcome is Outcome.REFUTED else ""),
        shown_by or prop.name,
        call.limit,
    )


def _confirmed(search: "_Search", tried: int) -> Verdict:
    """Return the refutation by the smallest violation that comes again, or why none does."""
    call, prop = search.call, search.prop
    for _, witness in reversed(search.violations[-TRIED_AGAIN:]):
        with contextlib.suppress(MisbehaviourError):
            finding = prop.check(call, witness)
            if finding.violated:
                return _verdict(call, prop, Outcome.REFUTED, tried, finding, witness)
    witness = replace(search.violations[-1][1], rounds=ROUNDS)
    try:
        kept = PROPERTIES[HYGIENE].check(call, witness)
    except MisbehaviourError as error:
        kept = replace(NO_MARGIN, message=f"{error.what}: {error}")
    shown_by, message = (HYGIENE, kept.message) if kept.violated else (prop.name, ONCE)
    return _verdict(call, prop, Outcome.BROKEN, tried, NO_MARGIN, witness, message, shown_by)


@dataclass
class _Search:
    """The search in one class: what came of its examples, each list's last the one that was shrunk to."""

    call: Call
    prop: Property
    tried: int = 0
    lowest: list[tuple[Finding, Witness]] = field(default_factory=list)
    violations: list[tuple[Finding, Witness]] = field(default_factory=list)
    misbehaviours: list[tuple[str, Witness]] = field(default_factory=list)
    hung: bool = False

    def run(self, witnesses: st.SearchStrategy[Witness], examples: int, seed: int, *, shrink: bool) -> None:
        """Try so many examples until one is a violation, which is then shrunk if that is wanted."""
        phases = [Phase.generate, Phase.target, *([Phase.shrink] if shrink else [])]

        # Not to be run by pytest: the search is our own, its randomness is the seed's, and it stores nothing.
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
            verbosity=Verbosity.quiet,
            print_blob=False,
            report_multiple_bugs=False,
        )
        @given(witnesses)
        def search(witness: Witness) -> None:
            self.tried += 1
            score = self._try(witness)
            if score is not None:
                target(score)

        with contextlib.suppress(MisbehaviourError, _ViolationError, Flaky):
            hypothesis.seed(seed)(search)()

    def shrink_shape(self) -> None:
        """Leave out the rows and columns that the violation does not need."""

        def violates(witness: Witness) -> bool:
            with contextlib.suppress(MisbehaviourError, _ViolationError):
                self._try(witness)
                return False
            return bool(self.violations) and self.violations[-1][1] is witness

        minimal(violates, self.violations[-1][1])

    def _try(self, witness: Witness) -> float | None:
        if self.hung:  # to shrink it would cost the time limit again and again
            return None
        try:
            finding = self.prop.check(self.call, witness)
        except MisbehaviourError as error:
            self.misbehaviours.append((f"{error.what}: {error}", witness))
            self.hung = error.what == "hangs"
            raise
        if finding.violated:
            self.violations.append((finding, witness))
            raise _ViolationError
        if not self.lowest or finding.margin < self.lowest[0][0].margin:
            self.lowest[:] = [(finding, witness)]
        if not (0 < finding.tolerance < math.inf and math.isfinite(finding.margin)):
            return None
        return -round(STEPS * math.asinh(finding.margin / finding.tolerance)) / STEPS


def minimal(violates: Callable[[Witness], bool], witness: Witness) -> Witness:
    """Return a violation from which no single row or column can be left out.

    Hypothesis shrinks the entries well, and the number of rows and columns, which it drew first, less so. Only
    for properties that are claimed of every matrix: a smaller one need not be of the same class.
    """
    found = True
    while found:
        m, n = witness.J.shape
        candidates = [_without_row(witness, i) for i in range(m) if m > 1]
        candidates += [_without_column(witness, j) for j in range(n) if n > 1]
        found = False
        for candidate in candidates:
            if violates(candidate):
                witness, found = candidate, True
                break
    return witness


def _without_row(witness: Witness, i: int) -> Witness:
    kept = [k for k in range(len(witness.J)) if k != i]
    return _with(witness, witness.J[kept], tuple(c[kept] for c in witness.scalings))


def _without_column(witness: Witness, j: int) -> Witness:
    kept = [k for k in range(witness.J.shape[1]) if k != j]
    return _with(witness, witness.J[:, kept], witness.scalings)


def _with(witness: Witness, J: Tensor, scalings: tuple[Tensor, ...]) -> Witness:
    return replace(witness, matrix=Matrix(J, witness.matrix.kind), scalings=scalings)
