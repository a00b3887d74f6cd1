"""A limit on the time that a block takes, whose clock stands still while kernels are compiled."""

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

from numba.core import event

COMPILE_LIMIT = 600.0
"""Seconds that one compilation may take."""


class OutOfTimeError(BaseException):
    """No `Exception`: an aggregator that catches all of those must not swallow it."""


class _Clock:
    """The time that is left; compilations may be nested."""

    def __init__(self, seconds: float) -> None:
        self._left = seconds
        self._compilations = 0

    def start(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self._left)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)

    def compiling(self, *_: Any) -> None:
        self._compilations += 1
        if self._compilations == 1:
            # Never 0, which would let the alarm go that is about to ring.
            self._left = max(signal.setitimer(signal.ITIMER_REAL, COMPILE_LIMIT)[0], 1e-3)

    def compiled(self, *_: Any) -> None:
        self._compilations -= 1
        if self._compilations == 0:
            self.start()


class _Listener(event.Listener):
    """Numba's compilations, those of its own overloads included."""

    def __init__(self, clock: _Clock) -> None:
        self._clock = clock

    def on_start(self, event: event.Event) -> None:  # noqa: ARG002
        self._clock.compiling()

    def on_end(self, event: event.Event) -> None:  # noqa: ARG002
        self._clock.compiled()


@contextlib.contextmanager
def time_limit(seconds: float) -> Generator[None]:
    """End a block that takes longer than a limit in seconds.

    While numba or `torch.compile` compile the clock stands still, but for `COMPILE_LIMIT`. Only the main thread
    can end a block; in any other it runs on.

    Raises:
        OutOfTimeError: From within the block, when its time is up.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        raise OutOfTimeError

    clock = _Clock(seconds)
    before = signal.signal(signal.SIGALRM, ring)
    try:
        with event.install_listener("numba:compile", _Listener(clock)), _torch_compilations(clock):
            clock.start()
            try:
                yield
            finally:
                clock.stop()
    finally:
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _torch_compilations(clock: _Clock) -> Generator[None]:
    # Whoever compiles by torch has imported this; importing it for others would take seconds.
    module = sys.modules.get("torch._dynamo.callback")
    if module is None:
        yield
        return
    handler = module.callback_handler
    pairs: list[tuple[Callable[..., object], Callable[..., object], Callable[..., object]]] = [
        (handler.register_start_callback, handler.remove_start_callback, clock.compiling),
        (handler.register_end_callback, handler.remove_end_callback, clock.compiled),
    ]
    for register, _, callback in pairs:
        register(callback)
    try:
        yield
    finally:
        for _, remove, callback in pairs:
            remove(callback)
