"""Does an aggregator keep its claims? What users call of the answer, imported when it is asked for.

Importing this package loads nothing: a command line that only prints its help, and pytest wherever jdbench is
installed, would else wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jdbench.verification import predicates
    from jdbench.verification.claims import CLAIMS, Claim, table_1
    from jdbench.verification.curves import Point, curve
    from jdbench.verification.exact.recheck import recheck
    from jdbench.verification.expected_failures import ExpectedFailure, read_expected_failures
    from jdbench.verification.properties import PROPERTIES, TABLE_1, Property
    from jdbench.verification.pytest.decorator import parametrize_with_properties
    from jdbench.verification.replay import replay_verdict
    from jdbench.verification.search import verify
    from jdbench.verification.strategies import Matrix, classes, matrices, regular
    from jdbench.verification.verdict_files import read_verdict_file, write_verdict_file
    from jdbench.verification.verdicts import Finding, Outcome, Recheck, Verdict
    from jdbench.verification.witnesses import Witness

PROFILES = {"default": 160, "thorough": 2000, "nightly": 20_000}
"""Matrices tried for each property and dtype, one table for the command line, pytest and Python.

Where a violation is claimed, ten times as many may be.
"""

EXAMPLES = PROFILES["default"]
"""What is tried where nothing else is asked for."""

HOMES = {
    "CLAIMS": "claims",
    "Claim": "claims",
    "table_1": "claims",
    "Point": "curves",
    "curve": "curves",
    "recheck": "exact.recheck",
    "ExpectedFailure": "expected_failures",
    "read_expected_failures": "expected_failures",
    "PROPERTIES": "properties",
    "TABLE_1": "properties",
    "Property": "properties",
    "parametrize_with_properties": "pytest.decorator",
    "replay_verdict": "replay",
    "verify": "search",
    "Matrix": "strategies",
    "classes": "strategies",
    "matrices": "strategies",
    "regular": "strategies",
    "read_verdict_file": "verdict_files",
    "write_verdict_file": "verdict_files",
    "Finding": "verdicts",
    "Outcome": "verdicts",
    "Recheck": "verdicts",
    "Verdict": "verdicts",
    "Witness": "witnesses",
}
"""The module of this package in which each name is defined."""

__all__ = [
    "CLAIMS",
    "EXAMPLES",
    "PROFILES",
    "PROPERTIES",
    "TABLE_1",
    "Claim",
    "ExpectedFailure",
    "Finding",
    "Matrix",
    "Outcome",
    "Point",
    "Property",
    "Recheck",
    "Verdict",
    "Witness",
    "classes",
    "curve",
    "matrices",
    "parametrize_with_properties",
    "predicates",
    "read_expected_failures",
    "read_verdict_file",
    "recheck",
    "regular",
    "replay_verdict",
    "table_1",
    "verify",
    "write_verdict_file",
]


def __getattr__(name: str) -> Any:
    """Return what is imported from here, from where it is defined."""
    if name == "predicates":
        return import_module("jdbench.verification.predicates")
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
