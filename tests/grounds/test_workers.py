"""Calls in other processes: results and errors come back, and a process that ends takes one call with it."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from jdbench.errors import InputError, ProcessEndedError
from jdbench.workers import Workers


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1) as pool:
        yield pool


def forks_and_leaves() -> None:
    """What is forked keeps every pipe open for longer than anybody waits."""
    if os.fork() == 0:
        time.sleep(20)
        os._exit(0)
    kills()


def leaves_in_c() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def kills() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def gives(value: object) -> object:
    return value


def raises_input_error() -> None:
    raise InputError("c=-1, required more")


def raises_what_does_not_travel() -> None:
    class Own(Exception):  # noqa: N818
        pass

    raise Own("hello")


def gives_what_does_not_travel() -> Callable[[], None]:
    return lambda: None


def interrupts() -> None:
    raise KeyboardInterrupt


def sends_ctrl_c() -> int:
    os.kill(os.getpid(), signal.SIGINT)
    return 1


def test_results_and_errors_come_back_from_another_process(workers: Workers) -> None:
    assert workers.submit(gives, [1, "two"]).result(60) == [1, "two"]
    assert workers.submit(os.getpid).result(60) != os.getpid()
    with pytest.raises(InputError, match="c=-1, required more"):
        workers.submit(raises_input_error).result(60)
    with pytest.raises(RuntimeError, match="Own: hello"):
        workers.submit(raises_what_does_not_travel).result(60)
    with pytest.raises(Exception, match="pickle"):
        workers.submit(gives_what_does_not_travel).result(60)
    with pytest.raises(Exception, match="pickle"):
        workers.submit(lambda: None).result(60)
    assert workers.submit(sends_ctrl_c).result(60) == 1  # the parent alone decides on Ctrl-C


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (kills, "its process ended with signal 9 (SIGKILL, out of memory?)"),
        (leaves_in_c, "its process ended with signal 11 (SIGSEGV)"),
        (forks_and_leaves, "its process ended with signal 9 (SIGKILL, out of memory?)"),
        (sys.exit, "SystemExit"),
        (interrupts, "KeyboardInterrupt"),
    ],
)
def test_a_process_that_ends_takes_one_call_with_it(
    workers: Workers, call: Callable[[], None], message: str
) -> None:
    before, ended, after = (workers.submit(c) for c in (os.getpid, call, os.getpid))
    with pytest.raises(ProcessEndedError) as caught:
        ended.result(15)
    assert str(caught.value) == message
    assert before.result(15) != os.getpid() != after.result(60)


def test_killed_workers_do_no_more_and_leave_nothing_behind() -> None:
    pool = Workers(2)
    pids = [pool.submit(os.getpid) for _ in range(2)]
    alive = [future.result(60) for future in pids]
    hanging = [pool.submit(time.sleep, 600) for _ in range(4)]
    pool.kill()
    begun = time.monotonic()
    for future in hanging:
        assert future.cancelled() or isinstance(future.exception(30), ProcessEndedError)
    assert time.monotonic() - begun < 30
    for pid in set(alive):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        else:
            pytest.fail(f"{pid} lives")
    with pytest.raises(RuntimeError):
        pool.submit(os.getpid)


def test_shutting_down_without_waiting_lets_calls_end() -> None:
    pool = Workers(1)
    future = pool.submit(gives, 1)
    pool.shutdown(wait=False)
    assert future.result(60) == 1
    deadline = time.monotonic() + 30
    while pool._living and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not pool._living


def test_ctrl_c_within_the_block_waits_for_no_call() -> None:
    begin = time.monotonic()

    def interrupted() -> None:
        with Workers(1) as pool:
            pool.submit(gives, 1).result()  # the process is there
            for _ in range(3):
                pool.submit(time.sleep, 60)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert time.monotonic() - begin < 60
