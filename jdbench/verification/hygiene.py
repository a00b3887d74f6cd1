"""Hygiene: a call keeps no state, changes nothing that others share, and reads any memory layout.

What is promised, and so held against everybody:

- A(J) depends on J and the generator alone: not on earlier calls ("keeps state"), not on chance from elsewhere.
- Nothing that all share stays changed: see `jdbench.verification.global_state`. An `Aggregator` draws from its
  generator alone; any other callable may draw from the global generators, which are seeded for it, but not
  seed them. What only the first call in a process changes, as an import does, is put back and not judged.
- The result has memory of its own, each entry for itself: no part of J, nothing that the next call overwrites.
  It requires no grad if J does not.
- J is only read, in whatever strides, be it read-only. Where J is regular, the result is the same to rounding.
- A J that requires grad may be refused by raising. If not, the direction is the same, and nothing is left in
  ``J.grad``; whether the result can be differentiated is not promised.
- Of a batch an `Aggregator` gives what it gives of the members.
"""

import functools
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, global_generators
from jdbench.verification import predicates, tolerances
from jdbench.verification.calls import DRAWN, Call, CallResult, MisbehaviourError, integer_matrix
from jdbench.verification.strategies import is_regular
from jdbench.verification.verdicts import Finding
from jdbench.verification.witnesses import Witness

KEEPS_STATE = "keeps state"

FINE = Finding(0.0, 0.0)


def _fault(message: str) -> Finding:
    return Finding(-1.0, 0.0, message)


def hygienic(call: Call, witness: Witness) -> Finding:
    """Return the first fault, or the smallest margin of what was compared.

    Args:
        call: The aggregator.
        witness: A matrix, and how often it is called again.

    Returns:
        The finding; its message says which fault.

    Raises:
        MisbehaviourError: A call of the matrix as it is did not end in a direction.
    """
    answer = call.answer(witness.J, witness.seed)
    found = [FINE]
    for look in (_what_is_left, _whose_memory, _chance, _memory, _layouts, _differentiable, _batch):
        finding = look(call, witness, answer)
        if finding.violated:
            return finding
        found.append(finding)
    return min(found, key=lambda finding: finding.margin)


def _what_is_left(call: Call, witness: Witness, answer: CallResult) -> Finding:
    """Nothing that all share is changed, and no generator is seeded."""
    # To seed is no change where the state is the seed's already, as Hypothesis leaves it: so from another.
    with global_generators(torch.Generator().manual_seed(witness.seed + 1)):
        other = call.answer(witness.J, witness.seed + 1)
    changes = answer.changes or other.changes
    if changes:
        return _fault(f"leaves changed: {'; '.join(map(str, changes))}")
    if not answer.drawn:
        return FINE
    # From two states draws lead to two others, as the steps of these generators are invertible; seeding to one.
    seeded = [
        item.name for item, *ends in zip(DRAWN, answer.drawn, other.drawn, strict=True) if item.same(*ends)
    ]
    return _fault(f"seeds {', '.join(seeded)}") if seeded else FINE


def _whose_memory(call: Call, witness: Witness, answer: CallResult) -> Finding:  # noqa: ARG001
    """What it returns is its caller's, and what it was given is as it was."""
    a = answer.returned
    if answer.written:
        return _fault("writes into its input, though the numbers are as they were")
    if a.requires_grad:
        return _fault("returns what requires grad, for an input that does not")
    if a.untyped_storage().data_ptr() == answer.given.untyped_storage().data_ptr():
        return _fault("returns memory of its input: whoever changes one changes the other")
    if any(stride == 0 and size > 1 for stride, size in zip(a.stride(), a.shape, strict=True)):
        return _fault("returns entries that share their memory: whoever changes one changes others")
    return FINE


def _chance(call: Call, witness: Witness, answer: CallResult) -> Finding:
    """The same state of the generators gives the same bits."""
    if torch.equal(answer.direction, call(witness.J, witness.seed)):
        return FINE
    return _fault(
        "differs from call to call with the same seed: it draws elsewhere, or keeps state where no copy reaches"
    )


def _memory(call: Call, witness: Witness, answer: CallResult) -> Finding:
    """After other matrices, of this shape and another, one object gives of J what it gave first."""
    J, seed = witness.J, witness.seed
    m, n = J.shape
    one = call.on_one_copy()
    first = one.answer(J, seed)
    for round_ in range(1, (witness.rounds or 1) + 1):
        for other in (integer_matrix(m, n), integer_matrix(m + 1, n + 1)):
            try:
                one(other, seed)
            except MisbehaviourError as error:
                if _answers(call, other, seed):
                    shape = tuple(other.shape)
                    return _fault(f"{KEEPS_STATE}: after A(J), a matrix of shape {shape} {error.what}: {error}")
        if not torch.equal(first.returned.detach().to(torch.float64), first.direction):
            return _fault("returns memory that its next calls overwrite")
        try:
            again = one(J, seed)
        except MisbehaviourError as error:
            return _fault(f"{KEEPS_STATE}: {_times(round_)}, A(J) {error.what}: {error}")
        if not torch.equal(again, answer.direction):
            return _fault(
                f"{KEEPS_STATE}: A(J) = {answer.direction.tolist()}, {_times(round_)}, {again.tolist()}"
            )
    return FINE


