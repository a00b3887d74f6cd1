"""One guarded call of an aggregator under test: what it raises, how long it takes, what it leaves behind."""

import contextlib
import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, AnyAggregator, global_generators
from jdbench.errors import ProcessEndedError
from jdbench.exits import survived
from jdbench.verification.clock import OutOfTimeError, time_limit
from jdbench.verification.global_state import ITEMS, Change, kept, read_state

FIRST_LIMIT = 60.0
"""Seconds more that calls may take before the search: they import, and compile by means that nobody watches."""

FIRST_SHAPES = ((3, 2), (1, 1), (2, 5), (9, 3))
"""Of the matrices with which an aggregator is called before the search: tall, a number, wide, many rows."""

LONGEST_MESSAGE = 2000
"""Letters of an exception that are kept."""

DRAWN = tuple(item for item in ITEMS if item.draws)
"""The global generators."""


class MisbehaviourError(Exception):
    """The aggregator raised, exited, hung, changed its input or returned something that is no direction.

    Attributes:
        what: The hygiene that it broke: ``raises``, ``exits``, ``hangs``, ``shape``, ``input`` or ``finite``.
    """

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


@dataclass(frozen=True)
class CallResult:
    """What came of a call.

    Attributes:
        direction: A(J) in float64, detached, in memory of its own.
        returned: The very tensor that the aggregator returned.
        given: The very tensor that it got.
        written: Whether it wrote into what it got, be it the same numbers.
        changes: What it left changed in the process; all is put back by now.
        drawn: States of the global generators after the call, for a callable that is no `Aggregator`.
    """

    direction: Tensor
    returned: Tensor
    given: Tensor
    written: bool
    changes: tuple[Change, ...]
    drawn: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Call:
    """An aggregator ready to be called on float64 matrices that are exact in a dtype.

    It gets the very tensor that is looked at afterwards, and its answer is not converted: what it does to its
    input, and in which dtype it answers, is seen. What it leaves changed in the process is put back. Every call
    goes to a copy of the aggregator as it was given, so that what is found is true of the function of J that a
    new one is, whatever it keeps; what a function keeps in its module or closure Python cannot copy.

    Attributes:
        aggregator: What is called.
        dtype: The dtype in which it gets its matrices, float32 or float64.
        limit: Seconds that a call may take, compilation not counted; only the main thread can end one.
        copies: Whether each call goes to a copy of its own; otherwise all go to the aggregator itself.
    """

    aggregator: AnyAggregator
    dtype: torch.dtype = torch.float64
    limit: float = 10.0
    copies: bool = field(default=True, kw_only=True)

    def __call__(self, J: Tensor, seed: int = 0) -> Tensor:
        """Return A(J) in float64.

        Args:
            J: Matrix, shape ``[m, n]``, or for an `Aggregator` a batch of them, float64, exact in the dtype.
            seed: State of the generator; the same seed draws the same.

        Returns:
            Direction, shape ``[n]``, or a batch of them, float64.

        Raises:
            MisbehaviourError: The call did not end in a finite direction of the right shape and dtype.
        """
        return self.answer(J, seed).direction

    def answer(self, J: Tensor, seed: int = 0, lay: Callable[[Tensor], Tensor] | None = None) -> CallResult:
        """Return A(J) with all that can be seen of the call.

        Args:
            J: As of a call.
            seed: As of a call.
            lay: Puts the matrix, in its dtype, into a tensor of another layout; it holds the same numbers.

        Returns:
            The answer.

        Raises:
            MisbehaviourError: The call did not end in a finite direction of the right shape and dtype.
        """
        aggregator = _copied(self.aggregator) if self.copies else self.aggregator
        given = J.to(self.dtype, copy=True)
        given = given if lay is None else lay(given)
        before, requires_grad, version = given.detach().clone(), given.requires_grad, _version(given)
        drawn: list[Any] = []
        generator = torch.Generator().manual_seed(seed)
        with kept() as changes:
            try:
                with survived(OutOfTimeError), time_limit(self.limit):
                    a = _answer(aggregator, given, generator, drawn)
            except OutOfTimeError:
                raise MisbehaviourError("hangs", f"took more than {self.limit:g} s") from None
            except ProcessEndedError as error:
                raise MisbehaviourError("exits", _printable(str(error))) from error
            except Exception as error:
                raise MisbehaviourError("raises", _said(error)) from error
        if not torch.equal(given.detach(), before) or given.requires_grad != requires_grad:
            raise MisbehaviourError("input", "changed its input")
        if given.grad is not None:
            raise MisbehaviourError("input", "left a gradient at its input")
        direction = self._judged(a, (*J.shape[:-2], J.shape[-1]), given.device)
        return CallResult(direction, a, given, _version(given) != version, tuple(changes), tuple(drawn))

    def on_one_copy(self) -> "Call":
        """Return one whose calls all go to the same copy of the aggregator, as it was given."""
        return replace(self, aggregator=_copied(self.aggregator), copies=False)

    def warm_up(self) -> None:
        """Let first calls import and compile what they must; whatever else comes of them is ignored.

        A copy for each shape is called, within `FIRST_LIMIT` more than a call may take, until one hangs.
        """
        patient = replace(self, limit=self.limit + FIRST_LIMIT)
        for shape in FIRST_SHAPES:
            try:
                patient(integer_matrix(*shape))
            except MisbehaviourError as error:
                if error.what == "hangs":
                    return

    def _judged(self, a: Any, shape: tuple[int, ...], device: torch.device) -> Tensor:
        if not isinstance(a, Tensor):
            raise MisbehaviourError("shape", f"returned {type(a).__name__}, required a tensor of shape {shape}")
        required = f"required {self.dtype} of {shape}"
        try:
            if a.shape != shape or a.dtype != self.dtype:
                raise MisbehaviourError("shape", f"returned {a.dtype} of shape {tuple(a.shape)}, {required}")
            if a.device != device or a.layout != torch.strided:
                raise MisbehaviourError("shape", f"returned {a.layout} on {a.device}, {required} on {device}")
            direction = a.detach().to(torch.float64, copy=True)
            finite = bool(torch.isfinite(direction).all())
        except (RuntimeError, TypeError) as error:
            raise MisbehaviourError("shape", f"returned {type(a).__name__}, {required}: {error}") from error
        if not finite:
            raise MisbehaviourError("finite", "returned NaN or infinity for a finite matrix")
        return direction


