"""Up to eight bounds of a Gramian: their linear terms in unit rows, then the weights and residuals of answers.

One bound a lane, the layout of `octet`.
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
from jdbench.dual_cone.kernels.lockstep_arithmetic import Floats, Octet, add_product


class Terms(NamedTuple):
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
def empty_terms(m: int) -> Terms:
    """Return the memory for eight bounds.

    Args:
        m: Their length.

    Returns:
        Memory to be filled by `set_terms`.
    """
    rows = np.empty((m + 1, LANES))
    return Terms(rows[:m], rows[m:], np.empty(LANES, dtype=np.int64))


@compiled_sums
def set_terms(d: Floats, bounds: Floats, row: int, count: int, terms: Terms, octet: Octet) -> None:
    """Set the linear terms Ĝû of up to eight bounds, û the bound in unit rows over its largest entry.

    Args:
        d: Row norms, shape ``[m]``.
        bounds: All bounds, shape ``[k, m]``.
        row: Where the first stands.
        count: Their number.
        terms: Changed in place.
        octet: Its ``q`` and ``scale`` are set, and ``z`` to zero.
    """
    m = d.shape[0]
    M, q, u = octet.padded, octet.q, octet.x
    for lane in range(LANES):
        scale = 0.0
        single = -1
        for i in range(m):
            terms.bound[i, lane] = bounds[row + lane, i] if lane < count else 0.0
            u[i, lane] = terms.bound[i, lane] * d[i]
            if u[i, lane] != 0.0:
                single = i if scale == 0.0 and u[i, lane] > 0.0 else -1
                scale = max(scale, abs(u[i, lane]))
        terms.single[lane] = single
        terms.largest[0, lane] = scale if scale > 0.0 else 1.0
    size = spread(0.0)
    for i in range(m):
        store(q, i, size)
        store(octet.z, i, size)
    for i in range(m):
        value = divide(load(u, i), load(terms.largest, 0))
        if largest(absolute(value)) != 0.0:
            size = add(size, absolute(value))
            for j in range(m):
                store(q, j, fma(spread(M[i, j]), value, load(q, j)))
    store(octet.scale, 0, choose(size, size, spread(1.0)))


@compiled_sums
def weights_and_residual(d: Floats, terms: Terms, octet: Octet, W: Floats, row: int, count: int) -> float:
    """Add the weights to W and return the largest residual of Lemma 4, as `Solution` computes it from them.

    Args:
        d: Row norms, shape ``[m]``.
        terms: The bounds.
        octet: Holds the answers in ``z``; used up.
        W: Weights of all bounds, shape ``[k, m]``, or of their sum, ``[1, m]``; changed in place.
        row: Where the first of the bounds stands.
        count: Their number.

    Returns:
        The largest of the three residuals, NaN if one is.
    """
    m = d.shape[0]
    z, slack, below, scale = octet.z, octet.gradient, octet.q, load(terms.largest, 0)
    zero = spread(0.0)
    for i in range(m):
        bound, norm = load(terms.bound, i), spread(d[i])
        # A weight at its bound is that bound, bit for bit.
        w = add(bound, choose(norm, divide(mul(load(z, i), scale), norm), zero))
        store(octet.x, i, w)
        store(z, i, divide(mul(w, norm), scale))
        store(below, i, divide(mul(sub(bound, w), norm), scale))
        store(slack, i, zero)
    last = W.shape[0] - 1
    for lane in range(count):
        for i in range(m):
            W[min(row + lane, last), i] += octet.x[i, lane]
    add_product(octet.padded, z, slack, m)
    gap, worst = zero, zero
    for i in range(m):
        gap = sub(gap, mul(load(below, i), load(slack, i)))
        excess = choose(add(load(below, i), load(slack, i)), load(below, i), sub(zero, load(slack, i)))
        worst = choose(sub(excess, worst), excess, worst)
    gap = absolute(gap)
    store(octet.wrong, 0, gap)
    for lane in range(count):
        if not np.isfinite(octet.wrong[0, lane]):
            return np.nan
    return max(largest(worst), largest(gap))
