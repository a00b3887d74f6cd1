"""A violation found in floating point, checked again in rational arithmetic.

A float margin leaves two questions open. Does what the aggregator returned, taken as the rational numbers that
floats are, violate the property by more than rounding explains? And would the definition of that name in [JD],
without any rounding, violate it too, or is the implementation at fault?
"""

import importlib.util

from torch import Tensor

from jdbench.aggregator import AnyAggregator
from jdbench.verification.calls import Call, MisbehaviourError
from jdbench.verification.properties import TABLE_1
from jdbench.verification.verdicts import Bearer, Definition, Outcome, Recheck, Verdict

_, LINEAR, _ = TABLE_1


def recheck(aggregator: AnyAggregator, verdict: Verdict, *, limit: float = 10.0) -> Recheck | None:
    """Check a refutation of a property of Table 1 again, exactly.

    Args:
        aggregator: What was refuted.
        verdict: The verdict on it.
        limit: Seconds that one call may take.

    Returns:
        The recheck; None if nothing was refuted, or a property that is not in Table 1.

    Raises:
        SolverError: The exact arithmetic contradicts itself: a defect of jdbench.

    Example:
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.verification import PROPERTIES, recheck, verify
        >>> verdict = verify(Mean(), PROPERTIES["non-conflicting"], examples=20, shrink=False)
        >>> found = recheck(Mean(), verdict)
        >>> found.confirmed, found.definition.name, found.definition.keeps
        (True, 'Mean', False)
    """
    if verdict.outcome is not Outcome.REFUTED or verdict.prop not in TABLE_1:
        return None
    if importlib.util.find_spec("flint") is None:
        missing = 'python-flint is not installed, run `pip install "jdbench[exact]"`'
        return Recheck(None, verdict.tolerance, missing=missing)
    # They need the extra, which the float verdict does not.
    from jdbench.verification.exact import aggregations as exact
    from jdbench.verification.exact import margins as exact_margins
    from jdbench.verification.exact.definitions import defined_directions, definition_name

    matrices = _matrices(verdict)
    call = Call(aggregator, verdict.dtype, limit)
    try:
        outputs = [call(J, verdict.witness.seed).to(verdict.dtype) for J in matrices]
    except MisbehaviourError as error:
        return Recheck(None, verdict.tolerance, missing=f"called again, it {error.what}: {error}")
    rational, directions = [exact.exact_matrix(J) for J in matrices], [exact.exact_matrix(a) for a in outputs]
    margin = exact_margins.MARGINS[verdict.prop](rational, directions)
    name = definition_name(aggregator)
    if name is None:
        missing = "no exact definition bears its name"
        return Recheck(margin, verdict.tolerance, missing=missing)
    defined = defined_directions(name, rational, directions)
    if defined is None:
        missing = f"[JD]'s {name} is random, with too many outcomes to compare with"
        return Recheck(margin, verdict.tolerance, missing=missing)
    ulps = max(
        exact.ulps(a, expected, max(abs(entry) for entry in J.entries()))
        for a, expected, J in zip(outputs, defined, rational, strict=True)
    )
    # What the definition gives is not rounded: its margin has no tolerance.
    keeps = exact_margins.MARGINS[verdict.prop](rational, defined) >= 0
    return Recheck(margin, verdict.tolerance, Definition(name, keeps, ulps, _bearer(aggregator, name)))


def _bearer(aggregator: AnyAggregator, name: str) -> Bearer:
    if not type(aggregator).__module__.startswith("jdbench.aggregators."):
        return Bearer.NAMESAKE
    return Bearer.IMPLEMENTATION if repr(aggregator) == name else Bearer.VARIANT


def _matrices(verdict: Verdict) -> list[Tensor]:
    """Return the matrices that the property aggregates: for linearity c₁∘J, c₂∘J and (c₁+c₂)∘J."""
    J = verdict.witness.matrix.J
    if verdict.prop != LINEAR:
        return [J]
    c1, c2 = (c.unsqueeze(-1) for c in verdict.witness.scalings)
    return [c1 * J, c2 * J, (c1 + c2) * J]
