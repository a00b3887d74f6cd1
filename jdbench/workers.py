"""Processes that calls are handed to: one that ends fails the call it was at, says how, and is replaced."""

import contextlib
import os
import pickle
import signal
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from multiprocessing import connection, get_context, parent_process
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

import torch

from jdbench.errors import ProcessEndedError
from jdbench.exits import how_it_ended, survived

P = ParamSpec("P")
R = TypeVar("R")

LOOK_AGAIN = 1.0
"""Seconds between two looks at whether a process lives: what it forked may keep its pipe open."""


class Workers(Executor):
    """An executor of concurrent.futures whose processes may end: the call then raises `ProcessEndedError`.

    The pool of the standard library breaks as a whole there, and cannot say which call ended the process.
    """

    def __init__(self, count: int, prepare: Callable[[], object] | None = None) -> None:
        """Start nothing yet: a process starts with its first call, and calls ``prepare`` before it."""
        self._prepare = prepare
        self._threads = ThreadPoolExecutor(count)
        self._own = threading.local()
        self._lock = threading.Lock()
        self._living: list[_Worker] = []
        self._closed = False

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Schedule a call and return its future; function, arguments and result are pickled."""
        return self._threads.submit(self._call, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end: once the calls have been done, or without those that are cancelled."""
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
        if wait:
            self._end(_Worker.close)
        else:
            threading.Thread(target=self.shutdown).start()

    def kill(self) -> None:
        """Kill the processes, whatever they are at, and do no more calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._end(_Worker.kill)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the processes end when the calls have been done, or at once where an error ends the block."""
        if kind is None:
            self.shutdown()
        else:
            self.kill()

    def _end(self, how: Callable[["_Worker"], None]) -> None:
        with self._lock:
            self._closed = True
            for worker in self._living:
                how(worker)
            self._living.clear()

    def _call(self, fn: Callable[..., R], args: tuple[Any, ...], kwargs: dict[str, Any]) -> R:
        worker: _Worker | None = getattr(self._own, "worker", None)
        call = pickle.dumps((fn, args, kwargs))
        if worker is None or not worker.process.is_alive():
            with self._lock:
                if self._closed:
                    raise ProcessEndedError("killed before it began")
                self._own.worker = worker = _Worker(self._prepare)
                self._living.append(worker)
        try:
            result = worker.call(call)
        except ProcessEndedError:
            self._own.worker = None
            with self._lock, contextlib.suppress(ValueError):
                self._living.remove(worker)
            raise
        error, value = pickle.loads(result)
        if error is not None:
            raise error
        return value


class _Worker:
    """A process and the pipe to it."""

    def __init__(self, prepare: Callable[[], object] | None) -> None:
        context = get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_serve, args=(theirs, prepare))
        self.process.start()
        theirs.close()

    def call(self, call: bytes) -> bytes:
        with contextlib.suppress(OSError, EOFError):
            self.pipe.send_bytes(call)
            while not connection.wait([self.pipe, self.process.sentinel], LOOK_AGAIN):
                if self.process.exitcode is not None:
                    break
            if self.pipe.poll():  # also what it sent before it ended
                return self.pipe.recv_bytes()
        self.process.join()
        self.pipe.close()
        until = time.monotonic() + LOOK_AGAIN
        while self.process.exitcode is None and time.monotonic() < until:
            time.sleep(0.01)  # another thread is just being told
        raise ProcessEndedError(f"its process ended with {how_it_ended(self.process.exitcode)}")

    def close(self) -> None:
        self.pipe.close()
        self.process.join()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _serve(pipe: connection.Connection, prepare: Callable[[], object] | None) -> None:
    # Ctrl-C goes to the whole process group; the parent alone decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    if prepare is not None:
        prepare()
    while True:
        try:
            call = pipe.recv_bytes()
        except (EOFError, OSError):
            return
        pipe.send_bytes(_answer(call))


def _answer(call: bytes) -> bytes:
    try:
        with survived():
            fn, args, kwargs = pickle.loads(call)
            # Not by the pipe itself: torch would send tensors as open files, of which there are not so many.
            return pickle.dumps((None, fn(*args, **kwargs)))
    except BaseException as error:
        error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(answer := pickle.dumps((error, None)))
        except Exception:
            answer = pickle.dumps((RuntimeError(f"{type(error).__name__}: {error}"), None))
        return answer


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)


def local_executor(workers: int) -> Workers:
    """Return processes of one torch thread each, which end with this one, killed or not.

    A call that ends its process raises `jdbench.errors.ProcessEndedError`; the others go on.
    """
    return Workers(workers, _one_thread)


def _one_thread() -> None:
    torch.set_num_threads(1)
