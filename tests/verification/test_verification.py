"""The search for violations: verdicts are right, replays run alone."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from jdbench.aggregators import MGDA, Mean, UPGrad
from jdbench.verification.claims import CLAIMS, table_1
from jdbench.verification.further_claims import AGGREGATORS
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.verify import Outcome, verify

pytest_plugins = ["pytester"]

VERIFY = "-m jdbench verify Mean UPGrad --examples 60 --claims non-conflicting --json v.json --replays replays"
PYTEST = "-m pytest -q -p no:cacheprovider --pyargs jdbench.properties"
DTYPES = [torch.float64, torch.float32]


def test_table_1_is_the_papers_cell_by_cell() -> None:
    """[JD] Table 1: non-conflicting, linear under scaling, weighted."""
    paper = {
        "Mean": (False, True, True),
        "MGDA": (True, False, True),
        "DualProj": (True, False, True),
        "PCGrad": (False, True, True),
        "GradDrop": (False, False, False),
        "IMTLG": (False, False, True),
        "CAGrad": (False, False, True),
        "RGW": (False, True, True),
        "NashMTL": (True, False, True),
        "AlignedMTL": (False, False, True),
        "UPGrad": (True, True, True),
    }
    ours = table_1()
    assert {name: ours[name] for name in paper} == paper
    assert list(ours) == list(AGGREGATORS)
    claimed = {(claim.aggregator, claim.prop) for claim in CLAIMS}
    assert claimed == {(name, prop) for name in ours for prop in PROPERTIES if prop != "hygiene"}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_refutation_is_shrunk_to_something_small(dtype: torch.dtype) -> None:
    verdict = verify(Mean(), PROPERTIES["non-conflicting"], dtype=dtype)
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.witness.matrix.J.numel() <= 4
    assert float(verdict.witness.matrix.J.abs().max()) <= 2
    assert verdict.margin < -verdict.tolerance


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("prop", ["non-conflicting", "linear-under-scaling"])
def test_the_trace_regularised_variant_is_refuted_by_a_small_matrix(prop: str, dtype: torch.dtype) -> None:
    verdict = verify(UPGrad(trace_regularization=1e-4), PROPERTIES[prop], dtype=dtype)
    J = verdict.witness.J
    assert verdict.outcome is Outcome.REFUTED
    assert J.numel() <= 6
    assert torch.equal(J, J.round())
    assert float(J.abs().max()) <= 8


def test_the_same_seed_gives_the_same_verdict() -> None:
    first, second = (verify(MGDA(), PROPERTIES["linear-under-scaling"], examples=200, seed=3) for _ in range(2))
    assert (first.outcome, first.margin, first.examples) == (second.outcome, second.margin, second.examples)
    assert torch.equal(first.witness.matrix.J, second.witness.matrix.J)


def test_the_search_climbs_towards_violations() -> None:
    verdict = verify(UPGrad(), PROPERTIES["non-conflicting"], examples=100)
    assert verdict.outcome is Outcome.SURVIVED
    assert verdict.examples >= 100
    # Rounding makes the smallest margin slightly negative somewhere: a search that stays away finds none.
    assert -verdict.tolerance <= verdict.margin < 0


def raises(J: Tensor) -> Tensor:  # noqa: ARG001
    raise RuntimeError("no")


def hangs(J: Tensor) -> Tensor:
    time.sleep(5)
    return J.mean(0)


def changes(J: Tensor) -> Tensor:
    J += 1
    return J.mean(0)


@pytest.mark.parametrize(
    ("aggregator", "message"),
    [
        (raises, "raises: RuntimeError: no"),
        (hangs, "hangs: took more than 0.2 s"),
        (lambda J: J.sum(1), "shape: returned torch.float64 of shape"),
        (lambda J: J.mean(0) / 0, "finite: returned NaN or infinity"),
    ],
    ids=["raises", "hangs", "shape", "NaN"],
)
def test_misbehaviour_is_reported_as_such(aggregator, message: str) -> None:
    verdict = verify(aggregator, PROPERTIES["hygiene"], examples=20, limit=0.2)
    assert verdict.outcome is Outcome.BROKEN
    assert message in verdict.message


def test_replays_run_alone_and_show_the_violation(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, *VERIFY.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 1, run.stderr
    verdicts = json.loads((tmp_path / "v.json").read_text())
    outcomes = {(v["aggregator"], v["property"], v["dtype"]): v["outcome"] for v in verdicts}
    assert outcomes["Mean", "non-conflicting", "float64"] == "refuted"
    assert outcomes["UPGrad", "non-conflicting", "float32"] == "survived"
    assert outcomes["UPGrad", "hygiene", "float64"] == "survived"
    scripts = sorted((tmp_path / "replays").iterdir())
    assert len(scripts) == 2
    replay = subprocess.run([sys.executable, scripts[0]], capture_output=True, text=True, timeout=300)
    assert replay.returncode == 0
    assert "violated True" in replay.stdout


@pytest.mark.parametrize(
    ("source", "claims", "code"),
    [
        ("J.mean(0)", "linear-under-scaling,weighted", 0),
        ("J.mean(0)", "non-conflicting", 1),
        ("J.mean(0) + (len(J) == 5)", "weighted", 1),
    ],
)
def test_the_suite_judges_strangers(tmp_path: Path, source: str, claims: str, code: int) -> None:
    (tmp_path / "stranger.py").write_text(f"def agg(J):\n    return {source}\n")
    run = subprocess.run(
        [sys.executable, *PYTEST.split(), "--aggregator", "stranger:agg", "--claims", claims],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == code, run.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--aggregator", "UPgrad"], "did you mean UPGrad?"),
        (["--aggregator", "nowhere.at:all"], "required a module that imports"),
        (["--aggregator", "UPGrad", "--claims", "weigted"], "did you mean weighted?"),
    ],
)
def test_the_suite_refuses_unknown_names_with_one_line(
    pytester: pytest.Pytester, options: list[str], message: str
) -> None:
    run = pytester.runpytest_inprocess(
        "-q", "-p", "no:cacheprovider", "--pyargs", "jdbench.properties", *options
    )
    assert run.ret == 4
    lines = [line for line in run.errlines if line.strip()]
    assert len(lines) == 1
    assert message in lines[0]


@settings(max_examples=30, derandomize=True, deadline=None, database=None)
@given(st.data())
def test_scalings_and_their_sums_are_exact(data: st.DataObject) -> None:
    witness = data.draw(st.one_of(*PROPERTIES["linear-under-scaling"].witnesses(torch.float32).values()))
    c1, c2 = witness.scalings
    total = (c1 + c2).log2()
    assert bool((c1 > 0).all())
    assert bool((c2 > 0).all())
    assert torch.equal(total, total.round())
    for c in (c1, c2, c1 + c2):
        scaled = c.unsqueeze(-1) * witness.matrix.J
        assert torch.equal(scaled.to(torch.float32).to(torch.float64), scaled)
