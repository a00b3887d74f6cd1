"""Replays, tables and JSON: the witness evaluates to itself, and all say what rational arithmetic says."""

import json
import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from jdbench.aggregators import Mean
from jdbench.verification.exact.recheck import recheck
from jdbench.verification.properties import PROPERTIES, TABLE_1, Witness
from jdbench.verification.replay import as_source, replay_script
from jdbench.verification.session import examine
from jdbench.verification.strategies import Matrix
from jdbench.verification.verify import verify
from support.tensors import tensor

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


STRANGERS = """
import time

import torch


class Stateful:
    def __init__(self):
        self.calls = 0

    def __call__(self, J):
        self.calls += 1
        return J.mean(0) * (2 if self.calls > 1 else 1)


class Narrow:
    def __call__(self, J):
        return J.mean(0)[:1]


class Raises:
    def __call__(self, J):
        raise ValueError('no "matrix" \\x00 today"')


class Sleeps:
    def __call__(self, J):
        if len(J) > 1 and J.shape != (3, 2) and J.shape != (9, 3) and J.shape != (2, 5):
            time.sleep(60)
        return J.mean(0)


class Mean:
    def __call__(self, J):
        return J.mean(0)
"""


def replayed(script: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script], cwd=cwd, capture_output=True, text=True, timeout=600)


def test_replays_of_what_lies_in_the_working_directory_run_from_any_folder(tmp_path: Path) -> None:
    """All that is refuted or broken has a matrix and a script, which shows the same from elsewhere."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "lib").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "strangers_here.py").write_text(STRANGERS)
    specs = [f"strangers_here:{name}" for name in ("Stateful", "Narrow", "Raises", "Sleeps", "Mean")]
    options = (
        "--claims non-conflicting --examples 20 --limit 0.5 --workers 1 --json v.json --replays out/replays"
    )
    run = subprocess.run(
        [sys.executable, "-m", "jdbench", "verify", *specs, *options.split()],
        cwd=home,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert run.returncode == 1, run.stderr
    verdicts = {
        (v["aggregator"].partition(":")[2], v["property"], v["dtype"]): v
        for v in json.loads((home / "v.json").read_text())
    }
    outcomes = {name: verdicts[name, "hygiene", "float64"]["outcome"] for name, _, _ in verdicts}
    assert outcomes == {
        "Stateful": "refuted",
        "Narrow": "broken",
        "Raises": "broken",
        "Sleeps": "broken",
        "Mean": "survived",
    }
    assert verdicts["Stateful", "hygiene", "float64"]["message"].startswith("keeps state: A(J) = [")
    assert verdicts["Sleeps", "hygiene", "float64"]["message"] == "hangs: took more than 0.5 s"
    assert all(verdict["witness"]["J"] for verdict in verdicts.values())
    failed = [verdict for verdict in verdicts.values() if verdict["outcome"] != "survived"]
    scripts = sorted((home / "out" / "replays").iterdir())
    assert len(scripts) == len(failed)
    for script in scripts:
        if "float64" in script.name:
            assert str(tmp_path) not in script.read_text()
            replay = replayed(script, elsewhere)
            assert replay.returncode == 0, (script.name, replay.stdout, replay.stderr)
            assert "violated True" in replay.stdout or "broken " in replay.stdout
    # A script says of another aggregator that nothing is there to see.
    text = scripts[0].read_text()
    mended = scripts[0].with_name("mended.py")
    mended.write_text(re.sub(r"strangers_here:\w+", "UPGrad", text))
    assert replayed(mended, elsewhere).returncode == 1


def test_a_replay_of_an_installed_aggregator_adds_no_folder(tmp_path: Path) -> None:
    verdict = verify(Mean(), PROPERTIES[NON_CONFLICTING])
    assert "sys.path" not in replay_script("Mean", verdict, "statement", folder=tmp_path)
    assert "sys.path" not in replay_script("torchjd.aggregation:Mean", verdict, "statement", folder=tmp_path)
