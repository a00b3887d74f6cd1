"""The tester tested: planted faults that `verify` must find, and honest aggregators that it must not accuse."""

import itertools
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

import jdbench.aggregators as built_in
from jdbench.aggregator import Aggregator, AnyAggregator
from jdbench.aggregators import MGDA, DualProj, Mean, UPGrad
from jdbench.dual_cone import project_weights
from jdbench.gramian import combine, gramian, unit_rows
from jdbench.verification.properties import HYGIENE, PROPERTIES
from jdbench.verification.verify import Outcome, verify

pytestmark = pytest.mark.long

EXAMPLES = 300
"""The default profile: so many matrices must be enough to find each fault."""

SEEDS = range(20)
EXAMPLES_PER_SEED = 5

F32, F64 = torch.float32, torch.float64
NON_CONFLICTING, LINEAR, WEIGHTED = "non-conflicting", "linear-under-scaling", "weighted"


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ---- Conditions under which an otherwise right aggregator fails.


def cosines(J):
    return unit_rows(gramian(J)).gramian


def rank(J):
    return int(torch.linalg.matrix_rank(cosines(J)))


def has_zero_row(J):
    return bool((J == 0).all(-1).any())


def has_duplicates(J):
    return len(J.unique(dim=0)) < len(J)


def has_opposed(J):
    # Cosines of exactly opposed rows differ from -1 by their own rounding alone.
    return bool((cosines(J) + 1 < len(J) * torch.finfo(F64).eps).any())


def when(condition, wrong, right):
    return lambda J: (wrong if condition(J) else right)(J)


# ---- Faulty aggregators.


def with_weights(change, right, J):
    return combine(J, change(right.weights(gramian(J))))


def cosines_by_product(J):
    G = gramian(J)
    squares = G.diagonal()
    return combine(J, UPGrad().weights(G / (squares.unsqueeze(-1) * squares).sqrt()))


def with_jitter(ridge, J):
    norms, units = unit_rows(gramian(J))
    norms = torch.where(norms > 0, norms, 1.0)
    W = project_weights(units + ridge * torch.eye(len(J), dtype=F64), torch.eye(len(J), dtype=F64))
    return combine(J, (norms.unsqueeze(-1) * W).mean(-2) / norms)


def of_unit_rows(J):
    norms = J.norm(dim=-1, keepdim=True)
    return UPGrad()(J / torch.where(norms > 0, norms, 1.0))


def one_sign_wrong(J):
    bounds = torch.eye(len(J), dtype=F64) / len(J)
    extra = project_weights(gramian(J), bounds) - bounds
    return combine(J, (bounds + extra).sum(-2) - 2 * extra[-1])


def one_row_unprojected(J):
    W = project_weights(gramian(J), torch.eye(len(J), dtype=F64))
    W[-1] = torch.eye(len(J), dtype=F64)[-1]
    return combine(J, W.mean(-2))


def forgets_last_row(J):
    return UPGrad()(J[:-1])


def normalised(J):
    a = UPGrad()(J)
    length = a.norm()
    return a / torch.where(length > 0, length, 1.0)


def largest_norm(J):
    entry = J.abs().max()
    return entry * (J / torch.where(entry > 0, entry, 1.0)).norm(dim=-1).max()


def aside(share, J):
    a = UPGrad()(J)
    a[0] += share * largest_norm(J)
    return a


def masked(J):
    agree = (J >= 0).all(0) | (J <= 0).all(0)
    return torch.where(agree, Mean()(J), 0.0)


def swapped(w):
    return torch.cat([w[1:2], w[:1], w[2:]])


def frank_wolfe(iterations, J):
    G = gramian(J)
    w = torch.full((len(J),), 1 / len(J), dtype=F64)
    for _ in range(iterations):
        step = -w
        step[(G @ w).argmin()] += 1
        curvature = step @ G @ step
        length = -(step @ G @ w) / curvature if curvature > 0 else 0.0
        w = w + min(max(float(length), 0.0), 1.0) * step
    return combine(J, w)


def dykstra(cycles, J):
    norms = J.norm(dim=-1, keepdim=True)
    units = J / torch.where(norms > 0, norms, 1.0)
    x, kept = J.clone(), torch.zeros(len(J), *J.shape, dtype=J.dtype)
    for _, i in itertools.product(range(cycles), range(len(J))):
        y = x + kept[i]
        x = y - (y @ units[i]).clamp(max=0).unsqueeze(-1) * units[i]
        kept[i] = y - x
    return x.mean(0)


def pcgrad_in_order(J):
    G, W = cosines(J), torch.eye(len(J), dtype=F64)
    norms = unit_rows(gramian(J)).norms
    for i, j in itertools.permutations(range(len(J)), 2):
        W[i, j] -= (W[i] @ G[j]).clamp(max=0)
    shift = (norms @ (W - torch.eye(len(J), dtype=F64))) / torch.where(norms > 0, norms, 1.0)
    return combine(J, 1 + shift)


