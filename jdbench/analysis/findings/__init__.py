"""What theory predicts, looked up in the runs of a store: each prediction holds, fails, or cannot be told.

A prediction about all problems, starts or dials is judged on those that the store has. Which problems fulfil
the assumptions of a theorem, they say themselves; one that is not announced by its name is passed over.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from jdbench.analysis.findings import descent, dials
from jdbench.analysis.findings.evidence import (
    FAILS,
    HOLDS,
    UNTOLD,
    Answer,
    Evidence,
    Prediction,
    evidence_of,
)
from jdbench.errors import InputError

__all__ = [
    "FAILS", "HOLDS", "PREDICTIONS", "UNTOLD", "Answer", "Evidence", "Prediction", "evidence_of", "findings",
    "summary", "write_findings",
]  # fmt: skip

PREDICTIONS = (*descent.PREDICTIONS, *dials.PREDICTIONS)

Findings = Mapping[Prediction, Answer]


def findings(evidence: Evidence) -> dict[Prediction, Answer]:
    """Return what runs say of each prediction, in the order of `PREDICTIONS`.

    Example:
        >>> from jdbench.analysis.findings import Evidence, findings
        >>> found = findings(Evidence(["quick"], references=[], selected=[], weights={}))
        >>> {answer.told for answer in found.values()}
        {'cannot tell'}
    """
    return {prediction: prediction.judge(evidence) for prediction in PREDICTIONS}


def summary(found: Findings) -> str:
    """Return how many hold, fail and cannot be told, in a line.

    Example:
        >>> from jdbench.analysis.findings import Evidence, findings, summary
        >>> found = findings(Evidence(["quick"], references=[], selected=[], weights={}))
        >>> summary(found)
        '0 hold, 0 fail, 20 cannot be told'
    """
    told = Counter(answer.told for answer in found.values())
    return f"{told[HOLDS]} hold, {told[FAILS]} fail, {told[UNTOLD]} cannot be told"


def write_findings(found: Findings, file: Path) -> None:
    """Write findings as JSON: a list of objects with name, statement, source, told, numbers and missing.

    Raises:
        InputError: The file cannot be written.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from jdbench.analysis.findings import Evidence, findings, write_findings
        >>> found = findings(Evidence(["quick"], references=[], selected=[], weights={}))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_findings(found, Path(folder) / "found.json")
        ...     (Path(folder) / "found.json").read_text(encoding="utf-8").count("cannot tell")
        20
    """
    said = [
        {
            "name": prediction.name,
            "statement": prediction.statement,
            "source": prediction.source,
            "told": answer.told,
            # Infinity and NaN are no JSON: they travel as their names.
            "numbers": {
                name: value if isinstance(value, str) or math.isfinite(value) else repr(float(value))
                for name, value in answer.numbers.items()
            },
            "missing": answer.missing,
        }
        for prediction, answer in found.items()
    ]
    try:
        file.write_text(json.dumps(said, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"json={file}, required a file to write, got {error}, choose another") from error
