"""The folder of `jdbench verify --report`: verdicts and how they were made (JSON), violation curves (CSV)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jdbench.errors import InputError
from jdbench.roster import in_order
from jdbench.verification.curves import Point, as_table, read_points
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.verdict_files import read_verdict_file, write_verdict_file
from jdbench.verification.verdicts import Verdict


@dataclass(frozen=True)
class Verification:
    """All that one run of `jdbench verify` came to.

    Attributes:
        verdicts: By aggregator, property and dtype.
        curves: The points of the violation curves; none where no report was asked for.
        made: How: facts by name, the command and the environment among them.
    """

    verdicts: Sequence[Verdict]
    curves: Sequence[Point]
    made: Mapping[str, str]

    @property
    def aggregators(self) -> list[str]:
        """Specs, ours first."""
        return in_order(verdict.aggregator for verdict in self.verdicts)

    @property
    def properties(self) -> list[str]:
        """Names of the properties, in the order of `PROPERTIES`."""
        found = {verdict.prop for verdict in self.verdicts}
        return [name for name in PROPERTIES if name in found]


def write_folder(verification: Verification, folder: Path) -> None:
    """Write all that the page of verdicts is made of; the folder is made if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    write_verdict_file(verification.verdicts, folder / "verdicts.json")
    table = as_table(verification.curves)
    table.to_csv(folder / "curves.csv", index=False, float_format="%.3g", lineterminator="\n")
    made = json.dumps(verification.made, indent=1, ensure_ascii=False)
    (folder / "made.json").write_text(made + "\n", encoding="utf-8")


def read_folder(folder: Path) -> Verification:
    """Return what `write_folder` wrote.

    Raises:
        InputError: A file is missing or is not what it should be.
    """
    try:
        verdicts = read_verdict_file(folder / "verdicts.json")
        made: dict[str, str] = json.loads((folder / "made.json").read_text(encoding="utf-8"))
        made = {str(name): str(fact) for name, fact in made.items()}
        found = Verification(verdicts, read_points(folder / "curves.csv"), made)
    except InputError as error:  # which says of the verdicts what was got, and what to do
        raise InputError(
            f"verification={folder}, required a folder of `jdbench verify --report`, got {error}"
        ) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"verification={folder}, required a folder of `jdbench verify --report`, got {error}, make it again"
        ) from error
    if not found.verdicts:
        raise InputError(f"verification={folder}, required verdicts, got none, make it again")
    return found
