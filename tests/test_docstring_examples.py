"""The examples in docstrings: each prints what it says, and whatever users call has one."""

import doctest
import importlib
import inspect
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pytest
import torch

ROOT = Path(__file__).parent.parent

FOLDERS = {"jdbench": ROOT / "jdbench", "jdbench.problems": ROOT / "problems"}

WINGS = [
    "jdbench.aggregator",
    "jdbench.aggregators",
    "jdbench.analysis",
    "jdbench.analysis.findings",
    "jdbench.data",
    "jdbench.descent",
    "jdbench.descent.directions",
    "jdbench.distributed",
    "jdbench.dual_cone",
    "jdbench.engine",
    "jdbench.environment",
    "jdbench.errors",
    "jdbench.gramian",
    "jdbench.momentum",
    "jdbench.problem",
    "jdbench.problem_checks",
    "jdbench.pytest_plugin",
    "jdbench.report",
    "jdbench.roster",
    "jdbench.rounding",
    "jdbench.runs",
    "jdbench.spec",
    "jdbench.verification",
    "jdbench.verification.predicates",
]
"""Packages and modules whose public classes and functions must have examples; a line here covers a wing."""

EXTRAS = {"jdbench.report": ("jinja2", "matplotlib")}
"""Packages without which the examples of a wing are skipped."""

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples() -> list[str]:
    found: list[str] = []
    for package, folder in FOLDERS.items():
        for file in sorted(folder.rglob("*.py")):
            if prompts(file.read_text(encoding="utf-8")):
                parts = file.relative_to(folder).with_suffix("").parts
                found.append(".".join((package, *(part for part in parts if part != "__init__"))))
    return found


def prompts(source: str) -> int:
    """Return how many examples a source text shows."""
    return len(re.findall(r"^ *>>> ", source, re.MULTILINE))


def run_examples(module: ModuleType) -> tuple[int, str]:
    """Return how many examples of a module ran, and what those that failed printed.

    They find nothing but what they import, so that whoever copies one gets the same.
    """
    runner = doctest.DocTestRunner(optionflags=FLAGS, verbose=False)
    told: list[str] = []
    for test in doctest.DocTestFinder().find(module, globs={"__name__": "__main__"}):
        runner.run(test, out=told.append)
    return runner.tries, "".join(told)


def public(module: ModuleType) -> dict[str, object]:
    """Return the classes and functions in `__all__`, or those a module without one defines and does not hide.

    Without exceptions, which the examples of what raises them show.
    """
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    names = getattr(module, "__all__", [name for name in own if not name.startswith("_")])
    found = {name: getattr(module, name) for name in names}
    return {
        name: value
        for name, value in found.items()
        if (inspect.isclass(value) and not issubclass(value, Exception))
        or inspect.isroutine(inspect.unwrap(value))
    }


def lacking(things: dict[str, object]) -> list[str]:
    """Return the names of the things whose docstring has no example."""
    parser = doctest.DocTestParser()
    return [name for name, thing in things.items() if not parser.get_examples(thing.__doc__ or "")]


def need_extras(name: str) -> None:
    """Skip without the packages that a module needs."""
    for wing, packages in EXTRAS.items():
        for package in packages if name == wing or name.startswith(f"{wing}.") else ():
            pytest.importorskip(package, reason=f"the examples of {wing} need {package}")


@pytest.fixture
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run in an empty folder, without data sets, and put the state of the generators back."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path))
    with torch.random.fork_rng():
        yield


@pytest.mark.parametrize("name", modules_with_examples())
@pytest.mark.usefixtures("empty_folder")
def test_examples_print_what_they_say(name: str):
    need_extras(name)
    module = importlib.import_module(name)
    tries, told = run_examples(module)
    assert not told, told
    assert tries == prompts(inspect.getsource(module)), "an example that doctest does not find"


@pytest.mark.parametrize("wing", WINGS)
def test_what_a_wing_exports_has_examples(wing: str):
    need_extras(wing)
    exported = public(importlib.import_module(wing))
    assert exported, "nothing public: is it still there?"
    assert lacking(exported) == []


def test_announced_problems_have_examples():
    ours = [p for p in entry_points(group="jdbench.problems") if p.value.startswith("jdbench.problems.")]
    assert len(ours) > 40
    assert lacking({point.name: point.load() for point in ours}) == []


STRANGER = '''
def shown():
    """Do nothing.

    Example:
        >>> 1 + 1
        3
    """

def bare():
    """Do nothing."""

def _hidden():
    """Do nothing."""
'''


def test_what_is_wrong_with_examples_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "shown_and_bare.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("shown_and_bare")
    monkeypatch.delitem(sys.modules, module.__name__)
    tries, told = run_examples(module)
    assert tries == prompts(STRANGER) == 1
    assert re.search(r"Expected:\s+3\s+Got:\s+2", told)
    assert lacking(public(module)) == ["bare"]
    monkeypatch.setattr(module, "__all__", ["shown"], raising=False)
    assert lacking(public(module)) == []
