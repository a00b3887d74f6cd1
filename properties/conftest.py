"""What runs where: `--aggregator` asks about an aggregator and its claims, and all other tests stay out."""

from pathlib import Path

import pytest

from jdbench.examination import chosen_properties

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what was not asked where an aggregator is given: the dual cone's solvers, and other properties.

    Args:
        config: Pytest's.
        items: All that was collected; what stays out is taken from it.
    """
    if config.getoption("--aggregator"):
        claimed = chosen_properties(config.getoption("--claims"))
        here = [item for item in items if isinstance(item, pytest.Function) and item.path.parent == HERE]
        out = {item for item in here if getattr(item.module, "PROPERTY", None) not in claimed}
        items[:] = [item for item in items if item not in out]
        if out:
            config.hook.pytest_deselected(items=list(out))