def _answers(call: Call, J: Tensor, seed: int) -> bool:
    try:
        call(J, seed)
    except MisbehaviourError:
        return False
    return True


def _times(rounds: int) -> str:
    return "after calls of two other matrices" + (f" and of J, {rounds} times" if rounds > 1 else "")


def _strided(given: Tensor) -> Tensor:
    return torch.stack([given, -given], -1)[..., 0]


def _transposed(given: Tensor) -> Tensor:
    return given.mT.contiguous().mT


def _read_only(given: Tensor) -> Tensor:
    _warned_of_read_only()
    return torch.frombuffer(given.numpy().tobytes(), dtype=given.dtype).reshape(given.shape)


@functools.cache
def _warned_of_read_only() -> None:
    # Torch says once in a process that it hinders nobody from writing; who writes is what is looked at here.
    with warnings.catch_warnings(action="ignore"):
        torch.frombuffer(b"0", dtype=torch.uint8)


LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    "strided": _strided,
    "transposed": _transposed,
    "read-only": _read_only,
}

EXPANDED: dict[str, Callable[[Tensor], Tensor]] = {
    "an expanded row": lambda given: given[:1].expand_as(given),
    "an expanded column": lambda given: given[:, :1].expand_as(given),
}


def _layouts(call: Call, witness: Witness, answer: CallResult) -> Finding:
    """How J lies in memory does not matter, nor that it may not be written."""
    found = [_same(call, witness, answer, f"a {name} input", lay) for name, lay in LAYOUTS.items()]
    found += [_expanded(call, witness, name, lay) for name, lay in EXPANDED.items()]
    violated = [finding for finding in found if finding.violated]
    return violated[0] if violated else min(found, key=lambda finding: finding.margin)


def _expanded(call: Call, witness: Witness, name: str, lay: Callable[[Tensor], Tensor]) -> Finding:
    """A matrix of equal rows or columns that lie in the same memory has a direction, if there is any of it."""
    lines = lay(witness.J).contiguous()
    try:
        call(lines, witness.seed)
    except MisbehaviourError:
        return FINE  # its rows depend on each other: a class of their own asks for those
    try:
        return _fault(f"writes into {name}") if call.answer(lines, witness.seed, lay=lay).written else FINE
    except MisbehaviourError as error:
        return _fault(f"of {name}: {error.what}: {error}")


def _same(
    call: Call, witness: Witness, answer: CallResult, what: str, lay: Callable[[Tensor], Tensor]
) -> Finding:
    J = witness.J
    try:
        other = call.answer(J, witness.seed, lay=lay)
    except MisbehaviourError as error:
        return _fault(f"of {what}: {error.what}: {error}")
    if other.written:
        return _fault(f"writes into {what}")
    if not is_regular(J):
        return FINE  # sums in another order may be to the other side of a jump
    tolerance = tolerances.regular(J, answer.direction, J, other.direction, call.dtype)
    margin = float(predicates.equal(other.direction, answer.direction))
    return Finding(margin, tolerance, f"gives another direction of {what}")


def _differentiable(call: Call, witness: Witness, answer: CallResult) -> Finding:
    """A J that requires grad is refused, or gives the same direction."""
    raised = False
    try:
        call.answer(witness.J, witness.seed, lay=Tensor.requires_grad_)
    except MisbehaviourError as error:
        raised = error.what == "raises"
        if not raised:
            return _fault(f"of an input that requires grad: {error.what}: {error}")
    if raised:
        return FINE
    return _same(call, witness, answer, "an input that requires grad", Tensor.requires_grad_)


def _batch(call: Call, witness: Witness, answer: CallResult) -> Finding:
    """A batch gives the same as its members, if batches are promised and nothing is drawn."""
    if not isinstance(call.aggregator, Aggregator) or call.aggregator.random:
        return FINE
    J = witness.J
    members = torch.stack([J, J.flip(0)])
    alone = torch.stack([answer.direction, call(members[1], witness.seed)])
    errors = -predicates.distance(J, call(members, witness.seed), alone)
    tolerance = 2 * tolerances.direction(J, answer.direction, call.dtype)
    return Finding(float(errors.min()), tolerance, "gives another direction in a batch")
