"""The house holds: imports point down and in no circle, tests stand alone, a module is 40 to 300 lines long."""

import ast
import graphlib
import pkgutil
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

GROUNDS = {"errors", "shapes", "exits", "compiled", "environment", "workers", "rounding", "spec", "roster"}
"""What every wing stands on, one another included."""

LAYERS = [
    GROUNDS,
    {"gramian", "data"},
    {"dual_cone", "aggregator", "problem"},
    {"aggregators", "engine", "verification"},
    {"descent", "problem_checks"},
    {"momentum", "runs", "distributed"},
    {"analysis"},
    {"report"},
    {"cli", "pytest_plugin"},
    {"__main__"},
]
DEPTH = {name: depth for depth, layer in enumerate(LAYERS) for name in layer}
ALONE = {"verification": {*GROUNDS, "aggregator", "gramian", "dual_cone"}}
OLD_ADDRESSES = {("gramian", "engine")}  # jdbench.gramian.Engine: looked up where it is asked for
ZOO = {"data", "engine", "errors", "gramian", "shapes", "spec", "problem", "rounding", "verification"}


def imported(nodes: Iterable[ast.AST], file: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the module of every import statement among the nodes, and the names that are taken from it."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or "", [alias.name for alias in node.names]


def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def imports(file: Path) -> Iterator[str]:
    """Yield the first part below jdbench of every import, wherever in the file it stands."""
    for module, taken in imported(ast.walk(parsed(file)), file):
        for name in [f"{module}.{one}" for one in taken] if module == "jdbench" else [module]:
            if name.startswith("jdbench."):
                yield name.split(".")[1]


def unit(file: Path) -> str:
    return file.relative_to(ROOT / "jdbench").with_suffix("").parts[0]


LIBRARY = sorted(f for f in (ROOT / "jdbench").rglob("*.py") if f != ROOT / "jdbench" / "__init__.py")


def test_the_guide_for_contributors_lists_the_same_layers() -> None:
    block = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("```\ngrounds: ")[1].split("```")[0]
    assert [set(line.split()) for line in block.splitlines()] == LAYERS


def test_the_walk_of_a_record_names_what_there_is() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    walk = text.split("**The walk of a record**")[1].split("## Where")[0]
    names = set(re.findall(r"`((?:runs|analysis|report)\.[\w.]+)`", walk))
    assert len(names) > 8
    for name in names:
        assert pkgutil.resolve_name(f"jdbench.{name}")


def test_every_unit_of_the_library_has_a_layer() -> None:
    assert {unit(file) for file in LIBRARY} == set(DEPTH)


@pytest.mark.parametrize("file", LIBRARY, ids=lambda f: str(f.relative_to(ROOT)))
def test_library_imports_point_down(file: Path) -> None:
    for name in imports(file):
        if name == unit(file) or {name, unit(file)} <= GROUNDS or (unit(file), name) in OLD_ADDRESSES:
            continue
        assert DEPTH[name] < DEPTH[unit(file)], f"{file}: {unit(file)} imports {name}"
        if unit(file) in ALONE:
            assert name in ALONE[unit(file)], f"{file}: {unit(file)} imports {name}"


@pytest.mark.parametrize("file", sorted((ROOT / "problems").rglob("*.py")), ids=lambda f: f.name)
def test_problems_know_no_runner_and_no_aggregator(file: Path) -> None:
    assert set(imports(file)) - {"problems"} <= ZOO


def test_the_library_never_names_the_zoo() -> None:
    assert not [file for file in LIBRARY if "problems" in set(imports(file))]


def test_no_file_has_a_name_that_says_nothing() -> None:
    vague = {"utils", "util", "common", "base", "core", "misc", "helpers", "helper"}
    assert not [f for f in ROOT.glob("*/**/*.py") if f.stem in vague and not {".venv", ".asv"} & {*f.parts}]


def test_every_package_on_disk_is_installed() -> None:
    """An editable install finds what a wheel would miss."""
    packages = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    folders = {
        ".".join(init.parent.relative_to(ROOT).parts) for init in (ROOT / "jdbench").rglob("__init__.py")
    } | {f"jdbench.{name}" for name in ("problems", "properties")}
    assert packages == folders


def test_no_test_imports_a_test_file() -> None:
    """What two of them need is in `tests/support`, which imports none either."""
    files = sorted((ROOT / "tests").rglob("*.py"))
    names = {file.stem for file in files if file.stem.startswith("test_")}
    assert len(names) == sum(file.stem.startswith("test_") for file in files), "two test files of one name"
    for file in files:
        for module, taken in imported(ast.walk(parsed(file)), file):
            assert not names & {*module.split("."), *taken}, f"{file}: imports {module}"


MODULES = {
    ".".join(file.relative_to(folder.parent).with_suffix("").parts).removesuffix(".__init__"): file
    for folder in (ROOT / "jdbench", ROOT / "problems", ROOT / "properties")
    for file in sorted(folder.rglob("*.py"))
}
"""By name, those of the zoo and of the suite as they lie on disk."""


def loaded_first(name: str) -> set[str]:
    """Return the modules of ours that one needs before its own first line after the imports can run.

    A name taken from a package counts as the module of that name if there is one, as the package if not; that
    the package itself comes first is what Python does, and no circle of ours.
    """
    found: set[str] = set()
    for module, taken in imported(parsed(MODULES[name]).body, MODULES[name]):
        on_disk = module.replace("jdbench.problems", "problems").replace("jdbench.properties", "properties")
        for one in [f"{on_disk}.{part}" for part in taken] or [on_disk]:
            found.add(one if one in MODULES else on_disk)
    return (found & MODULES.keys()) - {name}


def test_no_modules_import_one_another_in_a_circle() -> None:
    graphlib.TopologicalSorter({name: loaded_first(name) for name in MODULES}).prepare()


LONGEST, SHORTEST = 300, 40
REASONS = (" because ", " since ")
"""What the first sentence of a shorter module says: why it is a file of its own."""


def lines(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize(
    "file",
    [file for file in (*LIBRARY, *sorted((ROOT / "problems").rglob("*.py"))) if file.name != "__init__.py"],
    ids=lambda f: str(f.relative_to(ROOT)),
)
def test_a_module_is_one_concept_of_40_to_300_lines_or_says_why_not(file: Path) -> None:
    assert lines(file) <= LONGEST
    if lines(file) < SHORTEST:
        first = (ast.get_docstring(parsed(file)) or "").split(". ")[0].split("\n\n")[0]
        reason = " ".join(first.split())
        assert any(word in reason for word in REASONS), f"{file}: {lines(file)} lines, no reason in {reason!r}"
