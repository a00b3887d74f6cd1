"""Expected failures in pytest and on the command line: reported with their reasons, warned of when stale."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jdbench.verification import PROFILES
from jdbench.verification.pytest import check as subject
from jdbench.verification.search import verify
from jdbench.verification.verdicts import Verdict
from support.property_suite import BAD, ENTRY, EXIT_USAGE, PROPERTIES, STRANGER

pytest_plugins = ["pytester"]


def test_an_expected_failure_is_xfailed_with_its_reason(suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fewer matrices than by default: hygiene, which passes here, takes its time for each."""
    monkeypatch.setitem(PROFILES, "default", 40)
    result = suite("--claims", "non-conflicting,weighted", entries=ENTRY)
    assert result.ret == 0
    result.assert_outcomes(passed=4, xfailed=2)  # and no word of what is not claimed
    text = result.stdout.str()
    assert text.count("] - a mean conflicts") == 2
    assert "jdbench: 1 expected failures" in text
    assert "stale" not in text


def test_an_entry_that_does_not_fail_is_warned_of_as_stale_and_passes(suite) -> None:
    entry = ENTRY.replace("non-conflicting", "weighted")
    result = suite("--claims", "weighted", "-k", "weighted", entries=entry)
    assert result.ret == 0
    result.assert_outcomes(passed=2, warnings=2)
    for dtype in ("float64", "float32"):
        line = f"StaleExpectedFailureWarning: stale expected failure: stranger:agg is weighted in {dtype}"
        assert line in result.stdout.str()
    strict = "error::jdbench.pytest_plugin.StaleExpectedFailureWarning"
    suite("-k", "weighted", "-W", strict, entries=entry).assert_outcomes(failed=2)


def test_an_entry_for_both_dtypes_that_fails_in_one_says_which(suite) -> None:
    entry = ENTRY.replace("stranger:agg", "stranger:half").replace("non-conflicting", "weighted")
    result = suite("-k", "weighted", entries=entry, aggregator="stranger:half")
    assert result.ret == 0
    result.assert_outcomes(passed=1, xfailed=1, warnings=1)
    assert "is weighted in float64" in result.stdout.str()
    assert "name the other dtype" in result.stdout.str()
    result = suite("-k", "weighted", entries=entry + 'dtype = "float32"', aggregator="stranger:half")
    result.assert_outcomes(passed=1, xfailed=1, warnings=0)


def test_entries_for_others_and_for_what_does_not_run_change_nothing(suite) -> None:
    other = ENTRY.replace("stranger:agg", "nowhere.to.be:found") + ENTRY.replace("non-conflicting", "hygiene")
    result = suite("-k", "non_conflicting", entries=other)
    assert result.ret == 1
    result.assert_outcomes(failed=2, warnings=0)
    assert "confirmed in rational arithmetic, margin -" in result.stdout.str()


def test_runxfail_shows_the_failure(suite) -> None:
    suite("-k", "non_conflicting", "--runxfail", entries=ENTRY).assert_outcomes(failed=2)


def test_a_violation_that_table_1_claims_needs_no_entry_and_makes_none_stale(
    pytester: pytest.Pytester,
) -> None:
    (pytester.path / "expected.toml").write_text(ENTRY.replace("stranger:agg", "Mean"))
    options = ["-k", "test_non_conflicting and Mean", "--expected-failures", "expected.toml"]
    pytester.runpytest_inprocess(*PROPERTIES, *options).assert_outcomes(passed=2, warnings=0)


def test_what_does_not_apply_is_skipped_with_the_reason(suite, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_applicable(aggregator, prop, *, dtype, **_) -> Verdict:
        verdict = verify(aggregator, prop, dtype=dtype, examples=1)
        outcome = type("Outcome", (str,), {})("not applicable")
        return replace(verdict, outcome=outcome, message="a plain function takes no batch")

    monkeypatch.setattr(subject, "verify", not_applicable)
    result = suite("-k", "weighted", entries=ENTRY.replace("non-conflicting", "weighted"))
    result.assert_outcomes(skipped=2, warnings=2)
    assert "a plain function takes no batch" in result.stdout.str()


@pytest.mark.parametrize("case", BAD)
def test_pytest_exits_4_with_one_line_for_a_bad_file(suite, case: str) -> None:
    text, message = BAD[case]
    result = suite("-q", entries=text)
    assert result.ret == EXIT_USAGE
    lines = [line for line in result.errlines if line.strip()]
    assert len(lines) == 1
    assert message in lines[0]


def test_pytest_exits_4_with_one_line_for_a_missing_file(suite) -> None:
    result = suite("--expected-failures", "none.toml")
    assert result.ret == EXIT_USAGE
    assert [line for line in result.errlines if line.strip()] == [
        "ERROR: expected failures='none.toml', required a file to read, got No such file or directory, "
        "check the path"
    ]


def test_the_command_line_takes_the_same_file(tmp_path: Path, jdbench) -> None:
    folder = tmp_path
    (folder / "stranger.py").write_text(STRANGER)
    (folder / "expected.toml").write_text(ENTRY + ENTRY.replace("non-conflicting", "weighted"))
    command = ["verify", "stranger:agg", "--examples", "20", "--workers", "1"]
    options = [
        "--claims",
        "non-conflicting,weighted",
        "--expected-failures",
        "expected.toml",
        "--json",
        "v.json",
    ]
    result = jdbench(*command, *options)
    assert result.returncode == 0, result.stderr
    verdicts = json.loads((folder / "v.json").read_text())
    assert [v["expected"] for v in verdicts if v["outcome"] == "refuted"] == ["a mean conflicts"] * 2
    assert "refuted, expected" in result.stdout
    assert result.stderr.count("stale expected failure: stranger:agg is weighted in") == 2
    assert jdbench(*command, *options[:2]).returncode == 1
    (folder / "expected.toml").write_text("[[failure]]")
    result = jdbench(*command, *options)
    assert result.returncode == 2
    assert "failure 1: aggregator, required in every entry, got none" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