def drops_small_rows(ratio, J):
    norms = unit_rows(gramian(J)).norms
    kept = norms >= ratio * norms.max()
    return combine(J[kept], UPGrad().weights(gramian(J[kept])) * int(kept.sum()) / len(J))


def nan(J):
    return torch.full_like(J[0], float("nan"))


def nan_for_zero_rows(J):
    units = J / J.norm(dim=-1, keepdim=True)
    return combine(J, UPGrad().weights(gramian(J))) + 0 * units.sum(0)


def by_cholesky(J):
    torch.linalg.cholesky(gramian(J))
    return UPGrad()(J)


def sleeps(J):
    time.sleep(5)
    return Mean()(J)


def squeezed(J):
    return J.squeeze().mean(0) if len(J) > 1 else J


class Careless(Aggregator):
    """Breaks the contract of an `Aggregator` in one way, passed as a function of J."""

    def __init__(self, call):
        self.call = call

    def __call__(self, J, *, generator=None):  # noqa: ARG002
        return self.call(J)


def from_global_generator(J):
    a = UPGrad()(J)
    return 2 * a + 1 if float(torch.rand(())) < 1 / 20 else a


def normalises_in_place(J):
    norms = J.norm(dim=-1, keepdim=True)
    J /= torch.where(norms > 0, norms, 1.0)
    return Mean()(J)


def widened(J):
    return UPGrad()(J.to(F64))


# ---- The table.


class Fault(NamedTuple):
    """An aggregator, made afresh, that lacks a property, and seconds that one call may take."""

    name: str
    make: Callable[[], AnyAggregator]
    property: str
    dtype: torch.dtype = F64
    limit: float = 10.0


def fault(name, aggregator, prop, dtype=F64, limit=10.0):
    return Fault(name, lambda: aggregator, prop, dtype, limit)


def mean_when(condition, right=None):
    return when(condition, Mean(), right or UPGrad())


def ridge(rho):
    return UPGrad(trace_regularization=rho)


FAULTS = [
    fault("the mean for m = 5", mean_when(lambda J: len(J) == 5), NON_CONFLICTING),
    fault("the mean for n = 1", mean_when(lambda J: J.shape[1] == 1), NON_CONFLICTING),
    fault("the mean for n < m", mean_when(lambda J: J.shape[1] < len(J), DualProj()), NON_CONFLICTING),
    fault("the mean for m = n = 2", mean_when(lambda J: J.shape == (2, 2)), NON_CONFLICTING),
    fault("the mean for 4 rows of rank 2", mean_when(lambda J: len(J) == 4 and rank(J) == 2), NON_CONFLICTING),
    fault("the mean for 5 rows of rank 4", mean_when(lambda J: len(J) == 5 and rank(J) == 4), NON_CONFLICTING),
    fault("the mean for rank 1", mean_when(lambda J: rank(J) == 1, MGDA()), NON_CONFLICTING),
    fault("the mean with duplicate rows", mean_when(has_duplicates), NON_CONFLICTING),
    fault("the mean with opposed rows", mean_when(has_opposed), NON_CONFLICTING),
    fault("the mean with a zero row", mean_when(has_zero_row), NON_CONFLICTING),
    fault("normalised for m = 1", when(lambda J: len(J) == 1, normalised, UPGrad()), LINEAR),
    fault("normalised with opposed rows", when(has_opposed, normalised, Mean()), LINEAR),
    fault(
        "weights in float16", partial(with_weights, lambda w: w.half().double(), UPGrad()), NON_CONFLICTING, F32
    ),
    fault("cosines by product of squares", cosines_by_product, HYGIENE),
    fault("1e-4 of the trace", ridge(1e-4), NON_CONFLICTING),
    fault("1e-6 of the trace", ridge(1e-6), NON_CONFLICTING),
    fault("1e-8 of the trace", ridge(1e-8), NON_CONFLICTING),
    fault("1e-10 of the trace", ridge(1e-10), NON_CONFLICTING),
    fault("1e-4 of the trace, float32", ridge(1e-4), NON_CONFLICTING, F32),
    fault("1e-4 of the trace", ridge(1e-4), LINEAR),
    fault("1e-6 of the trace", ridge(1e-6), LINEAR),
    fault("1e-8 of the trace", ridge(1e-8), LINEAR),
    fault("DualProj, 1e-4 of the trace", DualProj(trace_regularization=1e-4), NON_CONFLICTING),
    fault("jitter of 1e-8 on unit rows", partial(with_jitter, 1e-8), NON_CONFLICTING),
    fault("jitter of 1e-10 on unit rows", partial(with_jitter, 1e-10), NON_CONFLICTING),
    fault("one projection's sign wrong", one_sign_wrong, NON_CONFLICTING),
    fault("one row not projected", one_row_unprojected, NON_CONFLICTING),
    fault("weights clipped at 10", partial(with_weights, lambda w: w.clamp(max=10), UPGrad()), NON_CONFLICTING),
    fault("weights clipped at 10", partial(with_weights, lambda w: w.clamp(max=10), UPGrad()), LINEAR),
    fault(
        "weights of 3 decimals", partial(with_weights, lambda w: w.round(decimals=3), UPGrad()), NON_CONFLICTING
    ),
    fault("weights of 3 decimals", partial(with_weights, lambda w: w.round(decimals=3), UPGrad()), LINEAR),
    fault(
        "weights of 8 decimals", partial(with_weights, lambda w: w.round(decimals=8), MGDA()), NON_CONFLICTING
    ),
    fault("two weights swapped", partial(with_weights, swapped, UPGrad()), NON_CONFLICTING),
    fault("two weights swapped", partial(with_weights, swapped, MGDA()), NON_CONFLICTING),
    fault("forgets a row of six", when(lambda J: len(J) == 6, forgets_last_row, UPGrad()), NON_CONFLICTING),
    fault("drops rows below 1e-6", partial(drops_small_rows, 1e-6), NON_CONFLICTING),
    fault("drops rows below 1e-6", partial(drops_small_rows, 1e-6), LINEAR),
    fault("projections of unit rows", of_unit_rows, LINEAR),
    fault("normalised", normalised, LINEAR),
    fault("homogeneous, not additive", MGDA(), LINEAR),
    fault("1e-6 aside of the span", partial(aside, 1e-6), WEIGHTED),
    fault("1e-10 aside of the span", partial(aside, 1e-10), WEIGHTED),
    fault("1e-3 aside of the span, float32", partial(aside, 1e-3), WEIGHTED, F32),
    fault("signs that disagree masked", masked, WEIGHTED),
    fault("Frank-Wolfe stopped after 3", partial(frank_wolfe, 3), NON_CONFLICTING),
    fault("Frank-Wolfe stopped after 10", partial(frank_wolfe, 10), NON_CONFLICTING),
    fault("Frank-Wolfe stopped after 100", partial(frank_wolfe, 100), NON_CONFLICTING),
    fault("Frank-Wolfe stopped after 10, float32", partial(frank_wolfe, 10), NON_CONFLICTING, F32),
    fault("Dykstra stopped after 3", partial(dykstra, 3), NON_CONFLICTING),
    fault("Dykstra stopped after 10", partial(dykstra, 10), NON_CONFLICTING),
    fault("Dykstra stopped after 100", partial(dykstra, 100), NON_CONFLICTING),
    fault("PCGrad in fixed order", pcgrad_in_order, NON_CONFLICTING),
    fault("NaN for zero rows", nan_for_zero_rows, HYGIENE),
    fault("NaN for zero rows", nan_for_zero_rows, NON_CONFLICTING),
    fault("wrong shape for m = 1", squeezed, HYGIENE),
    fault("raises for dependent rows", by_cholesky, HYGIENE),
    fault("hangs for the zero matrix", when(lambda J: not J.any(), sleeps, Mean()), HYGIENE, F64, 0.2),
    fault("draws from the global generator", Careless(from_global_generator), HYGIENE),
    fault("changes its input", Careless(normalises_in_place), HYGIENE),
    fault("float64 for float32", Careless(widened), HYGIENE, F32),
]


