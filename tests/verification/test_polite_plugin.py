"""Other projects' runs of pytest are as if jdbench were not installed, whatever names they use."""

import subprocess
import sys
from pathlib import Path

import pytest

from jdbench.pytest_plugin import OPTIONS, PREFIX
from support.property_suite import EXIT_USAGE

pytest_plugins = ["pytester"]

TEST = "def test_one():\n    pass\n"
SUITE = ["-p", "no:cacheprovider", "--pyargs", "jdbench.properties", "--collect-only", "-q"]
OURS = ["--aggregator", "UPGrad", "--claims", "weighted"]
ROOT = Path(__file__).parents[2]


def test_the_plugin_loads_nothing_heavy_until_it_is_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_loaded():
            ours = {name for name in sys.modules if name.split(".")[0] == "jdbench"}
            assert ours == {"jdbench", "jdbench.pytest_plugin"}
            heavy = {"torch", "numpy", "numba", "scipy", "pandas", "hypothesis"}
            assert not [name for name in heavy if name in sys.modules]
        """
    )
    # jaxtyping's own plugin loads numpy.
    options = ["-p", "no:cacheprovider", "-p", "no:jaxtyping"]
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)


def test_the_plugin_costs_an_unrelated_run_less_than_50_ms() -> None:
    code = (
        "import time, pytest\nbegun = time.process_time()\nimport jdbench.pytest_plugin\n"
        "print(time.process_time() - begun)"
    )
    command = [sys.executable, "-c", code]
    seconds = [float(subprocess.check_output(command, text=True, timeout=60)) for _ in range(4)]
    assert min(seconds) < 0.05, seconds  # the fastest: others on this machine only ever add


def test_options_of_every_name_of_ours_without_the_prefix_are_others_to_take(pytester: pytest.Pytester) -> None:
    names = [f"--{name}" for name in OPTIONS]
    pytester.makeconftest(
        "def pytest_addoption(parser):\n"
        f"    for name in {names}:\n"
        "        parser.addoption(name, action='store_true')\n"
    )
    pytester.makepyfile(TEST)
    pytester.runpytest_inprocess(*names).assert_outcomes(passed=1)


def test_constants_and_fixtures_of_our_names_are_left_alone(pytester: pytest.Pytester) -> None:
    body = """
        import pytest

        PROPERTY = {!r}

        @pytest.fixture(params=[1, 2])
        def subject(request):
            return request.param

        @pytest.fixture
        def check():
            return 1

        def test_it(subject, check):
            assert subject >= check
        """
    values = {"unknown": "weigh-in", "a_property_of_ours": "weighted", "a_list": ["a", "b"], "a_set": {1}}
    pytester.makepyfile(**{f"test_{name}": body.format(value) for name, value in values.items()})
    pytester.runpytest_inprocess().assert_outcomes(passed=2 * len(values))


def test_a_module_that_answers_to_every_name_is_not_asked_for_ours(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import jdbench.verification.pytest.decorator  # a decorator is loaded, but decorates nothing here

        asked = []

        def __getattr__(name):
            asked.append(name)
            raise AttributeError(name)

        def test_it():
            assert "PROPERTY" not in asked
        """
    )
    pytester.runpytest_inprocess().assert_outcomes(passed=1)


@pytest.mark.parametrize("name", OPTIONS)
def test_short_options_are_unknown_outside_the_property_suite(pytester: pytest.Pytester, name: str) -> None:
    pytester.makepyfile(TEST)
    result = pytester.runpytest_inprocess(f"--{name}=default")
    assert result.ret == EXIT_USAGE
    assert f"unrecognized arguments: --{name}=default" in result.stderr.str()


def test_both_names_of_an_option_are_one_in_the_property_suite(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*SUITE, PREFIX + "aggregator", "UPGrad", *OURS)
    assert result.ret == 0
    assert "4/" in result.outlines[-1]
    result = pytester.runpytest_inprocess(*SUITE, "--aggregator", "Mean", PREFIX + "aggregator", "UPGrad")
    assert [line.split("::")[1] for line in result.outlines if "test_weighted[" in line] == [
        f"test_weighted[{name}-{dtype}]" for name in ("Mean", "UPGrad") for dtype in ("float64", "float32")
    ]


def test_short_options_may_stand_before_the_suite(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*OURS, *SUITE)
    assert result.ret == 0
    assert "test_weighted[UPGrad-float64]" in result.stdout.str()


@pytest.mark.parametrize(("folder", "paths"), [(ROOT, ["properties/"]), (ROOT / "properties", [])])
def test_short_options_in_the_folder_of_the_suite_and_from_above(folder: Path, paths: list[str]) -> None:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--collect-only", "-q", *paths, *OURS]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "test_weighted[UPGrad-float64]" in result.stdout
    assert "test_non_conflicting" not in result.stdout


def test_a_short_option_that_the_project_has_taken_stays_its_own(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        "def pytest_addoption(parser):\n    parser.addoption('--claims', action='store_true')\n"
        "    parser.addoption('--profile', default='ci')\n"
    )
    options = ["--aggregator", "UPGrad", "--claims", "--profile", "mine", PREFIX + "claims", "weighted"]
    result = pytester.runpytest_inprocess(*SUITE, *options)
    assert result.ret == 0
    assert "test_weighted[UPGrad-float64]" in result.stdout.str()
    assert "test_non_conflicting" not in result.stdout.str()
