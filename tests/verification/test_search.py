"""The search for violations: it climbs, shrinks what it finds, repeats itself, and names what misbehaves."""

import time

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from jdbench.aggregators import MGDA, Mean, UPGrad
from jdbench.verification.properties import PROPERTIES
from jdbench.verification.search import verify
from jdbench.verification.verdicts import Outcome

DTYPES = [torch.float64, torch.float32]


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
    time.sleep(1)
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
    verdict = verify(aggregator, PROPERTIES["hygiene"], examples=20, limit=0.2, shrink=False)
    assert verdict.outcome is Outcome.BROKEN
    assert message in verdict.message


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
