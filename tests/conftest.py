"""What every run of pytest within a test needs."""

import numba
import pytest


@pytest.fixture(scope="session")
def all_of_numba() -> None:
    """Numba with the modules that it imports when it first compiles, and cannot import twice."""
    numba.njit(lambda: None)()


@pytest.fixture
def pytester(all_of_numba: None, pytester: pytest.Pytester) -> pytest.Pytester:  # noqa: ARG001
    """Pytester, which after a test forgets every module that was imported since it was made."""
    return pytester
