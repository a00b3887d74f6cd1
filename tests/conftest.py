"""What every run of pytest within a test needs, and the property suite run so on a stranger's aggregators."""

import sys
from pathlib import Path

import numba
import pytest

import jdbench.verification.pytest.options  # noqa: F401  loads torch, which no process can import twice: see `pytester`
from support.property_suite import PROPERTIES, STRANGER

# Its assertions then say what they compared.
pytest.register_assert_rewrite("support.exact_references")


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
