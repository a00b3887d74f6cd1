"""One guarded call of an aggregator under test: what it raises, how long it takes, what it leaves behind."""

import contextlib
import signal
import threading
from collections.abc import Generator
from dataclasses import dataclass
from types import FrameType

import torch
from torch import Tensor

from jdbench.aggregator import Aggregator, AnyAggregator, global_generators
from jdbench.errors import ProcessEndedError
from jdbench.exits import survived

FIRST_LIMIT = 60.0
"""Seconds that the first call may take: it may compile."""


class MisbehaviourError(Exception):
    """The aggregator raised, exited, hung, changed its input or returned something that is no direction.

    Attributes:
        what: The hygiene that it broke: ``raises``, ``exits``, ``hangs``, ``shape``, ``input`` or ``finite``.
    """

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


class _OutOfTimeError(BaseException):
    """No `Exception`: an aggregator that catches all of those must not swallow it."""


@dataclass(frozen=True)
class Call:
    """An aggregator ready to be called on float64 matrices that are exact in a dtype.

    It gets the very tensor that is looked at afterwards, and its answer is not converted: what it does to its
    input, and in which dtype it answers, is seen.

    Attributes:
        aggregator: What is called.
        dtype: The dtype in which it gets its matrices, float32 or float64.
        limit: Seconds that a call may take; only the main thread can end one.
    """

    aggregator: AnyAggregator
    dtype: torch.dtype = torch.float64
    limit: float = 10.0

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
        given = J.to(self.dtype, copy=True)
        kept = given.clone()
        try:
            with survived(_OutOfTimeError), _time_limit(self.limit):
                a = self._answer(given, torch.Generator().manual_seed(seed))
        except _OutOfTimeError:
            raise MisbehaviourError("hangs", f"took more than {self.limit:g} s") from None
        except ProcessEndedError as error:
            raise MisbehaviourError("exits", str(error)) from error
        except Exception as error:
            raise MisbehaviourError("raises", f"{type(error).__name__}: {error}") from error
        if not torch.equal(given, kept):
            raise MisbehaviourError("input", "changed its input")
        shape = (*J.shape[:-2], J.shape[-1])
        if not isinstance(a, Tensor):
            raise MisbehaviourError("shape", f"returned {type(a).__name__}, required a tensor of shape {shape}")
        if a.shape != shape or a.dtype != self.dtype:
            raise MisbehaviourError(
                "shape", f"returned {a.dtype} of shape {tuple(a.shape)}, required {self.dtype} of {shape}"
            )
        a = a.detach()
        if not bool(torch.isfinite(a).all()):
            raise MisbehaviourError("finite", "returned NaN or infinity for a finite matrix")
        return a.to(torch.float64)

    def warm_up(self) -> None:
        """Let a first call compile what it must, within `FIRST_LIMIT`; whatever else comes of it is ignored."""
        patient = Call(self.aggregator, self.dtype, self.limit + FIRST_LIMIT)
        with contextlib.suppress(MisbehaviourError):
            patient(torch.tensor([[1.0, 0.0], [-1.0, 1.0], [-1.0, -2.0]], dtype=torch.float64))

    def _answer(self, given: Tensor, generator: torch.Generator) -> object:
        if isinstance(self.aggregator, Aggregator):
            return self.aggregator(given, generator=generator)
        with global_generators(generator):
            return self.aggregator(given)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise _OutOfTimeError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
