"""`jdbench replay`: a recorded violation is shown again, or it is said why not; the table says the same."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from jdbench.verification.properties import TABLE_1
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdict_files import read_verdict_file, write_verdict_file
from jdbench.verification.verdicts import Verdict
from jdbench.verification.witnesses import Witness
from support.tensors import tensor
from support.verdicts import jdbench, verdict

NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1

STRANGERS = """
calls = []

def conflicts(J):
    calls.append(J)
    return -J.sum(0)

def raises(J):
    raise ValueError("no")
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Run a command in this process, in a folder with strangers: its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "replayed_strangers.py").write_text(STRANGERS)
    monkeypatch.setenv("COLUMNS", "400")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = jdbench(monkeypatch, *arguments)
        return code, *capfd.readouterr()

    return run


def written(*verdicts: Verdict) -> Path:
    write_verdict_file(verdicts, Path("v.json"))
    return Path("v.json")


def test_one_is_found_by_its_name_or_a_part_and_shown_with_all_that_is_known(command) -> None:
    file = written(verdict(), verdict(dtype=torch.float32), verdict("UPGrad", outcome="survived", margin=0.0))
    for name in ("Mean/non-conflicting/float64", "float64"):
        code, out, err = command("replay", file, name)
        assert (code, err) == (0, "")
        assert "J = [[1.0], [-2.0]]\nA(J) = [-0.5]\n" in out
        assert "margin -0.25 tolerance " in out
        assert "confirmed in rational arithmetic, margin -0.25; [JD]'s Mean violates it here too" in out
        assert out.endswith("\nreproduced\n")


def test_a_verdict_that_does_not_come_again_is_not_reproduced(command) -> None:
    code, out, _ = command("replay", written(verdict("UPGrad")), "UPGrad")
    assert code == 1
    assert out.endswith("\nnot reproduced\n")


def test_without_a_name_all_that_failed_are_replayed(command) -> None:
    broken = verdict("replayed_strangers:raises", WEIGHTED, "broken", message="raises: ValueError: no")
    file = written(
        verdict(), verdict("replayed_strangers:conflicts"), broken, verdict("UPGrad", WEIGHTED, "survived")
    )
    code, out, _ = command("replay", file)
    assert code == 0
    assert "3 of 3 reproduced" in out
    assert "raises: ValueError: no" in out
    code, out, _ = command("replay", written(verdict(), verdict("UPGrad")))
    assert code == 1
    assert "1 of 2 reproduced" in out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Maen/non-conflicting/float64", "choose Mean/non-conflicting/float64"),
        ("nothing like it", "got none of 3, choose Mean/non-conflicting/float64, "),
        ("non-conflicting", "required a part of one name, got 2, choose Mean/non-conflicting/float64, "),
        ("UPGrad", "got UPGrad/weighted/float64 that survived 160 matrices, there is nothing to replay"),
    ],
)
def test_a_name_of_none_several_or_a_survivor_is_refused(command, name: str, message: str) -> None:
    file = written(verdict(), verdict("DualProj"), verdict("UPGrad", WEIGHTED, "survived"))
    code, out, err = command("replay", file, name)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_file_that_is_none_and_one_without_failures_are_refused(command) -> None:
    for content in ("[NaN]", '[{"J": [[1e999]]}]', "no"):
        Path("v.json").write_text(content)
        code, _, err = command("replay", "v.json")
        assert code == 2
        assert "required a file of `jdbench verify --json`" in err
        assert err.count("\n") == 1
    code, _, err = command("replay", written(verdict("UPGrad", outcome="survived")))
    assert code == 2
    assert "there is nothing to replay" in err


def test_what_cannot_be_made_here_is_said_and_the_others_are_replayed(command) -> None:
    file = written(verdict("nowhere.to.be:found"), verdict(), verdict("Maen"))
    code, out, err = command("replay", file)
    assert code == 2
    assert "1 of 1 reproduced" in out
    assert "nowhere.to.be:found/non-conflicting/float64: " in err
    assert "(and 1 more)" in err
    code, out, err = command("replay", file, "nowhere")
    assert (code, out) == (2, "")
    assert "required a module that imports" in err


def test_only_what_is_asked_for_is_called(command) -> None:
    """Data is not code: reading a file and choosing from it imports nothing that it names."""
    import sys

    file = written(verdict("replayed_strangers:conflicts"), verdict())
    monkey = sys.modules.pop("replayed_strangers", None)
    assert command("replay", file, "Mean")[0] == 0
    assert "replayed_strangers" not in sys.modules
    if monkey is not None:
        sys.modules["replayed_strangers"] = monkey


def test_the_check_that_showed_it_and_the_scalings_are_those_of_the_record(command) -> None:
    scalings = (tensor([1.0, 1.0])[0], tensor([63.0, 1.0])[0])
    scaled = Witness(Matrix(tensor([1.0], [-1.0]), "opposed"), 0, scalings)
    variant = verdict("UPGrad(trace_regularization=0.0001)", LINEAR, witness=scaled)
    code, out, _ = command("replay", written(variant), LINEAR)
    assert code == 0
    assert "[JD]'s UPGrad keeps it here: the options make another definition" in out
    elsewhere = replace(verdict("Mean", WEIGHTED), shown_by=NON_CONFLICTING)
    assert command("replay", written(elsewhere), WEIGHTED)[0] == 0
    assert command("replay", written(replace(elsewhere, shown_by=WEIGHTED)), WEIGHTED)[0] == 1


def test_a_script_is_written_on_request_to_one_file(command, tmp_path: Path) -> None:
    file = written(verdict("replayed_strangers:conflicts"), verdict())
    code, out, _ = command("replay", file, "conflicts", "--script", "show.py")
    assert (code, out) == (0, "wrote show.py\n")
    assert "replayed_strangers:conflicts" in Path("show.py").read_text()
    assert str(tmp_path) not in Path("show.py").read_text()
    code, _, err = command("replay", file, "--script", "show.py")
    assert code == 2
    assert "required one verdict, got 2, name one" in err
    code, _, err = command("replay", file, "Mean", "--script", "missing/show.py")
    assert code == 2
    assert "required a file to write" in err


def test_what_verify_prints_writes_and_replays_agrees(command) -> None:
    options = ["--claims", LINEAR, "--examples", 24, "--workers", 1, "--json", "v.json", "--replays", "r"]
    code, table, _ = command("verify", "MGDA", *options)
    assert code == 1
    line = "[JD]'s MGDA violates it here too"
    assert line in table
    first = json.loads(Path("v.json").read_text(), parse_constant=pytest.fail)[0]
    assert first["recheck"]["confirmed"] is True
    assert first["recheck"]["margin"] == pytest.approx(first["margin"], rel=1e-6)
    definition = first["recheck"]["definition"]
    assert (definition["name"], definition["keeps"], definition["bearer"]) == ("MGDA", False, "implementation")
    assert len(first["witness"]["scalings"]) == 2
    scripts = sorted(Path("r").iterdir())
    assert len(scripts) == len([one for one in read_verdict_file(Path("v.json")) if one.failed]) == 2
    assert all(line in script.read_text() for script in scripts)
    code, out, _ = command("replay", "v.json")
    assert code == 0
    assert "2 of 2 reproduced" in out
