"""jdbench: the benchmark and the proof-checker of Jacobian descent."""

from typing import Any


def __getattr__(name: str) -> Any:
    # Every run of pytest imports this package for its plugin, and to look the version up takes milliseconds.
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("jdbench")
    except PackageNotFoundError:  # a source tree that was never installed
        return "0.0.0"
