"""jdbench: the benchmark and the proof-checker of Jacobian descent."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("jdbench")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0.0.0"
