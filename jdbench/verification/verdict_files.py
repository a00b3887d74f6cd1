"""What `jdbench verify` leaves on disk: verdicts (JSON), replay scripts, curves (CSV), how they were made."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jdbench.verification.curves import Point, as_table
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.replay import as_json, replay_name, replay_script
from jdbench.verification.verdicts import Judgement
from jdbench.verification.verify import Outcome


def write_verdicts(judgements: Iterable[Judgement], path: Path) -> None:
    """Write verdicts as a JSON list, one a line.

    Args:
        judgements: The verdicts.
        path: File.
    """
    lines = [
        json.dumps(_plain(judgement), allow_nan=False, ensure_ascii=False, separators=(",", ":"))
        for judgement in judgements
    ]
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


def write_replays(judgements: Iterable[Judgement], folder: Path) -> None:
    """Write a script for each refutation, and for each way in which an aggregator is broken.

    Args:
        judgements: The verdicts.
        folder: Made if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for judgement in judgements:
        verdict = judgement.verdict
        if verdict.outcome is not Outcome.SURVIVED:
            statement = PROPERTIES[verdict.property].statement
            script = replay_script(judgement.spec, verdict, statement, judgement.recheck, folder.resolve())
            name = replay_name(judgement.spec, verdict.property, judgement.dtype)
            (folder / name).write_text(script, encoding="utf-8")


def write_folder(
    judgements: Sequence[Judgement], points: Iterable[Point], made: Mapping[str, str], folder: Path
) -> None:
    """Write all that the page of verdicts is made of; replays of an earlier run are deleted.

    Args:
        judgements: The verdicts.
        points: The violation curves.
        made: How: facts by name, the command among them.
        folder: Made if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for stale in (folder / "replays").glob("*.py"):
        stale.unlink()
    write_verdicts(judgements, folder / "verdicts.json")
    write_replays(judgements, folder / "replays")
    as_table(points).to_csv(folder / "curves.csv", index=False, float_format="%.3g", lineterminator="\n")
    (folder / "made.json").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(judgement: Judgement) -> dict[str, Any]:
    reason = None if judgement.expected is None else judgement.expected.reason
    return {**as_json(judgement.spec, judgement.verdict, judgement.recheck), "expected": reason}
