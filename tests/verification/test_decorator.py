"""`parametrize_with_properties` in a stranger's own test file, and what it refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import Mean, UPGrad
from jdbench.errors import InputError
from jdbench.pytest_plugin import parametrize_with_properties

MODULE = """\
import torch

class Honest:
    def __call__(self, J):
        return J.mean(0)

class Scaled:
    def __init__(self, c=1.0):
        self.c = c

    def __repr__(self):
        return f"Scaled(c={self.c})"

    def __call__(self, J):
        return self.c * J.mean(0)

class Faulty:
    \"\"\"Not weighted where there are three rows or more.\"\"\"

    def __call__(self, J):
        return J.mean(0) + (len(J) > 2) * torch.ones_like(J[0])

def function(J):
    return J.sum(0)

def make(c=0.5):
    return Scaled(c)
"""

pytest_plugins = ["pytester"]

HEAD = "import torch\nfrom jdbench.pytest_plugin import parametrize_with_properties\nfrom theirs import *\n\n"


@pytest.fixture
def run(pytester: pytest.Pytester):
    """Run a test file beside a module of aggregators, in this process."""
    (pytester.path / "theirs.py").write_text(MODULE)

    def inprocess(test: str, *options: str) -> pytest.RunResult:
        (pytester.path / "test_theirs.py").write_text(HEAD + test)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rA", *options, "test_theirs.py")

    return inprocess


def decorated(arguments: str) -> str:
    return f"@parametrize_with_properties({arguments})\ndef test_properties(check):\n    check()\n"


@pytest.mark.long  # that names are the same in every process is tested below
def test_all_kinds_of_aggregators_have_readable_names_with_workers_too(pytester: pytest.Pytester) -> None:
    (pytester.path / "theirs.py").write_text(MODULE)
    kinds = '[Honest(), Scaled(2.0), Scaled, function, lambda J: J.sum(0), "theirs:make(c=2)", "UPGrad"]'
    (pytester.path / "test_theirs.py").write_text(HEAD + decorated(f'{kinds}, claims=["weighted"], examples=5'))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "-rA", "-n", "2", "test_theirs.py")
    result.assert_outcomes(passed=28)
    for name in ("Honest()", "Scaled(c=2.0)", "Scaled()", "function", "lambda", "theirs:make(c=2)", "UPGrad"):
        for prop in ("weighted", "hygiene"):
            for dtype in ("float64", "float32"):
                test = f"PASSED test_theirs.py::test_properties[{name}-{prop}-{dtype}]"
                assert test in result.stdout.str()


NAMED = """\
import functools
import os
import random
from dataclasses import dataclass

class Plain:
    def __call__(self, J):
        return J.mean(0)

@dataclass(frozen=True)
class Sets(Plain):
    layers: frozenset = frozenset({"alpha", "beta", "gamma"})
    by_name: tuple = ({"one", "two", "three"},)

@dataclass(frozen=True)
class Deep(Plain):
    by_name: object = None

class Drawn(Plain):
    def __repr__(self):
        return f"Drawn(seed={random.random()})"

class Addressed(Plain):
    def __repr__(self):
        return f"Addressed(at={id(self)})"

class Hashed(Plain):
    def __repr__(self):
        return f"Hashed(of={hash('x')})"

class Broken(Plain):
    def __repr__(self):
        raise RuntimeError("no name")

class Prose(Plain):
    def __repr__(self):
        return f"Prose of {os.getpid()}\\n∘ []::"

class Long(Plain):
    def __repr__(self):
        return "Long(" + "'a', " * 10**6 + ")"

def named():
    partial = functools.partial(Plain.__call__, None)
    sets = [Sets(), Deep({"b": {"x", "y", "z"}, "a": frozenset()}), Deep([{"p", "q", "r"}])]
    odd = [Drawn(), Addressed(), Hashed(), Broken(), Prose(), Long(), partial]
    return [*sets, *odd, Plain(), Plain(), Plain.__call__]
