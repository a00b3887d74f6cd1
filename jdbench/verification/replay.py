"""A recorded violation shown again: matrix and call are rebuilt from the verdict, the property is checked anew.

Only here, and for a script, is called what a file of verdicts names, and only for entries that are asked for.
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from jdbench.errors import InputError, UnknownNameError
from jdbench.exits import ending_of
from jdbench.verification.calls import FIRST_LIMIT, Call, MisbehaviourError
from jdbench.verification.exact.recheck import recheck
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.tasks import made
from jdbench.verification.verdicts import NO_MARGIN, Finding, Outcome, Recheck, Verdict

MOST_NAMES = 6
"""So many names a message lists."""


@dataclass(frozen=True)
class Replay:
    """What came of a verdict's matrix when the aggregator was called again.

    Attributes:
        verdict: As it was recorded.
        reproduced: Whether the violation is there again, or the aggregator does again end in no direction.
        finding: Margin and tolerance now; NaN where there is no direction.
        direction: A(J); None where there is none.
        recheck: What rational arithmetic says now.
        told: What was seen, where the margin alone does not say.
    """

    verdict: Verdict
    reproduced: bool
    finding: Finding
    direction: Tensor | None = None
    recheck: Recheck | None = None
    told: str = ""


def find_verdicts(verdicts: Sequence[Verdict], name: str | None) -> list[Verdict]:
    """Return the failed verdict of a name, or all that failed if there is none.

    Args:
        verdicts: Of a file.
        name: ``aggregator/property/dtype``, or a part that one failed verdict alone has.

    Returns:
        Verdicts in their order.

    Raises:
        InputError: Nothing failed, the verdict survived, or several have the part in their names.
        UnknownNameError: None has.
    """
    failed = [one for one in verdicts if one.failed]
    if name is None:
        if not failed:
            raise InputError(
                "verdicts, required one that is refuted or broken, got none, there is nothing to replay"
            )
        return failed
    exact = [one for one in verdicts if one.name == name]
    named = (
        exact or [one for one in failed if name in one.name] or [one for one in verdicts if name in one.name]
    )
    if not named:
        names = [one.name for one in verdicts]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.3) or names
        raise UnknownNameError(
            f"name={name!r}, required aggregator/property/dtype of a verdict or a part of it, got none of "
            f"{len(names)}, {_choose(near)}"
        )
    if not named[0].failed:
        raise InputError(
            f"name={name!r}, required a verdict that is refuted or broken, got {named[0].name} that survived "
            f"{named[0].examples} matrices, there is nothing to replay"
        )
    if len(named) > 1:
        names = [one.name for one in named]
        raise InputError(f"name={name!r}, required a part of one name, got {len(names)}, {_choose(names)}")
    return named


def replay_verdict(verdict: Verdict) -> Replay:
    """Call the aggregator of a failed verdict with its matrix, and check the property again.

    Args:
        verdict: With a spec.

    Returns:
        What came of it.

    Raises:
        InputError: The spec names no aggregator here.

    Example:
        >>> from dataclasses import replace
        >>> from jdbench.aggregators import Mean
        >>> from jdbench.verification import PROPERTIES, replay_verdict, verify
        >>> verdict = verify(Mean(), PROPERTIES["non-conflicting"], examples=20, shrink=False)
        >>> replay = replay_verdict(replace(verdict, aggregator="Mean"))
        >>> replay.reproduced, replay.finding.margin == verdict.margin
        (True, True)
    """
    aggregator = made(verdict.aggregator)
    call = Call(aggregator, verdict.dtype, verdict.limit)
    witness = verdict.witness
    prop = PROPERTIES[verdict.shown_by or verdict.prop]
    broken = verdict.outcome is Outcome.BROKEN
    if broken and verdict.message.startswith("exits: "):
        # The call may end the process that makes it: so first in a fork, on Linux.
        ending = ending_of(lambda: prop.check(call, witness), verdict.limit + FIRST_LIMIT)
        if ending:
            return Replay(verdict, True, NO_MARGIN, told=f"exits: its process ended with {ending}")
    call.warm_up()
    try:
        direction = call(witness.J, witness.seed)
        finding = prop.check(call, witness)
    except MisbehaviourError as error:
        return Replay(verdict, broken, NO_MARGIN, told=f"{error.what}: {error}")
    exactly = recheck(aggregator, verdict, limit=verdict.limit)
    return Replay(verdict, finding.violated, finding, direction, exactly, finding.message)


def replay_all(
    verdicts: Sequence[Verdict], progress: Callable[[str, int], object]
) -> tuple[list[Replay], list[str]]:
    """Replay verdicts one by one; what cannot be made here is left out, and said in a line each."""
    replays: list[Replay] = []
    missing: list[str] = []
    for verdict in verdicts:
        try:
            replays.append(replay_verdict(verdict))
        except InputError as error:
            missing.append(f"{verdict.name}: {error}")
        progress(verdict.name, len(verdicts))
    return replays, missing


def _choose(names: Sequence[str]) -> str:
    more = f" or {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"choose {', '.join(names[:MOST_NAMES])}{more}"
