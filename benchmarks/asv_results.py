"""What asv wrote about a commit: a number with its interval for each benchmark and choice of parameters."""

import itertools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FORMAT = 2
"""Version of the result files that is read: asv 0.6's."""


class ResultsError(ValueError):
    """There are no results to read; the message says what to run."""


class Measurement(NamedTuple):
    """A number of one commit.

    Attributes:
        value: A median time, a peak or what was tracked; None if the benchmark failed.
        low: Lower end of the 99 % interval of the median, the value itself where nothing was sampled.
        high: Upper end.
        version: Digest of the benchmark's source.
        unit: Such as ``seconds``.
    """

    value: float | None
    low: float
    high: float
    version: str
    unit: str


def measurements(folder: Path, commit: str) -> dict[str, Measurement]:
    """Return all that was measured of a commit, given by its full hash, over machines and environments.

    Measurements go by name, parameters in parentheses; where there is more than one machine or environment,
    each is a prefix. What asv shows as n/a is left out.

    Raises:
        ResultsError: There is no result of the commit, or its format is another.
    """
    files = sorted(folder.glob(f"*/{commit[:8]}-*.json"))
    if not files:
        raise ResultsError(
            f"commit={commit[:8]}, required results in {folder}, got none, run `asv run '{commit[:8]}^!'`"
        )
    units = _units(folder)
    places = {file.relative_to(folder) for file in folder.glob("*/*-*.json")}
    several = len({(place.parent, place.name.split("-", 1)[1]) for place in places}) > 1
    found: dict[str, Measurement] = {}
    for file in files:
        place = file.relative_to(folder)
        prefix = f"{place.parent.name}, {place.stem.split('-', 1)[1]}: " if several else ""
        found |= {prefix + name: one for name, one in _read(file, units)}
    return found


def _read(file: Path, units: dict[str, str]) -> Iterator[tuple[str, Measurement]]:
    content = json.loads(file.read_text(encoding="utf-8"))
    if content.get("version") != FORMAT:
        raise ResultsError(
            f"file={file}, required format {FORMAT}, got {content.get('version')}, run it again with asv 0.6"
        )
    for name, row in content["results"].items():
        columns: dict[str, Any] = dict(zip(content["result_columns"], row, strict=False))
        combinations = list(itertools.product(*(columns.get("params") or [])))
        values = columns.get("result") or [None] * len(combinations)  # null: every combination failed
        for k, (combination, value) in enumerate(zip(combinations, values, strict=True)):
            if value is not None and math.isnan(value):
                continue  # n/a: left out by the benchmark itself
            number = 0.0 if value is None else value
            ends = [_entry(columns, f"stats_ci_99_{end}", k) for end in "ab"]
            low, high = (number if end is None else end for end in ends)
            label = f"{name}({', '.join(combination)})" if combination else name
            yield label, Measurement(value, low, high, columns.get("version", ""), units.get(name, ""))


def _entry(columns: dict[str, Any], name: str, k: int) -> float | None:
    column = columns.get(name)
    return None if column is None else column[k]


def _units(folder: Path) -> dict[str, str]:
    file = folder / "benchmarks.json"
    if not file.exists():
        return {}
    content = json.loads(file.read_text(encoding="utf-8"))
    return {name: one.get("unit", "") for name, one in content.items() if isinstance(one, dict)}
