"""The tester tested: planted faults that `verify` must find."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch

from jdbench.aggregator import AnyAggregator
from jdbench.aggregators import MGDA, DualProj, Mean, UPGrad
from jdbench.verification import PROFILES
from jdbench.verification.properties import HYGIENE, PROPERTIES, TABLE_1
from jdbench.verification.search import verify
from jdbench.verification.verdicts import Outcome
from support.careless_calls import mean_every_fiftieth_call
from support.faulty_aggregators import (
    Careless,
    EveryFiftieth,
    aside,
    by_cholesky,
    clipped,
    conflict_solved_in_order,
    cosines_by_product,
    decades,
    drops_small_rows,
    dykstra,
    first_coordinate_kept,
    first_row_twice,
    forgets_last_row,
    frank_wolfe,
    from_global_generator,
    has_duplicates,
    has_near_duplicates,
    has_opposed,
    has_zero_row,
    ignores_small_conflicts,
    in_its_own_dtype,
    largest_coordinate,
    largest_norm,
    longest_row,
    masked,
    nan_for_zero_rows,
    normalised,
    normalises_in_place,
    nothing,
    of_its_own_mind,
    of_unit_rows,
    one_row_unprojected,
    one_sign_wrong,
    order_dependent,
    pcgrad_in_order,
    rank,
    sleeps,
    squeezed,
    swapped,
    when,
    widened,
    with_constant,
    with_jitter,
    with_weights,
    zero_below,
    zero_when_small_beside_rows,
)

EXAMPLES = PROFILES["default"]

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
    fault("changes its input", normalises_in_place, HYGIENE),
    fault("float64 for float32", Careless(widened), HYGIENE, F32),
    fault("float64 for float32", widened, HYGIENE, F32),
    fault("a list", lambda J: Mean()(J).tolist(), HYGIENE),
    fault("the mean of a batch", Careless(of_its_own_mind), HYGIENE),
    fault("the mean beyond 4 decades", mean_when(lambda J: decades(J) > 4), NON_CONFLICTING),
    fault("the mean beyond 8 decades", mean_when(lambda J: decades(J) > 8), NON_CONFLICTING),
    fault("the mean for m = n = 6", mean_when(lambda J: J.shape == (6, 6)), NON_CONFLICTING),
    fault("the mean for m > 8", mean_when(lambda J: len(J) > 8), NON_CONFLICTING),
    fault("the mean with near duplicates", mean_when(has_near_duplicates), NON_CONFLICTING),
    fault(
        "the mean for huge float32",
        mean_when(lambda J: J.dtype == F32 and float(J.abs().max()) > 1e10),
        NON_CONFLICTING,
        F32,
    ),
    fault("the Gramian in float32", in_its_own_dtype, NON_CONFLICTING, F32),
    fault(
        "weights clipped at 1e6", partial(with_weights, lambda w: w.clamp(max=1e6), UPGrad()), NON_CONFLICTING
    ),
    fault("ignores cosines above -0.1", partial(ignores_small_conflicts, 0.1), NON_CONFLICTING),
    fault("ignores cosines above -0.001", partial(ignores_small_conflicts, 1e-3), NON_CONFLICTING),
    Fault("the mean every fiftieth time", EveryFiftieth, HYGIENE),
    Fault("the mean every fiftieth time", mean_every_fiftieth_call, NON_CONFLICTING),
    fault("clipped at 100", clipped, LINEAR),
    fault("the first row twice", first_row_twice, PERMUTATION),
    fault("the first row twice for m = 4", partial(order_dependent, 4), PERMUTATION),
    fault("PCGrad in fixed order", pcgrad_in_order, PERMUTATION),
    fault("PCGrad in one order", conflict_solved_in_order, PERMUTATION),
    fault("the largest coordinate", largest_coordinate, ROTATION),
    fault("the first coordinate of the mean", first_coordinate_kept, ROTATION),
    fault("signs that disagree masked", masked, ROTATION),
    fault("zero below 1e-10", partial(zero_below, 1e-10), HOMOGENEOUS),
    fault("1e-8 added to the Gramian", partial(with_constant, 1e-8), HOMOGENEOUS),
    fault("clipped at 100", clipped, HOMOGENEOUS),
    fault("of the longest row's size", longest_row, SCALE_INVARIANT),
    fault(
        "normalised, zero below 1e-10",
        when(lambda J: largest_norm(J) < 1e-10, nothing, normalised),
        SCALE_INVARIANT,
    ),
    fault("half of one row", when(lambda J: len(J) == 1, lambda J: J[0] / 2, UPGrad()), ONE_ROW),
    fault("zero below 1e-10", partial(zero_below, 1e-10), ONE_ROW),
    fault("normalised for m = 1", when(lambda J: len(J) == 1, normalised, UPGrad()), ONE_ROW),
    fault("zero below 1e-10", partial(zero_below, 1e-10), ONLY_IF_WEAKLY),
    fault("zero below 1e-4 of the rows", partial(zero_when_small_beside_rows, 1e-4), ONLY_IF_WEAKLY),
    fault("zero for dependent rows", when(lambda J: rank(J) < len(J), nothing, UPGrad()), ONLY_IF_WEAKLY),
    fault("Frank-Wolfe stopped after 10", partial(frank_wolfe, 10), IF_WEAKLY),
    fault("1e-4 of the trace", ridge(1e-4), IF_STRONGLY),
    fault("Frank-Wolfe stopped after 10", partial(frank_wolfe, 10), IF_STRONGLY),
    fault("the mean with opposed rows", mean_when(has_opposed), IF_STRONGLY),
    fault("the longest row", longest_row, CONTINUOUS),
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
        shrink=False,  # which takes longer than to find it, and has tests of its own
    )
    assert verdict.outcome is not Outcome.SURVIVED, verdict
