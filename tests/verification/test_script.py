"""Scripts that replay a verdict alone: the witness evaluates to itself, and they run from any folder."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from jdbench.aggregators import Mean
from jdbench.verification.exact.recheck import recheck
from jdbench.verification.properties import PROPERTIES, TABLE_1
from jdbench.verification.script import as_source, replay_script, write_scripts
from jdbench.verification.search import verify
from jdbench.verification.strategies import Matrix
from jdbench.verification.witnesses import Witness
from support.tensors import tensor
from support.verdicts import verdict

NON_CONFLICTING = TABLE_1[0]
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
    refuted = verify(Mean(), PROPERTIES[NON_CONFLICTING])
    found = recheck(Mean(), refuted)
    script = replay_script(replace(refuted, aggregator='m:f(x="""\\n")', recheck=found))
    compile(script, "replay", "exec")
    assert str(found) in script


def test_names_of_scripts_are_short_stay_in_their_folder_and_never_collide(tmp_path: Path) -> None:
    """Also those of specs that are the same but for their punctuation, or for what is cut."""
    cut = ["json:f(text='" + "x" * 480 + f"{end}')" for end in "ab"]
    specs = ["json:f(c=0.1)", "json:f(c=0,1)", "json:f(c='../../up')", "json_f", "json.f", *cut]
    verdicts = [verdict(spec, dtype=dtype) for spec in specs for dtype in (F32, F64)]
    write_scripts([*verdicts, verdict("Mean", outcome="survived")], tmp_path / "r" / "s")
    written = sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file())
    assert len(written) == len(verdicts)
    assert {file.parent.as_posix() for file in written} == {"r/s"}
    assert max(len(file.name) for file in written) < 100
    assert len({file.name.lower() for file in written}) == len(verdicts)


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


def run(command: Sequence[object], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True, timeout=600
    )


def test_what_lies_in_the_working_directory_is_replayed_there_and_by_scripts_from_any_folder(
    tmp_path: Path,
) -> None:
    """All that is refuted or broken has a matrix, is shown again from the file, and has a script."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    (home / "lib").mkdir(parents=True)
    elsewhere.mkdir()
    (home / "strangers_here.py").write_text(STRANGERS)
    specs = [f"strangers_here:{name}" for name in ("Stateful", "Narrow", "Raises", "Sleeps", "Mean")]
    options = "--claims hygiene --examples 8 --limit 0.3 --workers 1 --json v.json --replays out/replays"
    verified = run(["-m", "jdbench", "verify", *specs, *options.split()], home)
    assert verified.returncode == 1, verified.stderr
    verdicts = {
        (v["aggregator"].partition(":")[2], v["dtype"]): v for v in json.loads((home / "v.json").read_text())
    }
    assert {name: verdicts[name, "float64"]["outcome"] for name, _ in verdicts} == {
        "Stateful": "refuted",
        "Narrow": "broken",
        "Raises": "broken",
        "Sleeps": "broken",
        "Mean": "survived",
    }
    assert verdicts["Stateful", "float64"]["message"].startswith("keeps state: A(J) = [")
    assert verdicts["Sleeps", "float64"]["message"] == "hangs: took more than 0.3 s"
    assert all(verdict["witness"]["J"] for verdict in verdicts.values())
    replayed = run(["-m", "jdbench", "replay", "v.json"], home)
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    assert "8 of 8 reproduced" in replayed.stdout
    scripts = sorted((home / "out" / "replays").iterdir())
    assert len(scripts) == 8
    assert not any(str(tmp_path) in script.read_text() for script in scripts)
    for name, said in (("Stateful", "violated True"), ("Raises", "broken raises ValueError: no ")):
        script = next(script for script in scripts if f"-{name}-" in script.name)
        shown = run([script], elsewhere)
        assert shown.returncode == 0, (shown.stdout, shown.stderr)
        assert said in shown.stdout
    # A script says of another aggregator that nothing is there to see.
    mended = scripts[0].with_name("mended.py")
    mended.write_text(re.sub(r"strangers_here:\w+", "UPGrad", scripts[0].read_text()))
    assert run([mended], elsewhere).returncode == 1


def test_a_replay_of_an_installed_aggregator_adds_no_folder(tmp_path: Path) -> None:
    assert "sys.path" not in replay_script(verdict(), tmp_path)
    assert "sys.path" not in replay_script(verdict("torchjd.aggregation:Mean"), tmp_path)
