"""What the options of a run of pytest say, and the tests that follow; loaded where there are such tests."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from jdbench.roster import CLAIMED
from jdbench.verification import PROFILES
from jdbench.verification.claims import CLAIMS
from jdbench.verification.expected_failures import ExpectedFailure, read_expected_failures
from jdbench.verification.properties import HYGIENE, TABLE_1
from jdbench.verification.pytest.check import Search, Subject, named_subject
from jdbench.verification.pytest.decorator import parametrization
from jdbench.verification.session import chosen_properties
from jdbench.verification.verdicts import DTYPES, dtype_name

PREFIX = "--jdbench-"

FRESH = "nightly"
"""The profile that draws a new seed each time; the others try the same matrices in every run."""

EXPECTED = pytest.StashKey[tuple[ExpectedFailure, ...]]()


def check_options(config: pytest.Config, drawn: int | None) -> None:
    """Refuse unknown names and unusable files, and draw a seed where a new one is wanted.

    In a worker of pytest-xdist the seed was drawn already.

    Raises:
        InputError: A name is unknown or a file unusable.
    """
    for spec in specs(config):
        named_subject(spec)
    claimed_properties(config)
    _expected(config)
    if _option(config, "profile") == FRESH and _option(config, "verification-seed") is None:
        seed = secrets.randbelow(2**32) if drawn is None else drawn
        config.option.jdbench_verification_seed = seed


def specs(config: pytest.Config) -> list[str]:
    """Return the specs of the aggregators that are asked about; none where our own are verified."""
    return list(dict.fromkeys(_option(config, "aggregator") or []))


def claimed_properties(config: pytest.Config) -> list[str]:
    """Return the names of the properties that are claimed for them, each once, hygiene last.

    Raises:
        UnknownNameError: A claim names no property.
    """
    return chosen_properties(_option(config, "claims") or ",".join(TABLE_1))


def header(config: pytest.Config) -> list[str]:
    """Return lines for pytest's header: what a run must be repeated with, where not every run has it."""
    expected = _expected(config)
    lines = [f"jdbench: {len(expected)} expected failures"] if expected else []
    return ([f"jdbench: {_replay(config)}"] if _replay(config) else []) + lines


def subjects(config: pytest.Config, name: str) -> list[Subject]:
    """Return what is verified of a property.

    That is the given aggregators if the property is claimed for them; without any, ours against their claims.
    What those deny must be refuted, and is expected to be without any entry in a file.
    """
    search, expected = _search(config), _expected(config)
    given = specs(config)
    if given or name == HYGIENE:
        asked = name in claimed_properties(config)
        return [
            Subject(*named_subject(spec), name, dtype, search, expected=expected)
            for spec in given or CLAIMED
            for dtype in DTYPES
            if asked
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


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a test function what `parametrize_with_properties` decorated it with, if it did."""
    decorated = parametrization(metafunc.function)
    if decorated is not None:
        found = decorated.subjects(_search(metafunc.config), _expected(metafunc.config))
        ids = [f"{subject.names[0]}-{subject.property}-{dtype_name(subject.dtype)}" for subject in found]
        metafunc.parametrize("check", [subject.check for subject in found], ids=ids)


def _option(config: pytest.Config, name: str) -> Any:
    return config.getoption(PREFIX + name)


def _expected(config: pytest.Config) -> tuple[ExpectedFailure, ...]:
    if EXPECTED not in config.stash:
        file = _option(config, "expected-failures")
        config.stash[EXPECTED] = () if file is None else read_expected_failures(Path(file))
    return config.stash[EXPECTED]


def _profile(config: pytest.Config) -> str:
    return _option(config, "profile") or "default"


def _replay(config: pytest.Config) -> str:
    seed = _option(config, "verification-seed")
    if seed is None:
        return ""
    return f"replay with {PREFIX}profile {_profile(config)} {PREFIX}verification-seed {seed}"


def _search(config: pytest.Config) -> Search:
    replay = _replay(config)
    seed = _option(config, "verification-seed") or 0
    return Search(PROFILES[_profile(config)], seed, f"\n{replay}" if replay else "")
