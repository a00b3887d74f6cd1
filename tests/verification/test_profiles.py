"""Profiles and seeds of the property suite: the same matrices each time, or a seed that repeats them."""

from pathlib import Path

import pytest

from jdbench.pytest_plugin import OPTIONS
from jdbench.verification import PROFILES
from support.property_suite import EXIT_USAGE, PROPERTIES, run

pytest_plugins = ["pytester"]


def test_the_default_profile_tries_the_same_matrices_each_time(suite) -> None:
    outputs = [suite("-k", "non_conflicting", "-q").stdout.str().rsplit(" in ", 1)[0] for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert "2 failed" in outputs[0]
    assert "-verification-seed" not in outputs[0]
    assert suite("-k", "non_conflicting", "-q", "--verification-seed", "5").stdout.str() != outputs[0]


FEW = "from jdbench.verification import PROFILES\n\nPROFILES['nightly'] = PROFILES['default']\n"


def test_nightly_says_the_seed_that_repeats_it_and_workers_share_it(
    folder: Path, suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With as few matrices as by default: how many a night tries is no matter of its seed."""
    (folder / "few.py").write_text(FEW)
    monkeypatch.setitem(PROFILES, "nightly", PROFILES["default"])
    nightly = ["-k", "non_conflicting", "--profile", "nightly"]
    first = run(
        folder, "pytest", "-p", "few", *PROPERTIES, "--aggregator", "stranger:agg", *nightly, "-n", "2"
    ).stdout
    replay = "replay with --jdbench-profile nightly --jdbench-verification-seed "
    seed = first.split(f"jdbench: {replay}")[1].split()[0]
    # In the header and in each of the two messages.
    assert first.count(f"{replay}{seed}\n") == 3
    assert first.count("replay with") == 3

    def margins(output: str) -> list[str]:
        return sorted(line for line in output.splitlines() if line.startswith("E") and "margin" in line)

    again = suite(*nightly, "--verification-seed", seed).stdout.str()
    assert len(margins(again)) == 4
    assert margins(again) == margins(first)
    assert f"-verification-seed {seed}" not in suite(*nightly).stdout.str()


def test_a_seed_is_a_number(suite) -> None:
    result = suite("--verification-seed", "x")
    assert result.ret == EXIT_USAGE
    assert "--verification-seed: invalid int value: 'x'" in result.stderr.str()


def test_the_help_says_what_profiles_are(pytester: pytest.Pytester) -> None:
    assert OPTIONS["profile"]["choices"] == list(PROFILES)
    text = " ".join(pytester.runpytest_inprocess("--help").stdout.str().split())
    for name, count in PROFILES.items():
        assert f"{name} tries {count} matrices" in text
    assert "the same in every run; nightly draws a new seed and says which" in text
