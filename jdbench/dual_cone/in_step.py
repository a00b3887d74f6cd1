"""Eight programs min ½zᵀMz + qᵀz over z ≥ 0 of one matrix M, in step: one a lane of a vector register.

The method of `principal_pivoting`: coordinate descent guesses the active sets, and the columns that violate a
sign on a guess are exchanged all at once. A column that depends on those before it gets the weight zero. What
does not settle, or ends with weights too large to be trusted, is reported, for the next link of the chain.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.factor import EPS
from jdbench.dual_cone.lanes import (
    LANES,
    absolute,
    add,
    choose,
    fma,
    inverse_root,
    largest,
    load,
    mul,
    spread,
    store,
    sub,
)
from jdbench.dual_cone.nonnegative_qp import DOUBT
from jdbench.dual_cone.principal_pivoting import EXCHANGES, PIVOT, SWEEPS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class Octet(NamedTuple):
    """Memory for eight programs of m columns.

    Attributes:
        q: Linear terms, shape ``[m, 8]``.
        scale: Sizes of the numbers from which they were summed, shape ``[1, 8]``.
        z: The points, shape ``[m + 1, 8]``, the last row without meaning.
        gradient: Mz + q, shape ``[m + 1, 8]``.
        inside: 1 where a column is active, else 0, shape ``[m, 8]``.
        wrong: Number of wrong signs, shape ``[1, 8]``: 0 where a program is solved.
        padded: M with a row and a column of zeros behind, shape ``[m + 1, m + 1]``.
        R: Cholesky factors of the active columns, row by row, shape ``[m², 8]``.
        inverse: Reciprocals of their diagonals, 0 for a dependent column, shape ``[m, 8]``.
        x: Right-hand sides, then solutions, shape ``[m, 8]``.
        active: The active columns, then m, shape ``[m, 8]``.
    """

    q: Floats
    scale: Floats
    z: Floats
    gradient: Floats
    inside: Floats
    wrong: Floats
    padded: Floats
    R: Floats
    inverse: Floats
    x: Floats
    active: Integers


@compiled
def empty_octet(m: int) -> Octet:
    """Return the memory for eight programs.

    Args:
        m: Number of columns of M.

    Returns:
        Memory whose ``q``, ``scale`` and ``padded`` are to be filled.
    """
    return Octet(
        np.zeros((m, LANES)),
        np.ones((1, LANES)),
        np.zeros((m + 1, LANES)),
        np.zeros((m + 1, LANES)),
        np.empty((m, LANES)),
        np.empty((1, LANES)),
        np.zeros((m + 1, m + 1)),
        np.empty((m * m, LANES)),
        np.empty((m, LANES)),
        np.empty((m, LANES)),
        np.empty((m, LANES), dtype=np.int64),
    )


@compiled
def solve_in_step(octet: Octet) -> int:
    """Set ``octet.z`` to the argmins of ½zᵀMz + qᵀz over z ≥ 0, where ``octet.wrong`` becomes 0.

    Args:
        octet: Linear terms, scales and M, whose diagonal is of ones (or zeros).

    Returns:
        The most changes of an active set that one program took.
    """
    q, z, gradient, inside, wrong = octet.q, octet.z, octet.gradient, octet.inside, octet.wrong
    M, R, inverse, x, active, scale = octet.padded, octet.R, octet.inverse, octet.x, octet.active, octet.scale
    m = q.shape[0]
    _sweep(M, q, z, gradient, inside)
    changes = 0
    fewest = np.inf
    for _ in range(EXCHANGES):
        p = _list_active(inside, active)
        changes += p if changes == 0 else 0
        _factorize(M, active, p, R, inverse, inside)
        _minimize(M, q, scale, active, p, R, inverse, x, z, gradient)
        count = _judge(m, scale, z, gradient, inside, wrong)
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
        changed = zero
        for j in range(m):
            old = load(z, j)
            new = sub(old, load(gradient, j))
            new = choose(new, new, zero)
            store(z, j, new)
            shift = sub(new, old)
            now = choose(new, one, zero)
            changed = add(changed, absolute(sub(now, load(inside, j))))
            store(inside, j, now)
            for i in range(m):
                store(gradient, i, fma(spread(M[j, i]), shift, load(gradient, i)))
        if largest(changed) == 0.0:
            break


@compiled
def _list_active(inside: Floats, active: Integers) -> int:
    """List the active columns of each program, then m, and return the largest number of them."""
    m = inside.shape[0]
    most = 0
    for lane in range(LANES):
        p = 0
        for j in range(m):
            active[p, lane] = j
            p += int(inside[j, lane])
        for k in range(p, m):
            active[k, lane] = m
        most = max(most, p)
    return most


@compiled_sums
def _factorize(M: Floats, active: Integers, p: int, R: Floats, inverse: Floats, inside: Floats) -> None:
    """Factorize M_AA = RᵀR for the first p of the active columns; dependent ones leave."""
    m = inside.shape[0]
    zero, least = spread(0.0), spread(PIVOT)
    for k in range(p):
        for i in range(k, p):
            for lane in range(LANES):
                R[k * p + i, lane] = M[active[k, lane], active[i, lane]]
        pivot = load(R, k * p + k)
        for t in range(k):
            a = load(R, t * p + k)
            pivot = sub(pivot, mul(a, a))
        root = choose(sub(pivot, least), inverse_root(pivot), zero)
        store(inverse, k, root)
        i = k + 1
        while i + 3 < p:
            a, b = load(R, k * p + i), load(R, k * p + i + 1)
            c, d = load(R, k * p + i + 2), load(R, k * p + i + 3)
            for t in range(k):
                row = t * p
                share = sub(zero, load(R, row + k))
                a = fma(share, load(R, row + i), a)
                b = fma(share, load(R, row + i + 1), b)
                c = fma(share, load(R, row + i + 2), c)
                d = fma(share, load(R, row + i + 3), d)
            store(R, k * p + i, mul(a, root))
            store(R, k * p + i + 1, mul(b, root))
            store(R, k * p + i + 2, mul(c, root))
            store(R, k * p + i + 3, mul(d, root))
            i += 4
        while i < p:
            a = load(R, k * p + i)
            for t in range(k):
                a = fma(sub(zero, load(R, t * p + k)), load(R, t * p + i), a)
            store(R, k * p + i, mul(a, root))
            i += 1
        for lane in range(LANES):
            j = active[k, lane]
            if inverse[k, lane] == 0.0 and j < m:
                inside[j, lane] = 0.0


@compiled_sums
def _minimize(
    M: Floats,
    q: Floats,
    scale: Floats,
    active: Integers,
    p: int,
    R: Floats,
    inverse: Floats,
    x: Floats,
    z: Floats,
    gradient: Floats,
) -> None:
    """Set z to the minimisers on the faces and the gradient there, refined while that is more than rounding."""
    m = q.shape[0]
    zero = spread(0.0)
    for j in range(m + 1):
        store(z, j, zero)
    for j in range(m):
        store(gradient, j, load(q, j))
    for _ in range(3):
        for k in range(p):
            for lane in range(LANES):
                x[k, lane] = -gradient[active[k, lane], lane]
        _substitute(R, inverse, x, p)
        for k in range(p):
            for lane in range(LANES):
                z[active[k, lane], lane] += x[k, lane]
        size = zero
        for j in range(m):
            store(gradient, j, load(q, j))
            size = add(size, absolute(load(z, j)))
        add_product(M, z, gradient, m)
        room = mul(spread(0.5 * m * EPS), add(load(scale, 0), size))
        worst = zero
        for k in range(p):
            for lane in range(LANES):
                x[k, lane] = gradient[active[k, lane], lane] if inverse[k, lane] > 0.0 else 0.0
            excess = sub(absolute(load(x, k)), room)
            worst = choose(sub(excess, worst), excess, worst)
        if largest(worst) <= 0.0:
            break


@compiled_sums
def add_product(M: Floats, z: Floats, gradient: Floats, m: int) -> None:
    """Add Mz to the gradient.

    Args:
        M: Symmetric, shape ``[m + 1, m + 1]``, the last row and column not read.
        z: Eight vectors, shape ``[m + 1, 8]``.
        gradient: Changed in place, shape ``[m + 1, 8]``.
        m: Number of columns.
    """
    j = 0
    while j + 3 < m:
        a, b, c, d = load(z, j), load(z, j + 1), load(z, j + 2), load(z, j + 3)
        for i in range(m):
            g = fma(spread(M[j, i]), a, load(gradient, i))
            g = fma(spread(M[j + 1, i]), b, g)
            g = fma(spread(M[j + 2, i]), c, g)
            store(gradient, i, fma(spread(M[j + 3, i]), d, g))
        j += 4
    while j < m:
        a = load(z, j)
        for i in range(m):
            store(gradient, i, fma(spread(M[j, i]), a, load(gradient, i)))
        j += 1


@compiled_sums
def _substitute(R: Floats, inverse: Floats, x: Floats, p: int) -> None:
    """Solve RᵀR x = x in place."""
    for k in range(p):
        value = mul(load(x, k), load(inverse, k))
        store(x, k, value)
        value = sub(spread(0.0), value)
        for i in range(k + 1, p):
            store(x, i, fma(value, load(R, k * p + i), load(x, i)))
    for k in range(p - 1, -1, -1):
        total, other = load(x, k), spread(0.0)
        i = k + 1
        while i + 1 < p:
            total = sub(total, mul(load(R, k * p + i), load(x, i)))
            other = fma(load(R, k * p + i + 1), load(x, i + 1), other)
            i += 2
        if i < p:
            total = sub(total, mul(load(R, k * p + i), load(x, i)))
        store(x, k, mul(sub(total, other), load(inverse, k)))


@compiled_sums
def _judge(m: int, scale: Floats, z: Floats, gradient: Floats, inside: Floats, wrong: Floats) -> float:
    """Count the wrong signs of every program, exchange those columns, and return the largest number.

    Weights so large that the rounding of M could exceed `DOUBT` count as one that no exchange mends.
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
    error = mul(spread(4 * EPS), mul(size, add(size, add(scales, scales))))
    trusted = sub(mul(spread(DOUBT), mul(scales, scales)), error)
    store(wrong, 0, choose(total, total, choose(trusted, zero, one)))
    return largest(total)
