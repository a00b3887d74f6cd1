"""Imports point down only: the order of the design, held by reading every import statement."""

import ast
import tomllib
from collections.abc import Iterator
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


def imports(file: Path) -> Iterator[str]:
    """Yield the first part below jdbench of every import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names] if module == "jdbench" else [module]
        else:
            continue
        for name in names:
            if name.startswith("jdbench."):
                yield name.split(".")[1]


def unit(file: Path) -> str:
    return file.relative_to(ROOT / "jdbench").with_suffix("").parts[0]


LIBRARY = sorted(f for f in (ROOT / "jdbench").rglob("*.py") if f != ROOT / "jdbench" / "__init__.py")


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
