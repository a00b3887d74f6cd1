"""Up to eight bounds of a Gramian: their linear terms in unit rows, then the weights and residuals of answers.

One bound a lane, as in `lockstep_programs`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.kernels.lanes import (
    LANES,
    absolute,
    add,
    choose,
    divide,
    fma,
    largest,
    load,
    mul,
    spread,
    store,
    sub,
)
from jdbench.dual_cone.kernels.lockstep_programs import Floats, LockstepPrograms, add_product


class Bounds(NamedTuple):
    """Up to eight bounds, one a lane.

    Attributes:
        bound: The bounds, shape ``[m, 8]``.
        largest: The largest entry of each in unit rows, shape ``[1, 8]``; 1 where all are zero.
        single: The position of the only entry that is not zero, if it is positive; -1 otherwise. Shape ``[8]``.
    """

    bound: Floats
    largest: Floats
    single: npt.NDArray[np.int64]


@compiled
def empty_bounds(m: int) -> Bounds:
    """Return the memory for eight bounds of length m, to be filled by `set_linear_terms`."""
    rows = np.empty((m + 1, LANES))
    return Bounds(rows[:m], rows[m:], np.empty(LANES, dtype=np.int64))


@compiled_sums
def set_linear_terms(
    d: Floats, bounds: Floats, row: int, count: int, group: Bounds, programs: LockstepPrograms
) -> None:
    """Set the linear terms Ĝû of up to eight bounds, û the bound in unit rows over its largest entry.

    Args:
        d: Row norms, shape ``[m]``.
        bounds: All bounds, shape ``[k, m]``.
        row: Where the first stands.
        count: Their number.
        group: Changed in place.
        programs: Its ``q`` and ``scale`` are set, and ``z`` to zero.
    """
    m = d.shape[0]
    M, q, u = programs.padded, programs.q, programs.x
    for lane in range(LANES):
        scale = 0.0
        single = -1
        for i in range(m):
            group.bound[i, lane] = bounds[row + lane, i] if lane < count else 0.0
            u[i, lane] = group.bound[i, lane] * d[i]
            if u[i, lane] != 0.0:
                single = i if scale == 0.0 and u[i, lane] > 0.0 else -1
                scale = max(scale, abs(u[i, lane]))
        group.single[lane] = single
        group.largest[0, lane] = scale if scale > 0.0 else 1.0
    size = spread(0.0)
    for i in range(m):
        store(q, i, size)
        store(programs.z, i, size)
    for i in range(m):
        value = divide(load(u, i), load(group.largest, 0))
        if largest(absolute(value)) != 0.0:
            size = add(size, absolute(value))
            for j in range(m):
                store(q, j, fma(spread(M[i, j]), value, load(q, j)))
    store(programs.scale, 0, choose(size, size, spread(1.0)))


@compiled_sums
def weights_and_residual(
    d: Floats, group: Bounds, programs: LockstepPrograms, W: Floats, row: int, count: int
) -> float:
    """Add the weights to W and return the largest residual of Lemma 4, as `Solution` computes it from them.

    Args:
        d: Row norms, shape ``[m]``.
        group: The bounds.
        programs: Holds the answers in ``z``; used up.
        W: Weights of all bounds, shape ``[k, m]``, or of their sum, ``[1, m]``; changed in place.
        row: Where the first of the bounds stands.
        count: Their number.

    Returns:
        The largest of the three residuals, NaN if one is.
    """
    m = d.shape[0]
    z, slack, below, scale = programs.z, programs.gradient, programs.q, load(group.largest, 0)
    zero = spread(0.0)
    for i in range(m):
        bound, norm = load(group.bound, i), spread(d[i])
        # A weight at its bound is that bound, bit for bit.
        w = add(bound, choose(norm, divide(mul(load(z, i), scale), norm), zero))
        store(programs.x, i, w)
        store(z, i, divide(mul(w, norm), scale))
        store(below, i, divide(mul(sub(bound, w), norm), scale))
        store(slack, i, zero)
    last = W.shape[0] - 1
    for lane in range(count):
        for i in range(m):
            W[min(row + lane, last), i] += programs.x[i, lane]
    add_product(programs.padded, z, slack, m)
    gap, worst = zero, zero
    for i in range(m):
        gap = sub(gap, mul(load(below, i), load(slack, i)))
        excess = choose(add(load(below, i), load(slack, i)), load(below, i), sub(zero, load(slack, i)))
        worst = choose(sub(excess, worst), excess, worst)
    gap = absolute(gap)
    store(programs.wrong, 0, gap)
    for lane in range(count):
        if not np.isfinite(programs.wrong[0, lane]):
            return np.nan
    return max(largest(worst), largest(gap))