"""

IDS = [
    "Sets()",
    "Deep(by_name={'b': {'x', 'y', 'z'}, 'a': frozenset()})",
    "Deep(by_name=[{'p', 'q', 'r'}])",
    "Drawn()",
    "Addressed()",
    "Hashed()",
    "Broken()",
    "Prose()",
    "Long()",
    "partial()",
    "Plain()#1",
    "Plain()#2",
    "__call__",
]


@pytest.mark.parametrize("seed", ["1", "2"])
def test_names_are_the_same_in_every_process_whatever_the_repr(tmp_path: Path, seed: str) -> None:
    """As workers of pytest-xdist demand, which hash strings each in their own way."""
    (tmp_path / "named.py").write_text(NAMED)
    code = (
        "from named import named\n"
        "from jdbench.verification.pytest.decorator import parametrize_with_properties as decorator\n"
        "made = decorator(named())(lambda check: None).jdbench_parametrization.aggregators\n"
        "print(*(names[0] for names, _ in made), sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.stdout.splitlines() == IDS, result.stderr


def test_the_faulty_fails_the_honest_passes_and_the_message_says_it_all(run) -> None:
    test = decorated('[Honest(), Faulty()], claims=["weighted"], dtypes=[torch.float32], examples=20')
    result = run(test)
    assert result.ret == 1
    assert "1 failed, 3 passed" in result.stdout.str()
    assert "FAILED test_theirs.py::test_properties[Faulty()-weighted-float32]" in result.stdout.str()
    message = next(line for line in result.outlines if line.startswith("E "))
    assert "Faulty() is not weighted (A(J) = Jᵀw for some w ([JD] Definition 3)): margin -" in message
    assert "Witness(matrix=Matrix(J=torch.tensor([[" in message
    assert "confirmed in rational arithmetic, margin -" in result.stdout.str()
    assert "check.py" not in result.stdout.str()  # the trace ends in the stranger's own file


def test_defaults_are_the_three_of_table_1_with_hygiene_in_both_dtypes(run) -> None:
    result = run(decorated("[Honest()]"), "--collect-only", "-q")
    for prop in ("non-conflicting", "linear-under-scaling", "weighted", "hygiene"):
        for dtype in ("float64", "float32"):
            assert f"::test_properties[Honest()-{prop}-{dtype}]" in result.stdout.str()
    assert "8 tests collected" in result.stdout.str()


def test_expected_failures_by_mapping_by_file_and_by_option(
    run, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = '[[failure]]\naggregator = "{}"\nproperty = "non-conflicting"\nreason = "{}"\n'
    (pytester.path / "theirs.toml").write_text(entry.format("theirs:Honest", "by module"))
    (pytester.path / "option.toml").write_text(entry.format("Scaled(c=2.0)", "by option"))
    claims = 'claims=["non-conflicting"], examples=30, dtypes=[torch.float64], expected_failures='
    test = "".join(
        f"@parametrize_with_properties([{aggregator}], {claims}{expected})\n"
        f"def test_{name}(check):\n    check()\n\n"
        for name, aggregator, expected in [
            ("mapping", "function", '{("non-conflicting", torch.float64): "by mapping"}'),
            ("file", "Honest()", '"theirs.toml"'),
            ("option", "Scaled(2.0)", "None"),
            ("stale", '"UPGrad"', '{"hygiene": "none"}'),
        ]
    )
    run(test, "--collect-only")
    elsewhere = pytester.mkdir("elsewhere")
    monkeypatch.chdir(elsewhere)
    result = pytester.runpytest_inprocess(
        "-p", "no:cacheprovider", "-rA", "--jdbench-expected-failures", "../option.toml", "../test_theirs.py"
    )
    assert result.ret == 0
    result.assert_outcomes(xfailed=3, passed=5, warnings=1)
    for reason in ("by module", "by option", "by mapping"):
        assert f"] - {reason}" in result.stdout.str()
    line = "stale expected failure: UPGrad is hygiene in float64, expected a failure, 'none'"
    assert line in result.stdout.str()


def test_other_parametrizations_fixtures_and_classes_go_along(run) -> None:
    test = (
        "import pytest\n\nclass TestTheirs:\n"
        '    @pytest.mark.parametrize("k", [1, 2])\n'
        '    @parametrize_with_properties([Honest()], claims=["weighted"], examples=5)\n'
        "    def test_properties(self, check, k, tmp_path):\n        check()\n"
    )
    result = run(test)
    assert result.ret == 0
    assert "8 passed" in result.stdout.str()


def test_misuse_is_one_clear_message_where_the_file_is_imported(run) -> None:
    result = run(decorated('[Honest()], claims=["weigted"]'), "-q")
    assert result.ret == 2
    lines = [line for line in result.outlines if line.startswith("E  ")]
    assert len(lines) == 1
    assert "UnknownNameError: claim='weigted'" in lines[0]
    assert "did you mean weighted?" in lines[0]


class NeedsArguments:
    """Cannot be made without arguments."""

    def __init__(self, c: float) -> None:
        self.c = c

    def __call__(self, J: Tensor) -> Tensor:
        return self.c * J.mean(0)


@pytest.mark.parametrize(
    ("aggregators", "keywords", "message"),
    [
        ([], {}, "aggregators=[], required at least one"),
        ("UPGrad", {}, "aggregators='UPGrad', required a list, got str"),
        (UPGrad(), {}, "aggregators=UPGrad, required a list, got UPGrad"),
        (["UPgrad"], {}, "did you mean UPGrad?"),
        (["nowhere.at:all"], {}, "required a module that imports"),
        ([3], {}, "aggregator=3, required a callable"),
        ([NeedsArguments], {}, "aggregator='NeedsArguments', required keywords that NeedsArguments takes"),
        ([dict], {}, "aggregator='dict', required instances that can be called"),
        ([Mean()], {"claims": ["weigted"]}, "did you mean weighted?"),
        ([Mean()], {"dtypes": []}, "dtypes=[], required torch.float32"),
        ([Mean()], {"dtypes": [torch.float16]}, "required torch.float32"),
        ([Mean()], {"examples": 0}, "examples=0, required at least 1"),
        ([Mean()], {"expected_failures": {"weigted": "r"}}, "did you mean weighted?"),
        ([Mean()], {"claims": [], "expected_failures": {"weighted": "r"}}, "expected_failures='weighted'"),
        ([Mean()], {"expected_failures": {("weighted", "float16"): "r"}}, "dtype='float16'"),
        ([Mean()], {"expected_failures": {("weighted", "float32", 1): "r"}}, "required property or (property"),
        ([Mean()], {"expected_failures": {"weighted": ""}}, "reason='', required why it fails"),
        ([Mean()], {"expected_failures": "none.toml"}, "required a file to read"),
    ],
)
def test_misuse_raises_at_import(aggregators, keywords, message: str) -> None:
    with pytest.raises(InputError) as caught:

        @parametrize_with_properties(aggregators, **keywords)
        def test_properties(check) -> None:
            check()

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_function_that_does_not_take_check_is_refused() -> None:
    with pytest.raises(InputError, match=r"test_it\(\) -> None, required a parameter named check"):

        @parametrize_with_properties([Mean()])
        def test_it() -> None:
            pass
