"""Failures that are known and have a reason: read from TOML, found by aggregator, property and dtype.

A file is a list of tables ``[[failure]]`` with the keys ``aggregator``, ``property``, ``reason`` and, where one
dtype alone fails, ``dtype``. It may serve many runs: entries about what a run does not test are passed over. A
misspelt aggregator shows, since its failure is then not expected.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from jdbench.aggregator import resolve
from jdbench.errors import InputError, unknown_name
from jdbench.spec import parse
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.verdicts import DTYPES, dtype_name

DTYPE_NAMES = tuple(map(dtype_name, DTYPES))
"""As a file names them."""

REQUIRED = ("aggregator", "property", "reason")


class StaleExpectedFailureWarning(UserWarning):
    """A failure is expected that does not happen."""


@dataclass(frozen=True)
class ExpectedFailure:
    """A property that is known not to be kept.

    Attributes:
        property: Name of the property.
        reason: Why it fails, shown wherever the failure is.
        aggregator: Spec, or the name under which a test lists the aggregator; None for any.
        dtype: ``float32`` or ``float64``; None for both.

    Example:
        >>> from jdbench.verification import ExpectedFailure
        >>> failure = ExpectedFailure("weighted", "accumulates in float16", "mine:Mine", "float32")
        >>> [failure.covers([name], "weighted", "float32") for name in ("mine:Mine", "UPGrad")]
        [True, False]
    """

    property: str
    reason: str
    aggregator: str | None = None
    dtype: str | None = None

    def __post_init__(self) -> None:
        """Refuse what can never fail as expected.

        Raises:
            InputError: The property or the dtype is unknown, or there is no reason.
        """
        if self.property not in PROPERTIES:
            raise unknown_name("property", self.property, PROPERTIES)
        if self.dtype not in (None, *DTYPE_NAMES):
            raise unknown_name("dtype", self.dtype, DTYPE_NAMES)
        if not self.reason.strip():
            raise InputError(f"reason={self.reason!r}, required why it fails, got nothing, say it")

    def covers(self, names: Sequence[str], prop: str, dtype: str) -> bool:
        """Return whether this is the failure of an aggregator, any of whose names may be meant."""
        meant = self.aggregator is None or _canonical(self.aggregator) in map(_canonical, names)
        return meant and self.property == prop and self.dtype in (None, dtype)

    def stale(self, aggregator: str, dtype: str) -> str:
        """Return in one line what to say of an aggregator that kept the property in a dtype."""
        advice = "remove the entry" if self.dtype else "remove the entry, or name the other dtype in it"
        return (
            f"stale expected failure: {aggregator} is {self.property} in {dtype}, expected a failure, "
            f"{self.reason!r}; {advice}"
        )


def find_expected(
    failures: Iterable[ExpectedFailure], names: Sequence[str], prop: str, dtype: str
) -> ExpectedFailure | None:
    """Return the first entry about a failure of an aggregator with these names; None if it is not expected."""
    return next((failure for failure in failures if failure.covers(names, prop, dtype)), None)


def read_expected_failures(path: Path) -> tuple[ExpectedFailure, ...]:
    """Return the entries of a file.

    Args:
        path: A TOML file of ``[[failure]]`` tables.

    Returns:
        The entries in their order.

    Raises:
        InputError: The file cannot be read, is no TOML, or an entry is incomplete, unknown or there twice.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jdbench.verification import read_expected_failures
        >>> entry = 'aggregator = "Mean", property = "non-conflicting", reason = "a mean conflicts"'
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "expected.toml"
        ...     _ = file.write_text(f"failure = [{{{entry}}}]")
        ...     [failure.reason for failure in read_expected_failures(file)]
        ['a mean conflicts']
    """
    what = f"expected failures={str(path)!r}"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{what}, required a file to read, got {error.strerror}, check the path") from error
    except ValueError as error:
        raise InputError(f"{what}, required TOML, got {error}, mend it there") from error
    tables = content.get("failure", [])
    if set(content) - {"failure"} or not isinstance(tables, list):
        raise InputError(
            f"{what}, required [[failure]] tables alone, got {', '.join(content)}, head each entry [[failure]]"
        )
    failures = dict[tuple[str, str, str | None], ExpectedFailure]()
    for number, table in enumerate(cast("list[object]", tables), 1):
        try:
            failure = _entry(table)
            key = (_canonical(failure.aggregator or ""), failure.property, failure.dtype)
            if key in failures:
                raise InputError(f"aggregator={failure.aggregator!r}, required once, got it twice, remove one")
            failures[key] = failure
        except InputError as error:
            raise InputError(f"{what}, failure {number}: {error}") from error
    return tuple(failures.values())


def _entry(table: object) -> ExpectedFailure:
    if not isinstance(table, dict):
        raise InputError(f"failure={table!r}, required a table, got {type(table).__name__}, write [[failure]]")
    entry = cast("dict[str, Any]", table)
    for key, value in entry.items():
        if key not in (*REQUIRED, "dtype"):
            raise unknown_name("key", key, (*REQUIRED, "dtype"))
        if not isinstance(value, str):
            raise InputError(f"{key}={value!r}, required a string, got {type(value).__name__}, quote it")
    for key in REQUIRED:
        if key not in entry:
            raise InputError(f"{key}, required in every entry, got {', '.join(entry) or 'none'}, add it")
    return ExpectedFailure(**entry)


def _canonical(name: str) -> str:
    """Return a spec in its shortest form, and any other name without its blanks."""
    try:
        parsed = parse(name, "aggregator")
        return str(parsed) if parsed.module else resolve(name).spec
    except InputError:
        return "".join(name.split()).removesuffix("()")
