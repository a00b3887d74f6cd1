"""Files of verdicts: what is written is read back, old files are read, damaged and foreign ones are refused."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from jdbench.errors import InputError
from jdbench.verification.folder import Verification, read_folder
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.script import as_source
from jdbench.verification.session import Session, write_session
from jdbench.verification.strategies import Matrix
from jdbench.verification.summary import Verdicts, read_verdicts
from jdbench.verification.verdict_files import read_verdict_file, write_verdict_file
from jdbench.verification.verdicts import NO_MARGIN, Bearer, Definition, Recheck, Verdict
from jdbench.verification.witnesses import ROUNDS, Witness
from support.tensors import eye, tensor
from support.verdicts import verdict

FULL = Witness(
    Matrix(tensor([0.5, 1.0], [-0.5, -1.0]), "strongly stationary", tensor([1.0, 1.0])[0]),
    3,
    (tensor([2.0, 0.5])[0], tensor([6.0, 1.5])[0]),
    tensor([1.0, 0.5], [-1.0, -0.5]),
    eye(2).flip(0),
    ROUNDS,
)

RECHECKS = [
    Recheck(-0.25, 1e-14, Definition("Mean", False, 0.0, Bearer.IMPLEMENTATION)),
    Recheck(-0.25, 1e-14, Definition("UPGrad", True, math.inf, Bearer.VARIANT)),
    Recheck(-1e-16, 1e-14, missing="no exact definition bears its name"),
    Recheck(None, 1e-14, missing="called again, it raises: RuntimeError: no; more"),
]

VERDICTS = [
    verdict(witness=FULL),
    replace(verdict(dtype=torch.float32), expected="a mean conflicts", limit=0.5),
    replace(
        verdict("m:f(x='\"\\n🜁')", outcome="broken", margin=math.nan), tolerance=math.nan, shown_by="hygiene"
    ),
    verdict("UPGrad", outcome="survived", margin=0.0),
    *(replace(verdict(f"m:f{i}"), recheck=recheck) for i, recheck in enumerate(RECHECKS)),
]


def same(first: Verdict, second: Verdict) -> bool:
    """Whether all fields are the same: tensors and NaN do not compare."""
    held = [[as_source(getattr(one, field.name)) for field in fields(Verdict)] for one in (first, second)]
    return held[0] == held[1]


def test_verdicts_of_one_name_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    unnamed = replace(VERDICTS[0], aggregator="")
    message = r"got /[\w-]+/float64 as the verdicts 1, 3, set `aggregator` to different specs"
    with pytest.raises(InputError, match=message):
        write_verdict_file([unnamed, VERDICTS[1], unnamed], tmp_path / "v.json")
    assert not (tmp_path / "v.json").exists()


def test_a_folder_without_verdicts_is_told_once_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"verification=.*verdicts\.json") as raised:
        read_folder(tmp_path)
    assert str(raised.value).count("make it again") == 1


def test_the_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    session = Session(Verification(VERDICTS, [], {}), [], [])
    with pytest.raises(InputError, match=r"^report=.*file, required a place to write, got .*, choose another$"):
        write_session(session, tmp_path / "v.json", None, tmp_path / "file")
    assert (tmp_path / "v.json").exists()


def test_all_of_a_verdict_is_read_back(tmp_path: Path) -> None:
    write_verdict_file(VERDICTS, tmp_path / "v.json")
    again = read_verdict_file(tmp_path / "v.json")
    assert len(again) == len(VERDICTS)
    for before, after in zip(VERDICTS, again, strict=True):
        assert same(before, after), (before, after)
    assert [str(one.recheck) for one in again] == [str(one.recheck) for one in VERDICTS]
    write_verdict_file(again, tmp_path / "w.json")
    assert (tmp_path / "w.json").read_bytes() == (tmp_path / "v.json").read_bytes()


def test_files_of_earlier_versions_are_read(tmp_path: Path) -> None:
    """They have no shown_by, no limit, no rounds, and say in the summary of a recheck what is missing."""
    write_verdict_file(VERDICTS, tmp_path / "v.json")
    old = json.loads((tmp_path / "v.json").read_text())
    for entry in old:
        del entry["shown_by"], entry["limit"], entry["witness"]["rounds"]
        if entry["recheck"]:
            del entry["recheck"]["missing"]
    (tmp_path / "v.json").write_text(json.dumps(old))
    for before, after in zip(VERDICTS, read_verdict_file(tmp_path / "v.json"), strict=True):
        witness = replace(before.witness, rounds=None)
        assert same(replace(before, witness=witness, shown_by=before.prop, limit=10.0), after)
        assert str(after.recheck) == str(before.recheck)


def entry(**changed: object) -> dict[str, object]:
    """Return an entry with other fields; those of its witness as ``witness_…``."""
    plain: dict[str, object] = {
        "aggregator": "os:system",
        "property": "weighted",
        "dtype": "float32",
        "outcome": "refuted",
        "examples": 1,
        "margin": -1.0,
        "tolerance": 0.0,
        "message": "",
        "recheck": None,
        "expected": None,
    }
    witness: dict[str, object] = {"J": [[1.0, 2.0]], "kind": "one row", "seed": 0, "scalings": []}
    witness |= {name.removeprefix("witness_"): changed.pop(name) for name in [*changed] if "witness_" in name}
    return {**plain, "witness": witness, **changed}


DAMAGED = {
    "no JSON": ("{", "Expecting property name"),
    "no text": (b"\xff\xfe\x00", "can't decode"),
    "an object": ("{}", "a dict and no list"),
    "NaN": ('[{"margin": NaN}]', "NaN, which is no number of JSON"),
    "deep": ("[" * 100_000, "recursion"),
    "no object": ("[3]", "entry 1: a int and no object"),
    "another file": ('[{"problem": "ZDT1"}]', "entry 1: property=None"),
    "twice": (json.dumps([entry(), entry()]), "entry 2: os:system/weighted/float32 for the second time"),
    "unknown property": (json.dumps([entry(), entry(property="weigted")]), "entry 2: property='weigted'"),
    "unknown dtype": (json.dumps([entry(dtype="float16")]), "dtype='float16'"),
    "unknown outcome": (json.dumps([entry(outcome="fine")]), "outcome='fine'"),
    "no aggregator": (json.dumps([entry(aggregator=["rm"])]), "aggregator=['rm']"),
    "a margin of letters": (json.dumps([entry(margin="-1")]), "margin='-1'"),
    "an infinite margin": (json.dumps([entry()]).replace("-1.0", "-1e999"), "margin=-inf"),
    "a negative limit": (json.dumps([entry(limit=-1)]), "limit=-1"),
    "a limit of years": (json.dumps([entry(limit=1e300)]), "limit=1e+300"),
    "no witness": (json.dumps([entry(witness=None)]), "entry 1, witness: a NoneType and no object"),
    "no matrix": (json.dumps([entry(witness_J=None)]), "J: None and no number"),
    "a vector": (json.dumps([entry(witness_J=[1.0])]), "J of shape (1,)"),
    "ragged": (json.dumps([entry(witness_J=[[1.0], [1.0, 2.0]])]), "J: "),
    "no rows": (json.dumps([entry(witness_J=[])]), "J of shape (0,)"),
    "letters": (json.dumps([entry(witness_J=[["nan"]])]), "J: 'nan' and no number"),
    "truth": (json.dumps([entry(witness_J=[[True]])]), "J: True and no number"),
    "infinite": (json.dumps([entry()]).replace("2.0", "1e999"), "J with entries that no search draws"),
    "huge": (json.dumps([entry(dtype="float64", witness_J=[[1e200]])]), "J with entries that no search draws"),
    "huge integer": (json.dumps([entry(witness_J=[[10**400]])]), "J: int too large"),
    "no float32": (json.dumps([entry(witness_J=[[0.1]])]), "J with entries that no search draws in float32"),
    "endless calls": (json.dumps([entry(witness_rounds=10**9)]), "rounds=1000000000, not from 1 to"),
    "a seed": (json.dumps([entry(witness_seed=-1)]), "seed=-1"),
    "a huge seed": (json.dumps([entry(witness_seed=2**64)]), "seed=18446744073709551616"),
    "scalings of others": (
        json.dumps([entry(witness_scalings=[[1.0, 1.0]] * 2)]),
        "scalings of shape (2, 2)",
    ),
    "another shape": (
        json.dumps([entry(witness_other_matrix=[[1.0]])]),
        "other_matrix of shape (1, 1)",
    ),
    "a recheck of letters": (json.dumps([entry(recheck={"margin": "x"})]), "entry 1, recheck: margin='x'"),
    "an unknown bearer": (
        json.dumps([entry(recheck={"margin": -1, "definition": {"name": "", "keeps": True, "ulps": 1}})]),
        "entry 1, recheck, definition: bearer=None",
    ),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_what_is_wrong_with_a_file_is_said_in_one_line(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing that it names is called: the aggregator of these entries is `os.system`."""
    monkeypatch.setattr("os.system", pytest.fail)
    content, message = DAMAGED[case]
    (tmp_path / "v.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read_verdict_file(tmp_path / "v.json")
    assert message in str(caught.value)
    assert str(caught.value).startswith("verdicts=")
    assert len(str(caught.value)) < 400
    with pytest.raises(InputError, match="required a file of `jdbench verify"):
        read_verdicts(tmp_path / "v.json", tmp_path)


@pytest.mark.parametrize("path", [".", "none.json"])
def test_what_is_no_file_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(InputError, match="required a file of `jdbench verify"):
        read_verdict_file(tmp_path / path)


def test_reading_imports_nothing_that_a_file_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "planted_module.py").write_text("raise AssertionError('imported')")
    (tmp_path / "v.json").write_text(json.dumps([entry(aggregator="planted_module:f")]))
    (found,) = read_verdict_file(tmp_path / "v.json")
    assert found.name == "planted_module:f/weighted/float32"
    outcomes = read_verdicts(tmp_path / "v.json", tmp_path).outcomes
    assert outcomes == {("planted_module:f", "weighted"): "refuted"}


def test_a_leaderboard_is_told_the_worst_of_both_dtypes(tmp_path: Path) -> None:
    folder = tmp_path / "verification"
    folder.mkdir()
    lost = replace(verdict("A", "weighted", "broken"), margin=NO_MARGIN.margin)
    kept = [verdict("A", "weighted", "survived", dtype=torch.float32), verdict("B", "weighted", "survived")]
    write_verdict_file([lost, *kept, verdict("B")], folder / "verdicts.json")
    (folder / "index.html").write_text("")
    found = read_verdicts(None, tmp_path)
    assert found.page == "verification/index.html"
    assert found.having("weighted") == ["B"]
    assert found.frame().to_numpy().tolist() == [
        ["A", "weighted", "broken"],
        ["B", "non-conflicting", "refuted"],
        ["B", "weighted", "survived"],
    ]
    assert read_verdicts(None, folder) == Verdicts()
    assert list(PROPERTIES).index("non-conflicting") < list(PROPERTIES).index("weighted")
