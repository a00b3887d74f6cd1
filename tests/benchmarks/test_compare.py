"""Comparison of two commits: each class is told apart, and only a regression makes it fail."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from benchmarks import compare as program
from benchmarks.asv_results import Measurement, ResultsError, measurements
from benchmarks.compare import Trend, compare, judge

COLUMNS = ["result", "params", "version", "started_at", "duration", "stats_ci_99_a", "stats_ci_99_b"]
BASE, NEW = "a" * 40, "b" * 40
RESIDUAL = "largest KKT residual in unit rows"


def timed(value: float | None, low: float, high: float, version: str = "1") -> Measurement:
    return Measurement(value, low, high, version, "seconds")


def tracked(value: float, unit: str = "bytes") -> Measurement:
    return Measurement(value, value, value, "1", unit)


@pytest.mark.parametrize(
    ("base", "new", "expected"),
    [
        (timed(1.0, 0.99, 1.01), timed(1.2, 1.19, 1.21), Trend.REGRESSED),
        (timed(1.2, 1.19, 1.21), timed(1.0, 0.99, 1.01), Trend.IMPROVED),
        (timed(1.0, 0.99, 1.01), timed(1.02, 1.01, 1.03), Trend.SAME),
        (timed(1.0, 0.9, 1.3), timed(1.2, 1.1, 1.3), Trend.TOO_FEW),
        (timed(1.0, 0.8, 1.2), timed(1.0, 0.8, 1.2), Trend.TOO_FEW),
        # One sample: asv's interval is everything.
        (timed(1.0, -math.inf, math.inf), timed(9.0, 8.9, 9.1), Trend.TOO_FEW),
        (timed(1.0, 0.99, 1.01), None, Trend.NOT_MEASURED),
        (None, timed(1.0, 0.99, 1.01), Trend.NOT_MEASURED),
        (timed(1.0, 0.99, 1.01), timed(None, 0, 0), Trend.NOT_MEASURED),
        (timed(1.0, 0.99, 1.01), timed(9.0, 8.9, 9.1, "2"), Trend.NOT_MEASURED),
        (tracked(100.0), tracked(111.0), Trend.REGRESSED),
        (tracked(100.0), tracked(109.0), Trend.SAME),
        (tracked(100.0), tracked(50.0), Trend.IMPROVED),
        (tracked(0.0), tracked(0.0), Trend.SAME),
        (tracked(0.0), tracked(1.0), Trend.REGRESSED),
        (tracked(1e-16, RESIDUAL), tracked(3e-14, RESIDUAL), Trend.SAME),
        (tracked(1e-16, RESIDUAL), tracked(1e-8, RESIDUAL), Trend.REGRESSED),
    ],
)
def test_verdict(base: Measurement | None, new: Measurement | None, expected: Trend) -> None:
    assert judge(base, new)[0] is expected


def test_reason_says_the_ratio_and_its_interval_or_what_is_missing() -> None:
    assert judge(timed(1.0, 0.5, 2.0), timed(3.0, 2.0, 4.0))[1] == "3 times (1 to 8)"
    assert judge(tracked(2.0), tracked(3.0))[1] == "1.5 times"
    assert judge(tracked(2.0), None)[1] == "no result of the new commit"
    assert judge(timed(None, 0, 0), tracked(2.0))[1] == "failed on the base commit"


def test_the_factor_is_the_callers() -> None:
    pair = timed(1.0, 0.99, 1.01), timed(1.2, 1.19, 1.21)
    assert judge(*pair, 1.3)[0] is Trend.SAME


def test_every_benchmark_of_either_commit_is_judged_once_the_worst_first() -> None:
    base = {"same": tracked(1), "gone": tracked(1), "slow": tracked(1)}
    new = {"same": tracked(1), "came": tracked(1), "slow": tracked(2)}
    assert [(one.name, one.verdict) for one in compare(base, new)] == [
        ("slow", Trend.REGRESSED),
        ("came", Trend.NOT_MEASURED),
        ("gone", Trend.NOT_MEASURED),
        ("same", Trend.SAME),
    ]


def write(
    folder: Path, commit: str, results: dict[str, list[Any]], env: str = "env", machine: str = "m"
) -> None:
    file = folder / machine / f"{commit[:8]}-{env}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"version": 2, "result_columns": COLUMNS, "results": results}))


def test_files_of_asv_are_read(tmp_path: Path) -> None:
    sizes = [["8", "32"], ["'ours'"]]
    times = [[0.1, None], sizes, "v", 0, 0, [0.09, None], [0.11, None]]
    write(tmp_path, BASE, {"time": times, "all_failed": [None, sizes], "left_out": [[math.nan, 1e-15], sizes]})
    (tmp_path / "benchmarks.json").write_text(json.dumps({"time": {"unit": "seconds"}, "version": 2}))
    assert measurements(tmp_path, BASE) == {
        "time(8, 'ours')": Measurement(0.1, 0.09, 0.11, "v", "seconds"),
        "time(32, 'ours')": Measurement(None, 0.0, 0.0, "v", "seconds"),
        "all_failed(8, 'ours')": Measurement(None, 0.0, 0.0, "", ""),
        "all_failed(32, 'ours')": Measurement(None, 0.0, 0.0, "", ""),
        "left_out(32, 'ours')": Measurement(1e-15, 1e-15, 1e-15, "", ""),
    }


def test_a_benchmark_without_parameters_has_its_plain_name(tmp_path: Path) -> None:
    write(tmp_path, BASE, {"track": [[3.0], []]})
    assert set(measurements(tmp_path, BASE)) == {"track"}


def test_environments_are_kept_apart(tmp_path: Path) -> None:
    for env in ("one", "two"):
        write(tmp_path, BASE, {"track": [[3.0], []]}, env)
    assert set(measurements(tmp_path, BASE)) == {"m, one: track", "m, two: track"}


def test_what_cannot_be_read_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"required results in .*, got none, run `asv run 'aaaaaaaa\^!'`"):
        measurements(tmp_path, BASE)
    file = tmp_path / "m" / "aaaaaaaa-env.json"
    file.parent.mkdir()
    file.write_text('{"version": 1}')
    with pytest.raises(ResultsError, match="required format 2, got 1"):
        measurements(tmp_path, BASE)


@pytest.mark.parametrize(
    ("value", "code", "line"),
    [
        (2.0, 1, "regressed: 1\n  track  2 times"),
        (1.0, 0, "same: 1\n"),
        (0.5, 0, "improved: 1\n  track  0.5 times"),
    ],
)
def test_exit_code_is_1_for_regressions_alone(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    value: float,
    code: int,
    line: str,
) -> None:
    monkeypatch.setattr(program, "full_hash", {"base": BASE, "HEAD": NEW}.__getitem__)
    write(tmp_path, BASE, {"track": [[1.0], []], "gone": [[1.0], []]})
    write(tmp_path, NEW, {"track": [[value], []]})
    assert program.main(["base", "--results", str(tmp_path)]) == code
    printed = capsys.readouterr().out
    assert line in printed
    assert "not measured: 1\n  gone  no result of the new commit" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["HEAD"], "required results in"),
        (["no-such-commit"], "required a commit of this repository"),
        (["HEAD", "--factor", "0.9"], "factor=0.9, required at least 1"),
    ],
)
def test_nothing_to_compare_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert program.main([*arguments, "--results", str(tmp_path)]) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert len(printed.splitlines()) == 1
