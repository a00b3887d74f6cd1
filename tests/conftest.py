"""The command line, pytest and the property suite on a stranger, called within a test's own process."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numba
import pytest
import torch

import jdbench.verification.pytest.options  # noqa: F401  loads torch, which no process can import twice: see `pytester`
from jdbench.aggregator import resolve
from jdbench.cli.main import main
from support.property_suite import PROPERTIES, STRANGER

# Its assertions then say what they compared.
pytest.register_assert_rewrite("support.exact_references")


COMPILED = (("MGDA", "CAGrad", "NashMTL"), ("DualProj",))
"""Aggregators that call every kernel between them, in two parts that take as long where nothing is cached."""


@pytest.fixture(scope="session", autouse=True)
def kernels_compiled_in_turns(request: pytest.FixtureRequest) -> None:
    """Let each worker of pytest-xdist compile a part of the kernels: else every one compiles them all."""
    worker = getattr(request.config, "workerinput", None)
    if worker is not None:
        for name in dict(enumerate(COMPILED)).get(int(worker["workerid"].removeprefix("gw")), ()):
            resolve(name).aggregator(torch.tensor([[1.0, 0.0], [-0.5, 1.0]], dtype=torch.float64))


@pytest.fixture(name="jdbench")
def command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Call the command line in a folder of its own, without the seconds in which a fresh process imports torch.

    Modules of folders of tests are forgotten before and afterwards: other tests import others of these names.
    """
    forget_modules(tmp_path.parent)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["jdbench", *words])
        with pytest.raises(SystemExit) as end:
            main()
        return subprocess.CompletedProcess(words, end.value.code or 0, *capsys.readouterr())

    yield call
    forget_modules(tmp_path)


def forget_modules(folder: Path) -> None:
    """Forget what was imported from a folder."""
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def all_of_numba() -> None:
    """Numba with the modules that it imports when it first compiles, and cannot import twice."""
    numba.njit(lambda: None)()


@pytest.fixture
def pytester(all_of_numba: None, pytester: pytest.Pytester) -> pytest.Pytester:  # noqa: ARG001
    """Pytester, which after a test forgets every module that was imported since it was made."""
    return pytester


@pytest.fixture
def folder(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delitem(sys.modules, "stranger", raising=False)  # other tests import others of that name
    pytester.makepyfile(stranger=STRANGER)
    return pytester.path


@pytest.fixture
def suite(pytester: pytest.Pytester, folder: Path):
    """Run the suite in this process, with a file of expected failures if there are entries."""

    def run(*options: str, entries: str = "", aggregator: str = "stranger:agg") -> pytest.RunResult:
        (folder / "expected.toml").write_text(entries)
        given = ["--expected-failures", "expected.toml"] if entries else []
        return pytester.runpytest_inprocess(*PROPERTIES, "--aggregator", aggregator, *given, *options)

    return run
