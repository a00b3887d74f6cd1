"""Aggregations and properties in rational arithmetic, free of rounding, rank cut-offs and stopping rules.

Floating-point numbers are rational, and so are the projection onto a dual cone and the shortest vector of a
convex hull: each solves a linear system in the rows that are active. Matrices are `fmpq_mat` of python-flint,
vectors are its matrices of one column; m ≥ 1 throughout.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from jdbench.errors import InputError, MissingExtraError, NonFiniteError, SolverError

try:
    from flint import fmpq, fmpq_mat
except ModuleNotFoundError as error:
    raise MissingExtraError(
        'jdbench.verification.exact, required flint, got no such package, run `pip install "jdbench[exact]"`'
    ) from error


def exact_matrix(J: Tensor) -> fmpq_mat:
    """Return the same numbers as rationals: a finite float is an integer times a power of two.

    Args:
        J: Matrix, shape ``[m, n]``, or vector, shape ``[n]``, which becomes a column. Real, any dtype.

    Returns:
        m × n or n × 1 rationals, without rounding.

    Raises:
        InputError: J has another number of dimensions.
        NonFiniteError: An entry is NaN or infinite.
    """
    if J.ndim not in {1, 2}:
        raise InputError(f"J.ndim={J.ndim}, required 1 or 2, got shape {tuple(J.shape)}, pass one matrix")
    if not bool(torch.isfinite(J).all()):
        raise NonFiniteError("J, required finite entries, got NaN or infinity, check the gradients")
    rows, columns = J.shape if J.ndim == 2 else (len(J), 1)
    entries: list[float] = J.detach().to(torch.float64).flatten().tolist()
    return fmpq_mat(rows, columns, [fmpq(*entry.as_integer_ratio()) for entry in entries])


def mean_exactly(J: fmpq_mat) -> fmpq_mat:
    """Return (1/m) Jᵀ1 ([JD] eq. 25), n × 1."""
    return J.transpose() * _preferences(J, None)


def upgrad_exactly(J: fmpq_mat, preferences: fmpq_mat | None = None) -> fmpq_mat:
    """Return Σ pᵢ πJ(gᵢ), every row projected onto the dual cone of all rows ([JD] eq. 4).

    Args:
        J: Jacobian, m × n.
        preferences: p, m × 1, positive; 1/m each by default.

    Returns:
        The aggregation, n × 1.
    """
    m = J.nrows()
    p, w = _preferences(J, preferences), fmpq_mat(m, 1)
    for i in range(m):
        w += project_weights_exactly(J, fmpq_mat(m, 1, [p[i, 0] if i == k else 0 for k in range(m)]))
    return J.transpose() * w


def dualproj_exactly(J: fmpq_mat, preferences: fmpq_mat | None = None) -> fmpq_mat:
    """Return πJ(Jᵀp), the mean gradient projected onto the dual cone of the rows ([JD] eq. 29).

    Args:
        J: Jacobian, m × n.
        preferences: p, m × 1, positive; 1/m each by default.

    Returns:
        The aggregation, n × 1.
    """
    return J.transpose() * project_weights_exactly(J, _preferences(J, preferences))


def mgda_exactly(J: fmpq_mat) -> fmpq_mat:
    """Return the shortest vector of the convex hull of the rows, Jᵀw ([JD] eq. 26 and 27).

    z ≥ 0 that minimises ‖Jᵀz‖² + (1ᵀz - 1)² is a positive multiple of w: with z = tw, the best t for a w of
    the simplex is 1/(1 + ‖Jᵀw‖²), and what remains increases with ‖Jᵀw‖.

    Args:
        J: Jacobian, m × n.

    Returns:
        The aggregation, n × 1.

    Raises:
        SolverError: w is not in the simplex or some gᵢᵀJᵀw < ‖Jᵀw‖²: a defect of this module.
    """
    m = J.nrows()
    G, one = J * J.transpose(), fmpq_mat(m, 1, [1] * m)
    z = _nonnegative_minimiser(G + one * one.transpose(), -one)
    w = z / sum(z.entries(), fmpq(0))
    Gw = G * w
    value = (w.transpose() * Gw)[0, 0]
    if min(w.entries()) < 0 or sum(w.entries(), fmpq(0)) != 1 or min(Gw.entries()) < value:
        raise SolverError(
            f"w={w.tolist()}, required the optimum of (27), got another point, report J={J.tolist()}"
        )
    return J.transpose() * w


def pcgrad_exactly(J: fmpq_mat, orders: Sequence[Sequence[int]]) -> fmpq_mat:
    """Return Σ gᵢ after its projections, in a given order, off rows in conflict ([JD] eq. 30 to 33).

    Args:
        J: Jacobian, m × n. Zero rows conflict with nothing.
        orders: For each i the other rows, 0 to m - 1, in the order of projection.

    Returns:
        The aggregation, n × 1.

    Raises:
        InputError: An order is not a permutation of the other rows.
    """
    m, n = J.nrows(), J.ncols()
    if [sorted([i, *order]) for i, order in enumerate(orders)] != [list(range(m))] * m:
        raise InputError(
            f"orders={orders}, required a permutation of the other rows for each of {m}, got others"
        )
    rows = [fmpq_mat(1, n, row) for row in J.tolist()]
    total = fmpq_mat(1, n)
    for g, order in zip(rows, orders, strict=True):
        for other in (rows[j] for j in order):
            conflict = (g * other.transpose())[0, 0]
            if conflict < 0:
                g = g - other * (conflict / (other * other.transpose())[0, 0])
        total += g
    return total.transpose()


def project_weights_exactly(J: fmpq_mat, u: fmpq_mat) -> fmpq_mat:
    """Return w with Jᵀw = πJ(Jᵀu): u ≤ w, 0 ≤ Gw, uᵀGw = wᵀGw ([JD] Lemma 4), which are checked.

    Args:
        J: Jacobian, m × n, any rank.
        u: Weights of the vector to project, m × 1.

    Returns:
        Weights, m × 1; not unique when the rows depend on each other, Jᵀw is.

    Raises:
        SolverError: A condition of the lemma fails: a defect of this module.
    """
    G = J * J.transpose()
    z = _nonnegative_minimiser(G, G * u)
    w = u + z
    Gw = G * w
    if min(z.entries()) < 0 or min(Gw.entries()) < 0 or (z.transpose() * Gw)[0, 0] != 0:
        raise SolverError(f"w={w.tolist()}, required Lemma 4, got another point, report J={J.tolist()}")
    return w


def non_conflicting_exactly(J: fmpq_mat, a: fmpq_mat) -> fmpq:
    """Return min_i gᵢᵀa, at least 0 for a non-conflicting aggregation ([JD] Definition 1).

    Args:
        J: Jacobian, m × n.
        a: Its aggregation, n × 1.

    Returns:
        Margin, whose sign counts: it is not relative to the norms, which are not rational.
    """
    return min((J * a).entries())


def linear_exactly(first: fmpq_mat, second: fmpq_mat, both: fmpq_mat) -> bool:
    """Return whether A(c₁∘J) + A(c₂∘J) = A((c₁+c₂)∘J) ([JD] Definition 2)."""
    return first + second == both


def weighted_exactly(J: fmpq_mat, a: fmpq_mat) -> bool:
    """Return whether a = Jᵀw for some w ([JD] Definition 3): J has the same rank with a as one more row."""
    return fmpq_mat(J.nrows() + 1, J.ncols(), J.entries() + a.entries()).rank() == J.rank()


def ulps(computed: Tensor, exact: fmpq_mat, scale: fmpq | int = 0) -> float:
    """Return max_k |computed_k - exact_k| in units in the last place of the largest exact entry.

    The unit is 2^(⌊log₂ s⌋ + 1 - p) with s = max(max_k |exact_k|, scale), p = 24 in float32 and 53 in float64,
    and at least the smallest subnormal: that of the vector's size, so that entries which are zero count too.

    Args:
        computed: Vector, shape ``[n]``, float32 or float64.
        exact: What it should be, n × 1.
        scale: A least s, at least 0: max |Jᵢⱼ| judges a vector that cancels, even to zero, by what it sums.

    Returns:
        The error, 0 or more; infinity for NaN, infinity, and a non-zero vector where s = 0.
    """
    if not bool(torch.isfinite(computed).all()):
        return float("inf")
    error = max((abs(entry) for entry in (exact_matrix(computed) - exact).entries()), default=fmpq(0))
    s = max([abs(entry) for entry in exact.entries()] + [fmpq(scale)])
    if error == 0 or s == 0:
        return 0.0 if error == 0 else float("inf")
    above = fmpq(2) ** (int(s.p).bit_length() - int(s.q).bit_length())  # s/2 < above < 2s
    information = torch.finfo(computed.dtype)
    power = above if above <= s else above / 2
    least = fmpq(*float(information.smallest_normal).as_integer_ratio())
    ratio = error / (max(power, least) * fmpq(*information.eps.as_integer_ratio()))
    try:
        return int(ratio.p) / int(ratio.q)
    except OverflowError:
        return float("inf")


def _preferences(J: fmpq_mat, preferences: fmpq_mat | None) -> fmpq_mat:
    m = J.nrows()
    p = fmpq_mat(m, 1, [fmpq(1, m)] * m) if preferences is None else preferences
    if (p.nrows(), p.ncols()) != (m, 1) or min(p.entries()) <= 0:
        raise InputError(f"preferences={p.tolist()}, required {m} positive numbers, got others, pass one a row")
    return p


def _nonnegative_minimiser(Q: fmpq_mat, q: fmpq_mat) -> fmpq_mat:
    """Return z ≥ 0 that minimises ½zᵀQz + qᵀz, for Q = BBᵀ and q = Bc, by an active-set method.

    C. L. Lawson and R. J. Hanson, *Solving Least Squares Problems*, 1974, Chapter 23. A row of B that depends
    on the passive ones has gradient 0, as they have, and is never taken in: the passive system is regular
    whatever the rank. The objective decreases strictly from one solution to the next, so there is an end.
    """
    m = Q.nrows()
    z, passive = fmpq_mat(m, 1), list[int]()
    while True:
        gradient = (Q * z + q).entries()
        entering = min(range(m), key=lambda i: gradient[i])
        if gradient[entering] >= 0:
            return z
        passive.append(entering)
        while True:
            size = len(passive)
            system = fmpq_mat(size, size, [Q[i, j] for i in passive for j in passive])
            target = system.solve(fmpq_mat(size, 1, [-q[i, 0] for i in passive])).entries()
            steps = [z[i, 0] / (z[i, 0] - t) for i, t in zip(passive, target, strict=True) if t <= 0]
            step = min(steps, default=fmpq(1))
            for i, t in zip(passive, target, strict=True):
                z[i, 0] += step * (t - z[i, 0])
            if not steps:
                break
            passive = [i for i in passive if z[i, 0] > 0]
