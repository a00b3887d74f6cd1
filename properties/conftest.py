"""What runs where: `--aggregator` asks about an aggregator, and the tests of our own solver stay out."""

from pathlib import Path

import pytest

OURS = Path(__file__).with_name("test_dual_cone.py")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the tests of the dual cone's solvers where an aggregator is given.

    Args:
        config: Pytest's.
        items: All that was collected; what stays out is taken from it.
    """
    if config.getoption("--aggregator"):
        ours = [item for item in items if item.path == OURS]
        items[:] = [item for item in items if item.path != OURS]
        if ours:
            config.hook.pytest_deselected(items=ours)
