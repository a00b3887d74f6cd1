"""Expected failures: read from TOML, reported with their reasons, warned of when stale; seeds that repeat."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jdbench import subject
from jdbench.errors import InputError
from jdbench.expected_failures import ExpectedFailure, find_expected, read_expected_failures
from jdbench.pytest_plugin import PROFILES
from jdbench.verification.verify import Verdict, verify

pytest_plugins = ["pytester"]

PROPERTIES = ["-p", "no:cacheprovider", "-rxs", "--pyargs", "jdbench.properties"]
EXIT_USAGE = 4

STRANGER = """\
def agg(J):
    return J.mean(0)

def half(J):  # faulty in float32 alone
    return J.mean(0) + (J.dtype.itemsize == 4)
"""

ENTRY = '[[failure]]\naggregator = "stranger:agg"\nproperty = "non-conflicting"\nreason = "a mean conflicts"\n'


@pytest.fixture
def folder(pytester: pytest.Pytester) -> Path:
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


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, timeout=300
    )


# Reading


def read(tmp_path: Path, text: str) -> tuple[ExpectedFailure, ...]:
    (tmp_path / "f.toml").write_text(text)
    return read_expected_failures(tmp_path / "f.toml")


def test_entries_are_read(tmp_path: Path) -> None:
    text = ENTRY + '[[failure]]\naggregator="UPGrad"\nproperty="weighted"\ndtype="float32"\nreason="r"'
    assert read(tmp_path, text) == (
        ExpectedFailure("non-conflicting", "a mean conflicts", "stranger:agg"),
        ExpectedFailure("weighted", "r", "UPGrad", "float32"),
    )
    assert read(tmp_path, "# nothing yet") == ()


BAD = {
    "no TOML": ("[[failure]\n", "required TOML, got "),
    "a table": ("[failure]\n", "required [[failure]] tables alone, got failure"),
    "another table": ("[[failures]]\n", "required [[failure]] tables alone, got failures"),
    "no tables": ("failure = [1]", "failure 1: failure=1, required a table, got int"),
    "unknown key": (ENTRY + 'dtpe = "float32"', "failure 1: key='dtpe', required a known key"),
    "no reason": (
        ENTRY.replace('reason = "a mean conflicts"', ""),
        "failure 1: reason, required in every entry",
    ),
    "empty reason": (ENTRY.replace("a mean conflicts", " "), "failure 1: reason=' ', required why it fails"),
    "no aggregator": (
        ENTRY.replace('aggregator = "stranger:agg"', ""),
        "failure 1: aggregator, required in every",
    ),
    "unknown property": (ENTRY + ENTRY.replace("non-c", "non-k"), "failure 2: property='non-konflicting'"),
    "unknown dtype": (ENTRY + 'dtype = "float16"', "failure 1: dtype='float16', required a known dtype"),
    "no string": (ENTRY + "dtype = 32", "failure 1: dtype=32, required a string, got int"),
    "twice": (ENTRY + ENTRY.replace("a mean", "it"), "failure 2: aggregator='stranger:agg', required once"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_with_a_file_is_said_in_one_line(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert message in str(caught.value)
    assert "f.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_a_folder_and_bytes_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for name, message in (
        ("none.toml", "No such file"),
        (".", "Is a directory"),
        ("bytes.toml", "required TOML"),
    ):
        with pytest.raises(InputError, match=message):
            read_expected_failures(tmp_path / name)


@pytest.mark.parametrize(
    ("written", "names", "covered"),
    [
        ("UPGrad( trace_regularization = 1e-4 )", ["UPGrad(trace_regularization=0.0001)"], True),
        ("UPGrad()", ["UPGrad"], True),
        ("UPGrad", ["UPGrad(trace_regularization=0.0001)"], False),
        ("m.k:A(c=1)", ["m.k:A( c=1 )"], True),
        ("m.k:A", ["m.k:A(c=1)"], False),
        ("MyAggregator", ["MyAggregator()"], True),
        ("m:MyAggregator", ["MyAggregator()", "m:MyAggregator"], True),
        ("A(x=B(y=1))", ["A(x=B(y=1))"], True),
        (None, ["anything"], True),
    ],
)
def test_an_aggregator_is_found_under_any_of_its_names(written, names: list[str], covered: bool) -> None:
    failure = ExpectedFailure("weighted", "r", written)
    assert (find_expected([failure], names, "weighted", "float32") is failure) == covered
    assert find_expected([failure], names, "non-conflicting", "float32") is None


def test_a_dtype_narrows() -> None:
    failure = ExpectedFailure("weighted", "r", None, "float32")
    assert failure.covers(["A"], "weighted", "float32")
    assert not failure.covers(["A"], "weighted", "float64")


# pytest


def test_an_expected_failure_is_xfailed_with_its_reason(suite) -> None:
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


# Command line


def test_the_command_line_takes_the_same_file(folder: Path) -> None:
    (folder / "expected.toml").write_text(ENTRY + ENTRY.replace("non-conflicting", "weighted"))
    command = ["jdbench.cli", "verify", "stranger:agg", "--examples", "20"]
    options = [
        "--claims",
        "non-conflicting,weighted",
        "--expected-failures",
        "expected.toml",
        "--json",
        "v.json",
    ]
    result = run(folder, *command, *options)
    assert result.returncode == 0, result.stderr
    verdicts = json.loads((folder / "v.json").read_text())
    assert [v["expected"] for v in verdicts if v["outcome"] == "refuted"] == ["a mean conflicts"] * 2
    assert "refuted, expected" in result.stdout
    assert result.stderr.count("stale expected failure: stranger:agg is weighted in") == 2
    assert run(folder, *command, *options[:2]).returncode == 1
    (folder / "expected.toml").write_text("[[failure]]")
    result = run(folder, *command, *options)
    assert result.returncode == 2
    assert "failure 1: aggregator, required in every entry, got none" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


# Profiles and seeds


def test_the_default_profile_tries_the_same_matrices_each_time(suite) -> None:
    outputs = [suite("-k", "non_conflicting", "-q").stdout.str().rsplit(" in ", 1)[0] for _ in range(2)]
    assert outputs[0] == outputs[1]
    assert "2 failed" in outputs[0]
    assert "--verification-seed" not in outputs[0]
    assert suite("-k", "non_conflicting", "-q", "--verification-seed", "5").stdout.str() != outputs[0]


def test_nightly_says_the_seed_that_repeats_it_and_workers_share_it(folder: Path, suite) -> None:
    nightly = ["-k", "non_conflicting", "--profile", "nightly"]
    first = run(folder, "pytest", *PROPERTIES, "--aggregator", "stranger:agg", *nightly, "-n", "2").stdout
    seed = first.split("jdbench: replay with --profile nightly --verification-seed ")[1].split()[0]
    # In the header and in each of the two messages.
    assert first.count(f"replay with --profile nightly --verification-seed {seed}\n") == 3
    assert first.count("replay with") == 3

    def margins(output: str) -> list[str]:
        return sorted(line for line in output.splitlines() if line.startswith("E") and "margin" in line)

    again = suite(*nightly, "--verification-seed", seed).stdout.str()
    assert len(margins(again)) == 4
    assert margins(again) == margins(first)
    assert f"--verification-seed {seed}" not in suite(*nightly).stdout.str()


def test_a_seed_is_a_number(suite) -> None:
    result = suite("--verification-seed", "x")
    assert result.ret == EXIT_USAGE
    assert "--verification-seed: invalid int value: 'x'" in result.stderr.str()


def test_the_help_says_what_profiles_are(pytester: pytest.Pytester) -> None:
    text = " ".join(pytester.runpytest_inprocess("--help").stdout.str().split())
    for name, count in PROFILES.items():
        assert f"{name} tries {count} matrices" in text
    assert "the same in every run; nightly draws a new seed and says which" in text


def test_strangers_fixtures_of_our_names_are_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest

        PROPERTY = "weigh-in"

        @pytest.fixture(params=[1, 2])
        def subject(request):
            return request.param

        @pytest.fixture
        def check():
            return 1

        def test_it(subject, check):
            assert subject >= check
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=2)
