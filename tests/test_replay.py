"""Replays, tables and JSON: the witness evaluates to itself, and all say what rational arithmetic says."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tensors import tensor

from jdbench.aggregators import Mean
from jdbench.examination import examine
from jdbench.verification.properties import PROPERTIES, TABLE_1, Witness
from jdbench.verification.recheck import recheck
from jdbench.verification.replay import as_source, replay_script
from jdbench.verification.strategies import Matrix
from jdbench.verification.verify import verify

NON_CONFLICTING, LINEAR, _ = TABLE_1
F32, F64 = torch.float32, torch.float64


def test_sources_evaluate_to_the_same_witness() -> None:
    witness = Witness(
        Matrix(tensor([0.1, -(2.0**-490)], [math.inf, 3.0]), "it's", tensor([1.0, 0.0])[0]),
        3,
        (torch.tensor([1.0], dtype=F64), torch.empty(0, 2, dtype=F32)),
    )
    names = {"torch": torch, "Witness": Witness, "Matrix": Matrix}
    again = eval(as_source(witness), names)
    assert as_source(again) == as_source(witness)
    assert torch.equal(again.matrix.J, witness.matrix.J)
    assert torch.equal(again.matrix.certificate, witness.matrix.certificate)
    assert [s.shape for s in again.scalings] == [(1,), (0, 2)]
    assert again.scalings[1].dtype == F32
    assert again.seed == 3


def test_a_script_holds_the_recheck_whatever_the_names_hold() -> None:
    verdict = verify(Mean(), PROPERTIES[NON_CONFLICTING])
    found = recheck(Mean(), verdict)
    script = replay_script('m:f(x="""\\n")', verdict, "statement", found)
    compile(script, "replay", "exec")
    assert str(found) in script


def test_tables_json_and_replays_say_what_rational_arithmetic_says(tmp_path: Path) -> None:
    from rich.console import Console

    with (tmp_path / "table").open("w") as file:
        failures = examine(
            ["UPGrad(trace_regularization=1e-4)"],
            claims=LINEAR,
            examples=60,
            seed=0,
            limit=10.0,
            json_path=tmp_path / "v.json",
            replays=tmp_path / "replays",
            console=Console(file=file, width=400),
        )
    assert failures == 2
    line = "[JD]'s UPGrad keeps it here: the options make another definition"
    assert line in (tmp_path / "table").read_text()
    first = json.loads((tmp_path / "v.json").read_text(), parse_constant=pytest.fail)[0]
    assert first["recheck"]["confirmed"] is True
    assert first["recheck"]["margin"] == pytest.approx(first["margin"], rel=1e-6)
    definition = first["recheck"]["definition"]
    assert (definition["name"], definition["keeps"], definition["bearer"]) == ("UPGrad", True, "variant")
    assert len(first["witness"]["scalings"]) == 2
    scripts = sorted((tmp_path / "replays").iterdir())
    assert len(scripts) == 2
    assert all(line in script.read_text() for script in scripts)
    replay = subprocess.run([sys.executable, scripts[0]], cwd=tmp_path, capture_output=True, text=True)
    assert replay.returncode == 0, replay.stderr