@pytest.mark.parametrize("planted", FAULTS, ids=lambda planted: f"{planted.name}: {planted.property}")
def test_a_planted_fault_is_found(planted):
    verdict = verify(
        planted.make(),
        PROPERTIES[planted.property],
        dtype=planted.dtype,
        examples=EXAMPLES,
        seed=0,
        limit=planted.limit,
    )
    assert verdict.outcome is not Outcome.SURVIVED, verdict


# ---- Honest ones.


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


CLAIMS = {
    NON_CONFLICTING: ["MGDA", "DualProj", "NashMTL", "UPGrad"],
    LINEAR: ["Mean", "PCGrad", "RGW", "UPGrad"],
    WEIGHTED: [name for name in built_in.__all__ if name != "GradDrop"],
    HYGIENE: built_in.__all__,
}
HONEST = [
    Honest(name, getattr(built_in, name)(), prop)
    for prop, names in CLAIMS.items()
    for name in names
    if (name, prop) != ("NashMTL", WEIGHTED)
] + [
    Honest(aggregator.__name__, aggregator, prop)
    for aggregator, props in {
        upgrad_by_nnls: [NON_CONFLICTING, LINEAR, WEIGHTED, HYGIENE],
        random_weights: [LINEAR, WEIGHTED, HYGIENE],
        plain_mean: [LINEAR, WEIGHTED, HYGIENE],
    }.items()
    for prop in props
]


@pytest.mark.parametrize("dtype", [F64, F32], ids=str)
@pytest.mark.parametrize("honest", HONEST, ids=lambda honest: f"{honest.name}: {honest.property}")
def test_an_honest_one_is_not_accused(honest, dtype):
    prop = PROPERTIES[honest.property]
    for seed in SEEDS:
        verdict = verify(honest.aggregator, prop, dtype=dtype, examples=EXAMPLES_PER_SEED, seed=seed)
        assert verdict.outcome is Outcome.SURVIVED, (seed, verdict)
