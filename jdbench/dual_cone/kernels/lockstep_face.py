"""The minimisers of eight programs of one matrix on eight faces of z ≥ 0: exact on the active columns.

As in `factor` and `face`, one program a lane. The columns of each are listed one after the other, and those of
the shorter lists filled up with a column of zeros; its pivot, like that of a dependent column, gets the
reciprocal zero, and with it the weight zero.
"""

from jdbench.compiled import compiled, compiled_sums
from jdbench.dual_cone.kernels.factor import EPS, PIVOT
from jdbench.dual_cone.kernels.lanes import (
    LANES,
    absolute,
    add,
    choose,
    fma,
    gather,
    inverse_root,
    largest,
    load,
    mul,
    spread,
    store,
    sub,
)
from jdbench.dual_cone.kernels.lockstep_programs import Floats, Integers, add_product


@compiled
def list_active(inside: Floats, active: Integers) -> int:
    """List the active columns of each program, then m.

    Args:
        inside: 1 where a column is active, else 0, shape ``[m, 8]``.
        active: The lists, shape ``[m, 8]``, changed in place.

    Returns:
        The length of the longest.
    """
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
def factorize_in_lockstep(
    M: Floats, active: Integers, p: int, R: Floats, inverse: Floats, inside: Floats
) -> None:
    """Factorize M_AA = RᵀR of every program; dependent columns leave.

    Args:
        M: Positive semi-definite, shape ``[m + 1, m + 1]``, the last row and column zero.
        active: The active columns, then m, shape ``[m, 8]``.
        p: Length of the longest list.
        R: The factors row by row, shape ``[p², 8]`` in use, changed in place.
        inverse: Reciprocals of their diagonals, shape ``[m, 8]``, changed in place.
        inside: Changed to 0 where a column depends on those before it, shape ``[m, 8]``.
    """
    m = inside.shape[0]
    zero, least = spread(0.0), spread(PIVOT)
    for k in range(p):
        pivot = gather(M, active, k, k)
        for t in range(k):
            a = load(R, t * p + k)
            pivot = sub(pivot, mul(a, a))
        root = choose(sub(pivot, least), inverse_root(pivot), zero)
        store(inverse, k, root)
        i = k + 1
        while i + 3 < p:
            a, b = gather(M, active, k, i), gather(M, active, k, i + 1)
            c, d = gather(M, active, k, i + 2), gather(M, active, k, i + 3)
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
            a = gather(M, active, k, i)
            for t in range(k):
                a = fma(sub(zero, load(R, t * p + k)), load(R, t * p + i), a)
            store(R, k * p + i, mul(a, root))
            i += 1
        for lane in range(LANES):
            j = active[k, lane]
            if inverse[k, lane] == 0.0 and j < m:
                inside[j, lane] = 0.0


@compiled_sums
def minimize_in_lockstep(
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
    """Set z to the minimisers on the faces and the gradient there, refined while that is more than rounding.

    Args:
        M: Positive semi-definite, shape ``[m + 1, m + 1]``, the last row and column zero.
        q: Linear terms, shape ``[m, 8]``.
        scale: Sizes of the numbers from which they were summed, shape ``[1, 8]``.
        active: The active columns, then m, shape ``[m, 8]``.
        p: Length of the longest list.
        R: The factors.
        inverse: Reciprocals of their diagonals.
        x: Memory, shape ``[m, 8]``.
        z: Changed in place, shape ``[m + 1, 8]``.
        gradient: Mz + q, changed in place, shape ``[m + 1, 8]``.
    """
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
