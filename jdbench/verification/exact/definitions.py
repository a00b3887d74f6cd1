"""The definitions of [JD] in rational arithmetic, found by the name that an aggregator bears."""

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence

from flint import fmpq, fmpq_mat

from jdbench.aggregator import AnyAggregator
from jdbench.verification.exact import aggregations as exact

DEFINITIONS: dict[str, Callable[[fmpq_mat], fmpq_mat]] = {
    "Mean": exact.mean_exactly,
    "MGDA": exact.mgda_exactly,
    "DualProj": exact.dualproj_exactly,
    "UPGrad": exact.upgrad_exactly,
}
"""The deterministic ones; PCGrad is besides them. The others take roots or draw reals."""

MOST_ROWS_IN_ANY_ORDER = 4
"""PCGrad has ((m-1)!)ᵐ outcomes, 1296 for 4 rows and 8 million for 5."""


def definition_name(aggregator: AnyAggregator) -> str | None:
    """Return the definition that an aggregator's class or function is named after.

    Args:
        aggregator: Any; TorchJD's ``UPGrad()`` and somebody's ``def up_grad(J)`` are both named after UPGrad.

    Returns:
        A key of `DEFINITIONS` or ``PCGrad``, compared without case and underscores, or None.
    """
    while isinstance(aggregator, functools.partial):
        aggregator = aggregator.func
    named = aggregator if inspect.isroutine(aggregator) or inspect.isclass(aggregator) else type(aggregator)
    name = str(getattr(named, "__name__", "")).replace("_", "").lower()
    return {known.lower(): known for known in (*DEFINITIONS, "PCGrad")}.get(name)


def defined_directions(
    name: str, matrices: Sequence[fmpq_mat], outputs: Sequence[fmpq_mat]
) -> list[fmpq_mat] | None:
    """Return what a definition gives for each of some matrices.

    PCGrad draws the orders of its projections: of all orders, the same for every matrix, those count that come
    nearest to the outputs.

    Args:
        name: A key of `DEFINITIONS` or ``PCGrad``.
        matrices: Jacobians, m × n each.
        outputs: What an implementation gave for each, n × 1.

    Returns:
        The directions, n × 1 each; None for PCGrad of more than `MOST_ROWS_IN_ANY_ORDER` rows.
    """
    if name != "PCGrad":
        return [DEFINITIONS[name](J) for J in matrices]
    m = matrices[0].nrows()
    if m > MOST_ROWS_IN_ANY_ORDER:
        return None
    others = [list(itertools.permutations(j for j in range(m) if j != i)) for i in range(m)]
    outcomes = ([exact.pcgrad_exactly(J, orders) for J in matrices] for orders in itertools.product(*others))
    return min(outcomes, key=lambda directions: sum(map(_squared_distance, directions, outputs), fmpq(0)))


def _squared_distance(first: fmpq_mat, second: fmpq_mat) -> fmpq:
    return sum((entry * entry for entry in (first - second).entries()), fmpq(0))
