"""Eight programs min ½zᵀMz + qᵀz over z ≥ 0 of one matrix M in lockstep, one a lane of a vector register.

The method of `principal_pivoting`: coordinate descent guesses the active sets, and the columns that violate a
sign on a guess are exchanged all at once. A column that depends on those before it gets the weight zero. What
does not settle, or ends with weights too large to be trusted, is reported, and goes to the methods that
`nonnegative_qp` lists next.
"""

from typing import Any

import numpy as np

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.kernels.factor import EPS
from jdbench.dual_cone.kernels.lanes import absolute, add, choose, fma, largest, load, mul, spread, store, sub
from jdbench.dual_cone.kernels.lockstep_face import factorize_in_lockstep, list_active, minimize_in_lockstep
from jdbench.dual_cone.kernels.lockstep_programs import Floats, LockstepPrograms
from jdbench.dual_cone.kernels.nonnegative_qp import DOUBT, SAFETY_FACTOR
from jdbench.dual_cone.kernels.principal_pivoting import EXCHANGES

SWEEPS = 12
"""Most sweeps of coordinate descent: where columns nearly depend on each other, exchanges mend signs sooner."""

Lanes = Any  # a vector register, for which there is no type outside numba


@compiled
def solve_in_lockstep(programs: LockstepPrograms) -> int:
    """Set ``programs.z`` to the argmins of ½zᵀMz + qᵀz over z ≥ 0, where ``programs.wrong`` becomes 0.

    Args:
        programs: Linear terms, scales and M, whose diagonal is of ones (or zeros).

    Returns:
        The most changes of an active set that one program took.
    """
    q, z, gradient, inside, wrong = programs.q, programs.z, programs.gradient, programs.inside, programs.wrong
    M, R, inverse, x = programs.padded, programs.R, programs.inverse, programs.x
    active, scale = programs.active, programs.scale
    m = q.shape[0]
    _sweep(M, q, z, gradient, inside)
    changes = 0
    fewest = np.inf
    for _ in range(EXCHANGES):
        p = list_active(inside, active)
        changes += p if changes == 0 else 0
        factorize_in_lockstep(M, active, p, R, inverse, inside)
        minimize_in_lockstep(M, q, scale, active, p, R, inverse, x, z, gradient)
        count = _exchange(m, scale, z, gradient, inside, wrong)
        if count == 0.0 or count > fewest:
            break
        changes += int(count)
        fewest = min(count, fewest)
    return changes


@compiled_sums
def _sweep(M: Floats, q: Floats, z: Floats, gradient: Floats, inside: Floats) -> None:
    """Minimise over one coordinate of z after the other until a sweep changes few signs; set ``inside``."""
    m = q.shape[0]
    zero, one = spread(0.0), spread(1.0)
    for j in range(m):
        store(z, j, zero)
        store(inside, j, zero)
        store(gradient, j, load(q, j))
    for _ in range(SWEEPS):
        j = 0
        while j + 3 < m:  # four coordinates a pass: the gradient is read and written a quarter as often
            a = _step(z, j, load(gradient, j))
            g = fma(spread(M[j, j + 1]), a, load(gradient, j + 1))
            b = _step(z, j + 1, g)
            g = fma(spread(M[j, j + 2]), a, load(gradient, j + 2))
            c = _step(z, j + 2, fma(spread(M[j + 1, j + 2]), b, g))
            g = fma(spread(M[j, j + 3]), a, load(gradient, j + 3))
            g = fma(spread(M[j + 1, j + 3]), b, g)
            d = _step(z, j + 3, fma(spread(M[j + 2, j + 3]), c, g))
            for i in range(m):
                g = fma(spread(M[j, i]), a, load(gradient, i))
                g = fma(spread(M[j + 1, i]), b, g)
                g = fma(spread(M[j + 2, i]), c, g)
                store(gradient, i, fma(spread(M[j + 3, i]), d, g))
            j += 4
        while j < m:
            a = _step(z, j, load(gradient, j))
            for i in range(m):
                store(gradient, i, fma(spread(M[j, i]), a, load(gradient, i)))
            j += 1
        changed = zero
        for i in range(m):
            now = choose(load(z, i), one, zero)
            changed = add(changed, absolute(sub(now, load(inside, i))))
            store(inside, i, now)
        if largest(changed) == 0.0:
            break


@compiled_sums
def _step(z: Floats, j: int, gradient: Lanes) -> Lanes:
    """Minimise over coordinate j of z, where M has a one, and return by how much it changes."""
    old = load(z, j)
    new = sub(old, gradient)
    new = choose(new, new, spread(0.0))
    store(z, j, new)
    return sub(new, old)


@compiled_sums
def _exchange(m: int, scale: Floats, z: Floats, gradient: Floats, inside: Floats, wrong: Floats) -> float:
    """Count the wrong signs of every program, and exchange those columns.

    Weights so large that the rounding of M could exceed `DOUBT`, and with which a violation or the gap does,
    count as one, which no exchange mends.

    Returns:
        The largest number of wrong signs that exchanges may mend.
    """
    zero, one = spread(0.0), spread(1.0)
    size = zero
    for j in range(m):
        size = add(size, absolute(load(z, j)))
    scales = load(scale, 0)
    tolerance = mul(spread(2 * m * EPS), add(scales, size))
    total = zero
    for j in range(m):
        was = load(inside, j)
        below = sub(zero, add(load(gradient, j), tolerance))
        bad = choose(was, choose(load(z, j), zero, one), choose(below, one, zero))
        total = add(total, bad)
        store(inside, j, absolute(sub(was, bad)))
    limit = mul(spread(DOUBT), mul(scales, scales))
    error = mul(spread(4 * EPS), mul(size, add(size, add(scales, scales))))
    if not largest(sub(error, limit)) <= 0.0:
        gap, lowest = zero, zero
        for j in range(m):
            g = load(gradient, j)
            gap = fma(load(z, j), g, gap)
            lowest = choose(sub(g, lowest), lowest, g)
        found = choose(add(absolute(gap), lowest), absolute(gap), sub(zero, lowest))
        error = choose(sub(error, limit), mul(spread(SAFETY_FACTOR), found), error)
    store(wrong, 0, choose(total, total, choose(sub(limit, error), zero, one)))
    return largest(total)
