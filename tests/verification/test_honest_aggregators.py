"""The tester tested: honest aggregators, ours and strangers, that `verify` must not accuse."""

from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from jdbench.aggregator import AnyAggregator, resolve
from jdbench.roster import CLAIMED
from jdbench.verification.claims import CLAIMS
from jdbench.verification.properties import HYGIENE, PROPERTIES, TABLE_1
from jdbench.verification.search import verify
from jdbench.verification.verdicts import Outcome

SEEDS = range(20)
EXAMPLES_PER_SEED = 16

F32, F64 = torch.float32, torch.float64
NON_CONFLICTING, LINEAR, WEIGHTED = TABLE_1
PERMUTATION, ROTATION = "permutation-invariant", "rotation-equivariant"
HOMOGENEOUS, SCALE_INVARIANT, ONE_ROW = "homogeneous", "scale-invariant", "identity-for-one-row"
ONLY_IF_WEAKLY, IF_WEAKLY = "zero-only-if-weakly-stationary", "zero-if-weakly-stationary"
IF_STRONGLY, CONTINUOUS = "zero-if-strongly-stationary", "continuous"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def upgrad_by_nnls(J):
    """UPGrad in unit rows: the projection of g is g + Ĵᵀz with z ≥ 0 the least-squares fit of -g."""
    rows = J.to(F64).numpy()
    entry = np.abs(rows).max(axis=1, keepdims=True)
    rows = rows / np.where(entry > 0, entry, 1.0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    units = rows / np.where(lengths > 0, lengths, 1.0)
    projections = [g + units.T @ nnls(units.T, -g)[0] for g in units]
    return torch.from_numpy((lengths * entry * np.stack(projections)).mean(0)).to(J)


def random_weights(J):
    return torch.rand(len(J), dtype=J.dtype) @ J


def plain_mean(J):
    return J.mean(0)


class Honest(NamedTuple):
    """An aggregator that has a property."""

    name: str
    aggregator: AnyAggregator
    property: str


EQUIVARIANT = [PERMUTATION, ROTATION, HOMOGENEOUS]
STRANGERS = {
    upgrad_by_nnls: [*TABLE_1, HYGIENE, *EQUIVARIANT, ONE_ROW, ONLY_IF_WEAKLY, IF_STRONGLY, CONTINUOUS],
    random_weights: [LINEAR, WEIGHTED, HYGIENE, *EQUIVARIANT, ONLY_IF_WEAKLY, CONTINUOUS],
    plain_mean: [LINEAR, WEIGHTED, HYGIENE, *EQUIVARIANT, ONE_ROW, ONLY_IF_WEAKLY, CONTINUOUS],
}
HONEST = [
    *(Honest(c.aggregator, resolve(c.aggregator).aggregator, c.prop) for c in CLAIMS if c.holds),
    *(Honest(spec, resolve(spec).aggregator, HYGIENE) for spec in CLAIMED),
    *(Honest(call.__name__, call, prop) for call, props in STRANGERS.items() for prop in props),
]


def accuse(honest, dtype, seeds):
    for seed in seeds:
        prop = PROPERTIES[honest.property]
        verdict = verify(honest.aggregator, prop, dtype=dtype, examples=EXAMPLES_PER_SEED, seed=seed)
        assert verdict.outcome is Outcome.SURVIVED, (seed, verdict)


@pytest.mark.parametrize("dtype", [F64, F32], ids=str)
@pytest.mark.parametrize("honest", HONEST, ids=lambda honest: f"{honest.name}: {honest.property}")
def test_an_honest_one_is_not_accused(honest, dtype):
    accuse(honest, dtype, SEEDS[:1])


@pytest.mark.long
@pytest.mark.parametrize("dtype", [F64, F32], ids=str)
@pytest.mark.parametrize("honest", HONEST, ids=lambda honest: f"{honest.name}: {honest.property}")
def test_an_honest_one_is_not_accused_in_many_searches(honest, dtype):
    accuse(honest, dtype, SEEDS)
