"""The pytest face of verification: its options, and the tests that `parametrize_with_properties` decorates.

Where jdbench is installed, every run of pytest loads this file, whosever tests it runs. So it imports nothing
but pytest until somebody asks for a verification, its options begin with ``--jdbench-``, and it looks at
nothing in a test module but what our decorator left there. Those in properties/ are made by their own conftest.
"""

import sys
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jdbench.verification.expected_failures import StaleExpectedFailureWarning
    from jdbench.verification.pytest.check import Subject
    from jdbench.verification.pytest.decorator import parametrize_with_properties

__all__ = ["StaleExpectedFailureWarning", "Subject", "parametrize_with_properties"]

HOMES = {
    "StaleExpectedFailureWarning": "jdbench.verification.expected_failures",
    "Subject": "jdbench.verification.pytest.check",
    "parametrize_with_properties": "jdbench.verification.pytest.decorator",
}
"""Where what is imported from here is defined."""

SUITE = "jdbench.properties"
SEED = "jdbench_verification_seed"

PREFIX = "--jdbench-"

OPTIONS: dict[str, dict[str, Any]] = {
    "aggregator": {
        "action": "append",
        "metavar": "SPEC",
        "help": f"in {SUITE}: verify this aggregator (UPGrad, package.module:Name, …) instead of the built-in "
        "ones; repeatable",
    },
    "claims": {
        "metavar": "P,…",
        "help": f"properties claimed for {PREFIX}aggregator, as `jdbench verify --claims` takes them; default: "
        "non-conflicting,linear-under-scaling,weighted; hygiene is always verified",
    },
    "profile": {
        "choices": ["default", "thorough", "nightly"],
        "help": "how long to search: default tries 160 matrices, thorough tries 2000 matrices, nightly tries "
        "20000 matrices for each property and dtype, the same in every run; nightly draws a new seed and says "
        "which",
    },
    "verification-seed": {
        "type": int,
        "metavar": "N",
        "help": f"seed of the search; default: 0, or a new one with {PREFIX}profile nightly",
    },
    "expected-failures": {
        "metavar": "FILE",
        "help": "TOML of [[failure]] tables with aggregator, property, reason and maybe dtype: such failures "
        "are reported as xfailed; an entry that does not fail is warned of",
    },
}
"""The options by their names without the prefix; all of them None where they are not given."""


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(HOMES[name]), name)


def destination(name: str) -> str:
    """Return the attribute of pytest's ``config.option`` that holds the option of a name without prefix."""
    return f"jdbench_{name.replace('-', '_')}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, with their prefix."""
    group = parser.getgroup("jdbench", "verification of aggregators")
    for name, attributes in OPTIONS.items():
        group.addoption(PREFIX + name, dest=destination(name), **attributes)


def add_short_options(parser: pytest.Parser) -> None:
    """Let the options go without their prefix too, but for those whose names another plugin has taken."""
    group = parser.getgroup("jdbench")
    for name, attributes in OPTIONS.items():
        try:
            _, unknown = parser.parse_known_and_unknown_args([f"--{name}"])
        except pytest.UsageError:  # it is known, and wants a value
            continue
        if unknown:
            shorter = {**attributes, "help": f"in {SUITE}: {PREFIX}{name}"}
            group.addoption(f"--{name}", dest=destination(name), **shorter)


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> Any:
    """Add the short options to ``pytest --pyargs jdbench.properties``, whose conftest pytest loads too late.

    Args:
        early_config: Pytest's, with the command line as far as it is known.
        parser: Pytest's, which already knows the options of all plugins and conftests.
        args: The command line.

    Yields:
        To the other implementations.

    Returns:
        What they return.
    """
    loaded = yield
    # Not among the paths that pytest knows by now: older ones take the values of unknown options for paths.
    if early_config.known_args_namespace.pyargs and any(str(arg).startswith(SUITE) for arg in args):
        add_short_options(parser)
    return loaded


def pytest_configure(config: pytest.Config) -> None:
    """Refuse unknown names before anything runs, where any option is given.

    Raises:
        pytest.UsageError: A name is unknown or a file unusable; pytest exits 4 with the line.
    """
    if all(config.getoption(destination(name)) is None for name in OPTIONS):
        return
    from jdbench.errors import InputError
    from jdbench.verification.pytest.options import check_options

    try:
        check_options(config, getattr(config, "workerinput", {}).get(SEED))
    except InputError as error:
        raise pytest.UsageError(" ".join(str(error).split())) from error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker of pytest-xdist, which gets the command line but not what was drawn."""
    node.workerinput[SEED] = node.config.getoption(destination("verification-seed"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return the header lines that say with what a run must be repeated, where it is not what every run has."""
    seed, file = (config.getoption(destination(name)) for name in ("verification-seed", "expected-failures"))
    if seed is None and file is None:
        return []
    from jdbench.verification.pytest.options import header

    return header(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the tests that `parametrize_with_properties` decorates."""
    # Whoever decorates has imported the decorator: without it there is nothing to look for.
    if "jdbench.verification.pytest.decorator" in sys.modules:
        from jdbench.verification.pytest.options import parametrize

        parametrize(metafunc)
