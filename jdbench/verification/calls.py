"""One guarded call of an aggregator under test: what it raises, how long it takes, what it leaves behind."""

import contextlib
import signal
import threading
from collections.abc import Generator
from dataclasses import dataclass
from types import FrameType

import torch
from torch import Tensor

from jdbench.aggregator import AnyAggregator, aggregate


class MisbehaviourError(Exception):
    """The aggregator raised, hung, changed its input or returned something that is no direction.

    Attributes:
        what: The hygiene that it broke: ``raises``, ``hangs``, ``shape``, ``input`` or ``finite``.
    """

    def __init__(self, what: str, message: str) -> None:
        super().__init__(message)
        self.what = what


@dataclass(frozen=True)
class Call:
    """An aggregator ready to be called on float64 matrices that are exact in a dtype.

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
            J: Matrix, shape ``[m, n]``, float64, exact in the dtype.
            seed: State of the generator; the same seed draws the same.

        Returns:
            Direction, shape ``[n]``, float64.

        Raises:
            MisbehaviourError: The call did not end in a finite direction of the right shape and dtype.
        """
        given = J.to(self.dtype)
        kept = given.clone()
        try:
            with _time_limit(self.limit):
                a = aggregate(self.aggregator, given, generator=torch.Generator().manual_seed(seed))
        except TimeoutError:
            raise MisbehaviourError("hangs", f"took more than {self.limit:g} s") from None
        except Exception as error:
            raise MisbehaviourError("raises", f"{type(error).__name__}: {error}") from error
        if not torch.equal(given, kept):
            raise MisbehaviourError("input", "changed its input")
        if a.shape != J.shape[1:] or a.dtype != self.dtype:
            raise MisbehaviourError(
                "shape",
                f"returned {a.dtype} of shape {tuple(a.shape)}, required {self.dtype} of {tuple(J.shape[1:])}",
            )
        if not bool(torch.isfinite(a).all()):
            raise MisbehaviourError("finite", "returned NaN or infinity for a finite matrix")
        return a.to(torch.float64)


@contextlib.contextmanager
def _time_limit(seconds: float) -> Generator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
