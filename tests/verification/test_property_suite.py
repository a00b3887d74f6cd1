"""The property suite on strangers' aggregators, from the outside: what passes, what fails, what is refused."""

from pathlib import Path

import pytest

from support.property_suite import EXIT_USAGE

pytest_plugins = ["pytester"]


@pytest.mark.parametrize(
    ("source", "claims", "code"),
    [
        ("J.mean(0)", "linear-under-scaling,weighted", 0),
        ("J.mean(0)", "non-conflicting", 1),
        ("J.mean(0) + (len(J) == 5)", "weighted", 1),
    ],
)
def test_the_suite_judges_strangers(folder: Path, suite, source: str, claims: str, code: int) -> None:
    (folder / "stranger.py").write_text(f"def agg(J):\n    return {source}\n")
    result = suite("-q", "-k", "not hygiene", "--claims", claims)
    assert result.ret == code, result.stdout.str()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--aggregator", "UPgrad"], "did you mean UPGrad?"),
        (["--aggregator", "nowhere.at:all"], "required a module that imports"),
        (["--aggregator", "UPGrad", "--claims", "weigted"], "did you mean weighted?"),
    ],
)
def test_the_suite_refuses_unknown_names_with_one_line(suite, options: list[str], message: str) -> None:
    result = suite("-q", *options)
    assert result.ret == EXIT_USAGE
    (line,) = [line for line in result.errlines if line.strip()]
    assert message in line