def integer_matrix(m: int, n: int) -> Tensor:
    """Return a matrix of small integers that depend on its shape alone, shape ``[m, n]``, float64."""
    i, j = torch.arange(m, dtype=torch.float64), torch.arange(n, dtype=torch.float64)
    return (3 * i.unsqueeze(-1) + 5 * j + i.unsqueeze(-1) * j + 1) % 7 - 3


def _answer(aggregator: AnyAggregator, given: Tensor, generator: torch.Generator, drawn: list[Any]) -> Any:
    if isinstance(aggregator, Aggregator):
        return aggregator(given, generator=generator)
    with global_generators(generator):
        a = aggregator(given)
        drawn += read_state(DRAWN)
        return a


def _said(error: Exception) -> str:
    try:
        return _printable(f"{type(error).__name__}: {error}")
    except Exception:
        return f"{type(error).__name__}, whose message raises as well"


def _printable(text: str) -> str:
    """Return a message in letters that any file holds, cut where it says more than anybody reads."""
    if len(text) > LONGEST_MESSAGE:
        text = text[:LONGEST_MESSAGE] + "…"
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _copied(aggregator: AnyAggregator) -> AnyAggregator:
    # What cannot be copied is called as it is; hygiene tells what it keeps.
    with contextlib.suppress(Exception), survived():
        return copy.deepcopy(aggregator)
    return aggregator


def _version(given: Tensor) -> int:
    # It counts what is written; tensors made in inference mode count nothing.
    return 0 if given.is_inference() else given._version
