"""The search for violations: classes are what they say, verdicts are right, replays run alone."""

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
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.strategies import Matrix, classes, matrices
from jdbench.verification.verify import Outcome, verify

VERIFY = (
    "-m jdbench.cli verify Mean UPGrad --examples 60 --claims non-conflicting --json v.json --replays replays"
)
PYTEST = "-m pytest -q -p no:cacheprovider --pyargs jdbench.properties"
QUICK = settings(max_examples=60, derandomize=True, deadline=None, database=None)
KINDS = list(classes(torch.float64))
DTYPES = [torch.float64, torch.float32]


def rank(J: Tensor) -> int:
    return int(torch.linalg.matrix_rank(J))


def has_multiple(J: Tensor, sign: int) -> bool:
    """Whether some row is a multiple of another by a number of that sign, judged exactly on integers."""
    for i, a in enumerate(J):
        for j, b in enumerate(J):
            parallel = bool((torch.outer(a, b) == torch.outer(b, a)).all())
            if i != j and parallel and float(a @ b) * sign > 0:
                return True
    return False


CHECKS = {
    "any shape": lambda m: m.J.shape[0] >= 2,
    "one row": lambda m: m.J.shape[0] == 1,
    "full rank": lambda m: rank(m.J) == len(m.J),
    "rank-deficient": lambda m: rank(m.J) < len(m.J),
    "parallel or duplicate": lambda m: has_multiple(m.J, 1),
    "opposed": lambda m: has_multiple(m.J, -1),
    "zero row": lambda m: bool((m.J == 0).all(-1).any()),
    "strongly stationary": lambda m: bool((m.certificate > 0).all()) and not (m.certificate @ m.J).any(),
    "weakly stationary": lambda m: (
        bool((m.certificate >= 0).all()) and bool(m.certificate.any()) and not (m.certificate @ m.J).any()
    ),
    "near-stationary": lambda m: len(m.J) >= 2,
    "uneven row norms": lambda m: len(m.J) >= 2,
    "tiny or huge": lambda m: not m.J.any() or not 1e-100 < float(m.J.abs().max()) < 1e100,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_matrix_of_a_class_belongs_to_it(kind: str) -> None:
    @QUICK
    @given(classes(torch.float64)[kind])
    def check(matrix: Matrix) -> None:
        assert matrix.kind == kind
        assert CHECKS[kind](matrix)

    check()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_class_is_reached_and_exact_in_its_dtype_with_finite_squares(dtype: torch.dtype) -> None:
    seen: set[str] = set()

    @settings(max_examples=400, derandomize=True, deadline=None, database=None)
    @given(matrices(dtype))
    def check(matrix: Matrix) -> None:
        seen.add(matrix.kind)
        given_ = matrix.J.to(dtype)
        assert torch.equal(given_.to(torch.float64), matrix.J)
        squares = given_.square().sum(-1)
        assert bool(torch.isfinite(squares).all())
        assert bool(((squares > 0) == (matrix.J != 0).any(-1)).all())

    check()
    assert seen == set(KINDS)


def test_uneven_rows_span_thirteen_decades_in_float64() -> None:
    spans: list[float] = []

    @settings(max_examples=300, derandomize=True, deadline=None, database=None)
    @given(classes(torch.float64)["uneven row norms"])
    def check(matrix: Matrix) -> None:
        norms = matrix.J.norm(dim=-1)
        norms = norms[norms > 0]
        spans.append(float((norms.max() / norms.min()).log10()) if len(norms) else 0.0)

    check()
    assert max(spans) >= 12


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
    assert len(CLAIMS) == 3 * len(ours)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_refutation_is_shrunk_to_something_small(dtype: torch.dtype) -> None:
    verdict = verify(Mean(), PROPERTIES["non-conflicting"], dtype=dtype)
    assert verdict.outcome is Outcome.REFUTED
    assert verdict.witness.matrix.J.numel() <= 4
    assert float(verdict.witness.matrix.J.abs().max()) <= 2
    assert verdict.margin < -verdict.tolerance


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
        (lambda J: J.sum(1), "raises: InputError"),
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
    tmp_path: Path, options: list[str], message: str
) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--pyargs", "jdbench.properties", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 4
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1


@settings(max_examples=30, derandomize=True, deadline=None, database=None)
@given(st.data())
def test_scalings_and_their_sums_are_exact(data: st.DataObject) -> None:
    witness = data.draw(PROPERTIES["linear-under-scaling"].witnesses(torch.float32))
    c1, c2 = witness.scalings
    total = (c1 + c2).log2()
    assert bool((c1 > 0).all())
    assert bool((c2 > 0).all())
    assert torch.equal(total, total.round())
    for c in (c1, c2, c1 + c2):
        scaled = c.unsqueeze(-1) * witness.matrix.J
        assert torch.equal(scaled.to(torch.float32).to(torch.float64), scaled)
