"""Aggregations in rational arithmetic and in 60 digits, and what may differ from them by rounding only."""

import itertools
import math
from fractions import Fraction

import mpmath
from torch import Tensor

from jdbench.aggregators import IMTLG, AlignedMTL
from jdbench.gramian import gramian
from jdbench.verification import tolerances
from support.aggregator_cases import weighted


def fractions(J: Tensor) -> list[list[Fraction]]:
    return [[Fraction(value) for value in row] for row in J.tolist()]


def product(x: list[Fraction], y: list[Fraction]) -> Fraction:
    return sum((a * b for a, b in zip(x, y, strict=True)), Fraction(0))


def combined(rows: list[list[Fraction]], w: list[Fraction]) -> list[Fraction]:
    return [
        sum((a * b for a, b in zip(w, column, strict=True)), Fraction(0)) for column in zip(*rows, strict=True)
    ]


def solution(A: list[list[Fraction]], b: list[Fraction]) -> list[Fraction] | None:
    """Return x with Ax = b by Gauss and Jordan, None if A is singular."""
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for i in range(len(rows)):
        pivot = next((k for k in range(i, len(rows)) if rows[k][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(len(rows)):
            if k != i and rows[k][i] != 0:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


def subsets(m: int) -> list[tuple[int, ...]]:
    return [subset for count in range(m + 1) for subset in itertools.combinations(range(m), count)]


def exact_weights(G: list[list[Fraction]], u: list[Fraction]) -> list[Fraction]:
    """Return argmin of vᵀGv over v ≥ u: the active set among all whose weights satisfy Lemma 4."""
    right = [-product(row, u) for row in G]
    for active in subsets(len(G)):
        z = solution([[G[i][k] for k in active] for i in active], [right[i] for i in active])
        if z is None or min(z, default=Fraction(0)) < 0:
            continue
        v = list(u)
        for i, value in zip(active, z, strict=True):
            v[i] += value
        if all(product(row, v) >= 0 for row in G):
            return v
    raise AssertionError("a positive semi-definite program has a basic solution")


def exact_minimum_norm(rows: list[list[Fraction]]) -> list[Fraction]:
    """Return the shortest vector a of the hull: gᵢᵀa = ‖a‖² on its face, ≥ elsewhere; 0 if there is none."""
    G = [[product(x, y) for y in rows] for x in rows]
    for face in subsets(len(rows))[1:]:
        x = solution([[G[i][k] for k in face] for i in face], [Fraction(1)] * len(face))
        if x is None or min(x) < 0:
            continue
        a = combined([rows[i] for i in face], [value / sum(x) for value in x])
        if all(product(row, a) >= product(a, a) for row in rows):
            return a
    return [Fraction(0)] * len(rows[0])


def assert_exact(spec: str, J: Tensor) -> None:
    m = J.shape[0]
    A, rows = weighted(spec, m), fractions(J)
    G = [[product(x, y) for y in rows] for x in rows]
    p = [Fraction(i + 1) if "preferences" in spec else Fraction(1, m) for i in range(m)]
    if spec == "MGDA":
        expected = exact_minimum_norm(rows)
    elif spec.startswith("DualProj"):
        expected = combined(rows, exact_weights(G, p))
    else:
        bounds = [[p[i] if i == k else Fraction(0) for k in range(m)] for i in range(m)]
        expected = combined(
            rows, [sum(column) for column in zip(*(exact_weights(G, u) for u in bounds), strict=True)]
        )
    a = [Fraction(value) for value in A(J).tolist()]
    error = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, expected, strict=True)))
    assert error <= float(tolerances.projection(J, A.weights(gramian(J)))), f"{spec} of {J.tolist()}"


def singular_values(J: Tensor, rank: int) -> tuple[mpmath.matrix, list[mpmath.mpf], mpmath.matrix]:
    """Return V, Σ and U of J = VΣUᵀ up to the rank, in 60 digits."""
    rows = mpmath.matrix(J.tolist())
    with mpmath.workdps(60):
        if rows.rows >= rows.cols:
            V, sigma, U = mpmath.svd_r(rows)
        else:
            V, sigma, U = mpmath.svd_r(rows.T)
            V, U = U.T, V.T
        return V[:, :rank], list(sigma)[:rank], U[:rank, :].T


def assert_aligned(J: Tensor, rank: int, scale: str) -> None:
    V, sigma, U = singular_values(J, rank)
    with mpmath.workdps(60):
        mean_square = mpmath.sqrt(sum(s**2 for s in sigma) / rank)
        length = {"min": sigma[-1], "median": sigma[rank - 1 - (rank - 1) // 2], "rmse": mean_square}[scale]
        m = J.shape[0]
        expected = length * (U * (V.T * mpmath.matrix([mpmath.mpf(1) / m] * m)))
        error = mpmath.norm(mpmath.matrix(AlignedMTL(scale=scale)(J).tolist()) - expected)
        # ‖p‖ = 1/√m, and the length errs relatively.
        assert error <= length / m**0.5 * tolerances.polar(J, rank)


def assert_imtl_g(J: Tensor, rank: int) -> None:
    V, sigma, U = singular_values(J, rank)
    with mpmath.workdps(60):
        d = mpmath.matrix([mpmath.sqrt(sum(x**2 for x in mpmath.matrix(row))) for row in J.tolist()])
        c = V.T * d
        v = V * mpmath.matrix([c[i] / sigma[i] ** 2 for i in range(rank)])
        expected = U * mpmath.matrix([c[i] / sigma[i] for i in range(rank)])
        total, cancelled = sum(v), sum(abs(value) for value in v)
        a = mpmath.matrix(IMTLG()(J).tolist())
        if abs(total) <= tolerances.polar(J, rank) * cancelled:
            assert mpmath.norm(a) == 0  # 1ᵀv = 0
        else:
            # The division by 1ᵀv multiplies a relative error of v by Σ|vᵢ| / |1ᵀv|.
            limit = tolerances.polar(J, rank) * cancelled / abs(total) * mpmath.norm(expected) / abs(total)
            assert mpmath.norm(a - expected / total) <= limit
