"""Violations checked again in rational arithmetic: whose fault they are, and what is said."""

import importlib.util
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from flint import fmpq_mat
from torch import Tensor

from jdbench.aggregators import IMTLG, MGDA, Mean, PCGrad, UPGrad
from jdbench.verification.exact.aggregations import exact_matrix
from jdbench.verification.exact.definitions import defined_directions, definition_name
from jdbench.verification.exact.recheck import recheck
from jdbench.verification.properties import PROPERTIES, TABLE_1
from jdbench.verification.search import verify
from jdbench.verification.strategies import Matrix
from jdbench.verification.verdicts import Bearer, Outcome, Verdict
from jdbench.verification.witnesses import Witness
from support.tensors import tensor

NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1
F32, F64 = torch.float32, torch.float64


def refuted(prop: str, J: Tensor, *, dtype=F64, margin=-1.0, tolerance=1e-12, scalings=()) -> Verdict:
    witness = Witness(Matrix(J, "any shape"), 0, scalings)
    return Verdict(prop, dtype, Outcome.REFUTED, 1, margin, tolerance, witness)


def test_the_definition_violates_too() -> None:
    verdict = verify(Mean(), PROPERTIES[NON_CONFLICTING])
    found = recheck(Mean(), verdict)
    assert found is not None
    assert found.confirmed
    assert found.margin == pytest.approx(verdict.margin, rel=1e-12)
    assert found.definition is not None
    assert (found.definition.name, found.definition.keeps, found.definition.ulps) == ("Mean", False, 0)
    assert "confirmed in rational arithmetic" in str(found)
    assert "[JD]'s Mean violates it here too" in str(found)


class RenamedUPGrad(UPGrad):
    """What a definition is looked up by is the class's own name."""


def test_a_variant_of_ours_is_another_definition() -> None:
    variant = UPGrad(trace_regularization=1e-4)
    for prop in (NON_CONFLICTING, LINEAR):
        found = recheck(variant, verify(variant, PROPERTIES[prop]))
        assert found is not None
        assert found.confirmed
        assert found.definition is not None
        assert found.definition.keeps
        assert found.definition.bearer is Bearer.VARIANT
        assert found.definition.ulps > 1e6
        assert "[JD]'s UPGrad keeps it here: the options make another definition" in str(found)


def test_an_implementation_at_fault_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MGDA, "__call__", lambda self, J, *, generator=None: J.mean(0))  # noqa: ARG005
    verdict = verify(MGDA(), PROPERTIES[NON_CONFLICTING])
    found = recheck(MGDA(), verdict)
    assert found is not None
    assert found.definition is not None
    assert found.definition.keeps
    assert found.definition.bearer is Bearer.IMPLEMENTATION
    assert "keeps it here: a fault of the implementation, " in str(found)
    assert str(found).endswith(" ulps off")


def up_grad(J: Tensor) -> Tensor:
    return J.mean(0)


def test_a_strangers_function_is_found_by_its_name() -> None:
    found = recheck(up_grad, verify(up_grad, PROPERTIES[NON_CONFLICTING], dtype=F32))
    assert found is not None
    assert found.definition is not None
    assert (found.definition.name, found.definition.bearer) == ("UPGrad", Bearer.NAMESAKE)
    assert found.definition.keeps


@pytest.mark.parametrize(
    ("name", "prop"),
    [
        ("UPGrad", NON_CONFLICTING),
        ("DualProj", NON_CONFLICTING),
        ("MGDA", NON_CONFLICTING),
        ("Mean", NON_CONFLICTING),
    ],
)
def test_torchjds_are_compared_with_the_definitions_of_their_names(name: str, prop: str) -> None:
    torchjd = pytest.importorskip("torchjd.aggregation", reason='needs the extra "peers"')
    aggregator = getattr(torchjd, name)()
    found = recheck(aggregator, verify(aggregator, PROPERTIES[prop]))
    assert found is not None
    assert found.confirmed
    assert found.definition is not None
    assert found.definition.keeps == (name != "Mean")
    assert (found.definition.ulps > 1e6) == (name != "Mean")


