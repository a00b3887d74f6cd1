"""Calls of others' code that may end the process: such an end becomes an error, where Python can see it.

``exit()``, ``os._exit()`` and a KeyboardInterrupt that nobody's Ctrl-C caused would end a command that judges,
with a code of their choice, 0 among them. What no handler sees (SIGKILL, a segmentation fault, ``exit`` of the
C library) takes a process of its own: see `jdbench.workers` and `ending_of`.
"""

import contextlib
import os
import select
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from types import FrameType
from typing import NoReturn

from jdbench.errors import ProcessEndedError


class _ExitError(BaseException):
    """No `Exception`: code that catches all of those does not get the process back by it."""


@contextlib.contextmanager
def survived(*passing: type[BaseException]) -> Generator[None]:
    """Raise what would end the process as a `ProcessEndedError`; a user's Ctrl-C and errors stay what they are.

    Args:
        passing: What else stays what it is, though it is no `Exception`.

    Yields:
        Nothing.

    Raises:
        ProcessEndedError: What was run raised something that is no `Exception`, or called ``os._exit``.
        KeyboardInterrupt: The user pressed Ctrl-C, whatever became of it within.
    """
    with _interrupts() as pressed, _no_exit():
        try:
            yield
        except Exception:
            if pressed:
                raise KeyboardInterrupt from None
            raise
        except BaseException as error:
            if isinstance(error, passing) or (isinstance(error, KeyboardInterrupt) and pressed):
                raise
            said = "" if isinstance(error, _ExitError) else f"{type(error).__name__}: "
            said += "" if error.args in ((), (None,)) else str(error)  # exit() has the code None
            raise ProcessEndedError(said.removesuffix(": ")) from error
    if pressed:
        raise KeyboardInterrupt


def how_it_ended(code: int | None) -> str:
    """Return how a process ended, in words, such as ``exit code 0`` or ``signal 11 (SIGSEGV)``.

    The code is that of its exit, or minus the number of the signal that killed it.
    """
    if code is None or code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-code).name
        return f"signal {-code} ({name}{', out of memory?' if name == 'SIGKILL' else ''})"
    return f"signal {-code}"


def ending_of(call: Callable[[], object], limit: float) -> str:
    """Return how a process that does nothing but one call ends, as of `how_it_ended`, if the call ends it.

    The process is a fork of this one, which thereby stays what it was. It is only tried on Linux: elsewhere a
    fork may not use the system's libraries. The answer is empty where the call came back, whatever it raised,
    took longer than the limit in seconds, or was not tried.
    """
    if not sys.platform.startswith("linux"):
        return ""
    receiver, sender = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there are threads: the child begins none, and may be given up
        child = os.fork()
    if child == 0:
        _call_and_tell(call, sender)
    os.close(sender)
    ended = False
    try:
        answered, _, _ = select.select([receiver], [], [], limit)
        ended = bool(answered) and not os.read(receiver, 1)
    finally:
        os.close(receiver)
        if not ended:
            os.kill(child, signal.SIGKILL)
        try:
            _, status = os.waitpid(child, 0)
        except ChildProcessError:  # somebody else waits for all children
            ended, status = False, 0
    return how_it_ended(os.waitstatus_to_exitcode(status)) if ended else ""


def _call_and_tell(call: Callable[[], object], sender: int) -> NoReturn:
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)  # what it prints, it prints in the call that is judged
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        sys.stdout = sys.stderr = os.fdopen(nowhere, "w")
        with contextlib.suppress(BaseException), survived():
            call()
        os.write(sender, b".")
    finally:
        os._exit(0)


@contextlib.contextmanager
def _interrupts() -> Generator[list[int]]:
    """Note each SIGINT while the handler in charge goes on handling it."""
    pressed: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield pressed  # no Ctrl-C is raised here
        return
    handler = before

    def note(number: int, frame: FrameType | None) -> None:
        pressed.append(number)
        handler(number, frame)

    signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def _no_exit() -> Generator[None]:
    """Let ``os._exit`` raise in this thread; other threads, and what is forked, may end as they like."""
    thread = threading.get_ident()
    with _lock:
        _guarded.append(thread)
        if len(_guarded) == 1:
            _exits.append((os._exit, os.getpid()))
            os._exit = _refuse
    try:
        yield
    finally:
        with _lock:
            _guarded.remove(thread)
            if not _guarded:
                os._exit, _ = _exits.pop()


def _refuse(status: int) -> NoReturn:
    exit_, here = _exits[-1]
    if os.getpid() == here and threading.get_ident() in _guarded:
        raise _ExitError(f"os._exit({status})")
    exit_(status)


_lock = threading.Lock()
_guarded: list[int] = []
_exits: list[tuple[Callable[[int], NoReturn], int]] = []
