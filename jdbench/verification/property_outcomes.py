"""Which properties an aggregator has, as `jdbench verify` found."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from jdbench.errors import InputError
from jdbench.verification.properties import PROPERTIES, TABLE_1

NON_CONFLICTING = TABLE_1[0]

SURVIVED, REFUTED, BROKEN = "survived", "refuted", "broken"


@dataclass(frozen=True)
class Verdicts:
    """What is known of properties.

    Attributes:
        outcomes: ``survived``, ``refuted`` or ``broken`` by aggregator and property: the worst of its dtypes.
        page: Where the verdicts stand with their witnesses, as seen from the report; empty if nowhere near.
    """

    outcomes: Mapping[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    page: str = ""

    def having(self, *names: str) -> list[str]:
        """Return the aggregators for which no search found a violation of properties.

        Args:
            *names: The properties.

        Returns:
            Specs, sorted.
        """
        known = sorted({aggregator for aggregator, _ in self.outcomes})
        return [one for one in known if all(self.outcomes.get((one, name)) == SURVIVED for name in names)]

    def frame(self) -> pd.DataFrame:
        """Return the table ``aggregator property outcome``, in the order of `PROPERTIES`."""
        order = list(PROPERTIES)
        rows = sorted((a, order.index(p), p, outcome) for (a, p), outcome in self.outcomes.items())
        return pd.DataFrame(
            [(a, p, outcome) for a, _, p, outcome in rows], columns=["aggregator", "property", "outcome"]
        )


def read_verdicts(file: Path | None, out: Path) -> Verdicts:
    """Return the verdicts of a file of `jdbench verify`.

    Args:
        file: ``verdicts.json``; that of ``out/verification``, if there is one, where None.
        out: The report's folder.

    Returns:
        The verdicts; none where no file was named and none is there.

    Raises:
        InputError: The file is missing or is not what it should be.
    """
    found = file or out / "verification" / "verdicts.json"
    if file is None and not found.is_file():
        return Verdicts()
    worst = [SURVIVED, REFUTED, BROKEN]
    outcomes: dict[tuple[str, str], str] = {}
    try:
        for one in json.loads(found.read_text(encoding="utf-8")):
            name = str(one["aggregator"]), str(one["property"])
            outcomes[name] = max(outcomes.get(name, SURVIVED), str(one["outcome"]), key=worst.index)
            list(PROPERTIES).index(name[1])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"verdicts={found}, required a file of `jdbench verify --json`, got {error}, make it again"
        ) from error
    page = found.with_name("index.html")
    near = page.is_file() and page.resolve().is_relative_to(out.resolve())
    return Verdicts(outcomes, page.resolve().relative_to(out.resolve()).as_posix() if near else "")
