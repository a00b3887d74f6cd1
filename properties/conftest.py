"""What runs where: `--aggregator` asks about an aggregator and its claims, and all other tests stay out."""

from pathlib import Path

import pytest

from jdbench.pytest_plugin import add_short_options
from jdbench.verification.pytest.options import claimed_properties, specs, subjects

HERE = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the options of the plugin go without their prefix here.

    Args:
        parser: Pytest's.
    """
    add_short_options(parser)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize the tests of a property by what is verified of it.

    Args:
        metafunc: A test function of this folder.
    """
    name = getattr(metafunc.module, "PROPERTY", None)
    if name is not None and "subject" in metafunc.fixturenames:
        metafunc.parametrize("subject", subjects(metafunc.config, name), ids=str)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what was not asked where an aggregator is given: the dual cone's solvers, and other properties.

    Args:
        config: Pytest's.
        items: All that was collected; what stays out is taken from it.
    """
    if specs(config):
        properties = claimed_properties(config)
        here = [item for item in items if isinstance(item, pytest.Function) and item.path.parent == HERE]
        out = {item for item in here if getattr(item.module, "PROPERTY", None) not in properties}
        items[:] = [item for item in items if item not in out]
        if out:
            config.hook.pytest_deselected(items=list(out))
