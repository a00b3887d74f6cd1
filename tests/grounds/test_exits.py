"""Code that ends the process which calls it: an error where Python sees it, and told by a fork where not."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import resolve
from jdbench.errors import InputError, ProcessEndedError
from jdbench.exits import ending_of, how_it_ended, survived
from jdbench.problem_checks import check_problem
from jdbench.problems.quadratic import ElementWiseQuadratic
from jdbench.verification.calls import Call, MisbehaviourError


class StrangerError(BaseException):
    """Neither an `Exception` nor one of Python's own."""


def raises(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


ENDS = {
    "SystemExit": sys.exit,
    "SystemExit: solver failed": lambda: sys.exit("solver failed"),
    "SystemExit: 0": lambda: sys.exit(0),
    "os._exit(0)": lambda: os._exit(0),
    "KeyboardInterrupt": raises(KeyboardInterrupt()),
    "GeneratorExit": raises(GeneratorExit()),
    "StrangerError: mine": raises(StrangerError("mine")),
    "Skipped: not here": lambda: pytest.skip("not here"),
}


@pytest.mark.parametrize("said", ENDS)
def test_what_would_end_the_process_is_an_error_that_says_how(said: str) -> None:
    before = os._exit, signal.getsignal(signal.SIGINT)
    with pytest.raises(ProcessEndedError) as caught, survived():
        ENDS[said]()
    assert str(caught.value) == said
    assert (os._exit, signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("error", [RuntimeError("no"), StopIteration(), MemoryError()], ids=repr)
def test_errors_stay_what_they_are(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, survived():
        raise error
    assert caught.value is error


def test_what_is_named_passes() -> None:
    with pytest.raises(StrangerError), survived(StrangerError):
        raise StrangerError


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def press_unheard() -> None:
    try:
        press()
    except BaseException:
        return


def press_misheard() -> None:
    try:
        press()
    except BaseException as error:
        raise RuntimeError("what was that?") from error


@pytest.mark.parametrize("call", [press, press_unheard, press_misheard])
def test_a_users_ctrl_c_comes_through_whatever_is_made_of_it(call: Callable[[], None]) -> None:
    with pytest.raises(KeyboardInterrupt), survived():
        call()


def test_forks_and_other_threads_may_end_as_they_like() -> None:
    with survived():
        child = os.fork()
        if child == 0:
            os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
    before = os._exit
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with survived():
            inside.set()
            leave.wait(60)

    other = threading.Thread(target=stay)
    other.start()
    inside.wait(60)
    with pytest.raises(ProcessEndedError), survived():
        os._exit(0)
    leave.set()
    other.join()
    assert os._exit is before


def in_a_thread() -> None:
    thread = threading.Thread(target=lambda: os._exit(4))
    thread.start()
    thread.join()


def hang() -> None:
    time.sleep(60)


@pytest.mark.parametrize(
    ("call", "ending"),
    [
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal 9 (SIGKILL, out of memory?)"),
        (lambda: signal.raise_signal(signal.SIGTERM), "signal 15 (SIGTERM)"),
        (lambda: ctypes.CDLL(None).exit(0), "exit code 0"),
        (in_a_thread, "exit code 4"),
        (lambda: 1 / 0, ""),
        (sys.exit, ""),
        (lambda: print("nothing of this is seen"), ""),
        (hang, ""),
    ],
    ids=["killed", "terminated", "exit of C", "a thread exits", "raises", "exits", "prints", "hangs"],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks are tried on Linux alone")
def test_a_fork_tells_how_a_call_ends_it(
    call: Callable[[], object], ending: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    children: list[int] = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: children.append(child := fork()) or child)
    begun = time.monotonic()
    # The end of a process that has imported much may take a while.
    assert ending_of(call, 0.5 if call is hang else 60.0) == ending
    if call is hang:
        assert time.monotonic() - begun < 30
    assert "nothing of this is seen" not in capfd.readouterr().out
    (child,) = children
    with pytest.raises(ChildProcessError):
        os.waitpid(child, os.WNOHANG)  # it is gone


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "exit code 0"), (-11, "signal 11 (SIGSEGV)"), (-63, "signal 63")],
)
def test_endings_in_words(code: int, words: str) -> None:
    assert how_it_ended(code) == words


@pytest.mark.parametrize("said", ENDS)
def test_calls_under_test_are_broken_by_it(said: str) -> None:
    call = Call(lambda J: ENDS[said]() or J.mean(0))
    with pytest.raises(MisbehaviourError) as caught:
        call(torch.eye(2, dtype=torch.float64))
    assert (caught.value.what, str(caught.value)) == ("exits", said)


class LeavesWhenCopied:
    def __deepcopy__(self, memo: object) -> "LeavesWhenCopied":
        sys.exit(0)

    def __call__(self, J: Tensor) -> Tensor:
        return J.mean(0)


def test_one_that_ends_the_process_when_it_is_copied_is_called_as_it_is() -> None:
    call = Call(LeavesWhenCopied())
    J = torch.eye(2, dtype=torch.float64)
    assert torch.equal(call(J), J.mean(0))
    assert torch.equal(call.on_one_copy()(J), J.mean(0))


def test_what_an_exit_says_is_cut_and_printable() -> None:
    with pytest.raises(MisbehaviourError) as caught:
        Call(lambda _: sys.exit("\0" + "x" * 9999))(torch.eye(2, dtype=torch.float64))
    assert str(caught.value).startswith(r"SystemExit: \x00xxx")
    assert len(str(caught.value)) < 2100


LEAVING = ["exit()", "import os; os._exit(0)", "class Leaves:\n    def __init__(self): exit()"]


@pytest.mark.parametrize("source", LEAVING)
def test_modules_and_classes_that_exit_are_bad_input(
    source: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"leaving_{abs(hash(source))}"
    (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"ProcessEndedError: (SystemExit|os\._exit)"):
        resolve(f"{name}:Leaves")


def test_a_problem_that_exits_is_a_finding() -> None:
    class Leaves(ElementWiseQuadratic):
        def objectives(self, x):  # noqa: ARG002
            sys.exit(0)

    found = check_problem(Leaves(), samples=2)
    assert found
    assert "raised ProcessEndedError: SystemExit: 0" in found[0].message
