"""The pytest face of verification: its options, the tests in properties/, and those in anybody's own files."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from jdbench.errors import InputError
from jdbench.examination import DTYPES, chosen_properties
from jdbench.expected_failures import (
    ExpectedFailure,
    StaleExpectedFailureWarning,
    dtype_name,
    read_expected_failures,
)
from jdbench.parametrization import parametrization, parametrize_with_properties
from jdbench.subject import Search, Subject, named_subject
from jdbench.verification.claims import CLAIMS
from jdbench.verification.profiles import PROFILES
from jdbench.verification.properties import HYGIENE, PROPERTIES, TABLE_1

__all__ = ["StaleExpectedFailureWarning", "Subject", "parametrize_with_properties"]

FRESH = "nightly"
"""The profile that draws a new seed each time; the others try the same matrices in every run."""

SEED = "jdbench_verification_seed"
EXPECTED = pytest.StashKey[tuple[ExpectedFailure, ...]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options.

    Args:
        parser: Pytest's.
    """
    group = parser.getgroup("jdbench", "verification of aggregators")
    group.addoption(
        "--aggregator",
        action="append",
        default=[],
        metavar="SPEC",
        help="verify this aggregator (UPGrad, package.module:Name, …) instead of the built-in ones; repeatable",
    )
    group.addoption(
        "--claims",
        default=",".join(TABLE_1),
        metavar="P,…",
        help="properties claimed for --aggregator, out of "
        + ", ".join(PROPERTIES)
        + "; default: %(default)s; hygiene is always verified",
    )
    group.addoption(
        "--profile",
        default="default",
        choices=list(PROFILES),
        help="how long to search: "
        + ", ".join(f"{name} tries {count} matrices" for name, count in PROFILES.items())
        + f" for each property and dtype, the same in every run; {FRESH} draws a new seed and says which",
    )
    group.addoption(
        "--verification-seed",
        type=int,
        metavar="N",
        help=f"seed of the search; default: 0, or a new one with --profile {FRESH}",
    )
    group.addoption(
        "--expected-failures",
        metavar="FILE",
        help="TOML of [[failure]] tables with aggregator, property, reason and maybe dtype: such failures are "
        "reported as xfailed; an entry that does not fail is warned of",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse unknown names before anything runs.

    Args:
        config: Pytest's.

    Raises:
        pytest.UsageError: A name is unknown or a file unusable; pytest exits 4 with the line.
    """
    try:
        for spec in _option(config, "--aggregator"):
            named_subject(spec)
        chosen_properties(_option(config, "--claims"))
        file = _option(config, "--expected-failures")
        config.stash[EXPECTED] = () if file is None else read_expected_failures(Path(file))
    except InputError as error:
        raise pytest.UsageError(" ".join(str(error).split())) from error
    if _option(config, "--profile") == FRESH and _option(config, "--verification-seed") is None:
        given: dict[str, Any] = getattr(config, "workerinput", {})
        config.option.verification_seed = given.get(SEED, secrets.randbelow(2**32))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Hand the seed to a worker of pytest-xdist, which gets the command line but not what was drawn.

    Args:
        node: The worker, as pytest-xdist sees it.
    """
    node.workerinput[SEED] = _option(node.config, "--verification-seed")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Return what a run must be repeated with, where it is not what every run has.

    Args:
        config: Pytest's.

    Returns:
        Lines of the header.
    """
    expected = config.stash[EXPECTED]
    lines = [f"jdbench: {len(expected)} expected failures"] if expected else []
    return ([f"jdbench:{_replay(config)}"] if _replay(config) else []) + lines


def _option(config: pytest.Config, name: str) -> Any:
    return config.getoption(name)


def _replay(config: pytest.Config) -> str:
    seed = _option(config, "--verification-seed")
    profile = _option(config, "--profile")
    return f" replay with --profile {profile} --verification-seed {seed}" if seed is not None else ""


def _search(config: pytest.Config) -> Search:
    replay = _replay(config)
    return Search(
        PROFILES[_option(config, "--profile")],
        _option(config, "--verification-seed") or 0,
        f"\n{replay.strip()}" if replay else "",
    )


def subjects(config: pytest.Config, name: str) -> list[Subject]:
    """Return what is verified of a property.

    Args:
        config: Pytest's.
        name: The property.

    Returns:
        The given aggregators if the property is claimed for them; without any, ours against Table 1. What
        Table 1 denies must be refuted, and is expected to be without any entry in a file.
    """
    search, expected = _search(config), config.stash[EXPECTED]
    specs = _option(config, "--aggregator")
    if specs:
        return [
            Subject(*named_subject(spec), name, dtype, search, expected=expected)
            for spec in dict.fromkeys(specs)
            for dtype in DTYPES
            if name in chosen_properties(_option(config, "--claims"))
        ]
    if name == HYGIENE:
        ours = dict.fromkeys(claim.aggregator for claim in CLAIMS)
        return [
            Subject(*named_subject(spec), name, dtype, search, expected=expected)
            for spec in ours
            for dtype in DTYPES
        ]
    return [
        Subject(
            *named_subject(claim.aggregator),
            name,
            dtype,
            search,
            claim.counterexample,
            searched=not claim.unsearchable,
            expected=expected,
        )
        for claim in CLAIMS
        if claim.prop == name
        for dtype in DTYPES
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the tests in properties/ and those that `parametrize_with_properties` decorates.

    Args:
        metafunc: The test function.
    """
    decorated = parametrization(metafunc.function)
    if decorated is not None:
        found = decorated.subjects(_search(metafunc.config), metafunc.config.stash[EXPECTED])
        ids = [f"{subject.names[0]}-{subject.property}-{dtype_name(subject.dtype)}" for subject in found]
        metafunc.parametrize("check", [subject.check for subject in found], ids=ids)
    name = getattr(metafunc.module, "PROPERTY", None)
    if name in PROPERTIES and "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", subjects(metafunc.config, name), ids=str)