def test_names_of_definitions() -> None:
    assert definition_name(UPGrad(trace_regularization=1e-4)) == "UPGrad"
    assert definition_name(partial(up_grad)) == "UPGrad"
    assert definition_name(PCGrad()) == "PCGrad"
    assert definition_name(IMTLG()) is None
    assert definition_name(RenamedUPGrad()) is None
    assert definition_name(lambda J: J.mean(0)) is None


def test_pcgrad_is_compared_in_the_orders_that_it_drew() -> None:
    J = tensor([1, 0], [0, 1], [-0.5, -1])  # [JD] C.4: four outcomes
    for seed in range(8):
        a = PCGrad()(J, generator=torch.Generator().manual_seed(seed))
        directions = defined_directions("PCGrad", [exact_matrix(J)], [exact_matrix(a)])
        assert directions is not None
        assert [float(int(e.p) / int(e.q)) for e in directions[0].entries()] == pytest.approx(a.tolist())
    assert defined_directions("PCGrad", [exact_matrix(torch.eye(5))], [fmpq_mat(5, 1)]) is None
    found = recheck(PCGrad(), refuted(NON_CONFLICTING, J))
    assert found is not None
    assert found.definition is not None
    assert not found.definition.keeps
    assert found.definition.ulps < 10


def test_where_no_definition_bears_the_name_the_margin_is_checked_all_the_same() -> None:
    found = recheck(IMTLG(), verify(IMTLG(), PROPERTIES[NON_CONFLICTING]))
    assert found is not None
    assert found.confirmed
    assert found.definition is None
    assert str(found).endswith("no exact definition bears its name")


def test_rounding_is_not_confirmed() -> None:
    # A false accusation, made by hand: 0.1 times the rows is not in their span exactly, but within rounding.
    J = tensor([3.0, 1.0, 7.0])
    found = recheck(lambda J: 0.1 * J[0], refuted(WEIGHTED, J, margin=-1e-9))
    assert found is not None
    assert found.margin is not None
    assert -1e-15 < found.margin < 0
    assert found.confirmed is False
    assert "not confirmed in rational arithmetic" in str(found)


def test_out_of_span_in_float32() -> None:
    J = tensor([1.0, 0.0, 0.0])
    aside = refuted(WEIGHTED, J, dtype=F32)
    found = recheck(lambda J: J[0] + torch.tensor([0.0, 0.25, 0.0], dtype=J.dtype), aside)
    assert found is not None
    assert found.margin == -0.25


@pytest.mark.parametrize("prop", ["hygiene", NON_CONFLICTING])
def test_nothing_is_rechecked_where_nothing_is_refuted_or_no_table_1(prop: str) -> None:
    verdict = verify(UPGrad(), PROPERTIES[prop], examples=5)
    assert recheck(UPGrad(), verdict) is None
    witness = Witness(Matrix(tensor([1.0]), "one row"))
    for outcome in Outcome:
        assert recheck(UPGrad(), Verdict("hygiene", F64, outcome, 1, -1.0, 0.0, witness)) is None


def test_what_breaks_when_called_again_is_not_rechecked() -> None:
    def breaks(J: Tensor) -> Tensor:  # noqa: ARG001
        raise RuntimeError("no more")

    found = recheck(breaks, refuted(NON_CONFLICTING, tensor([1.0])))
    assert found is not None
    assert (found.margin, found.confirmed, found.definition) == (None, None, None)
    assert str(found) == "not rechecked: called again, it raises: RuntimeError: no more"


def test_without_flint_it_is_said_and_the_extra_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "flint" else find(name))
    found = recheck(Mean(), refuted(NON_CONFLICTING, tensor([-1.0], [2.0])))
    assert found is not None
    assert found.confirmed is None
    assert str(found) == 'not rechecked: python-flint is not installed, run `pip install "jdbench[exact]"`'


def test_the_command_line_verifies_without_flint(tmp_path: Path) -> None:
    code = "import sys; sys.modules['flint'] = None; from jdbench.cli.main import main; main()"
    # One worker: the search in this very process, which lacks the package.
    options = ["verify", "Mean", "--examples", "20", "--workers", "1", "--claims", NON_CONFLICTING]
    run = subprocess.run(
        [sys.executable, "-c", code, *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 1, run.stderr
    assert "jdbench[exact]" in "".join(run.stdout.split())
    assert not run.stderr.strip()
