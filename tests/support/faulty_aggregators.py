"""Aggregators with one fault each, most of them right nearly everywhere, for `test_planted_faults.py`."""

import itertools
import time

import torch

from jdbench.aggregator import Aggregator
from jdbench.aggregators import Mean, PCGrad, UPGrad
from jdbench.dual_cone import project_weights
from jdbench.gramian import combine, gramian, unit_rows

F64 = torch.float64

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


def decades(J):
    norms = J.norm(dim=-1)
    norms = norms[norms > 0]
    return float((norms.max() / norms.min()).log10()) if len(norms) else 0.0


def has_near_duplicates(J):
    G = cosines(J) - torch.eye(len(J), dtype=F64)
    return bool((G > 1 - 1e-6).any()) and not has_duplicates(J)


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


def nothing(J):
    return torch.zeros_like(J[0])


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


def ignores_small_conflicts(least, J):
    G = cosines(J)
    G = torch.where(G.abs() < least, 0.0, G)
    norms = unit_rows(gramian(J)).norms
    W = project_weights(G, torch.diag(norms)).mean(-2)
    return combine(J, W / torch.where(norms > 0, norms, 1.0))


def in_its_own_dtype(J):
    return combine(J, UPGrad().weights(J @ J.T))


class EveryFiftieth:
    """Right but for one call in fifty."""

    def __init__(self):
        self.calls = 0

    def __call__(self, J):
        self.calls += 1
        return (Mean() if self.calls % 50 == 0 else UPGrad())(J)


def clipped(J):
    a = UPGrad()(J)
    return a / max(1.0, float(a.abs().max()) / 100)


def first_row_twice(J):
    return UPGrad()(torch.cat([J[:1], J]))


def order_dependent(m, J):
    return first_row_twice(J) if len(J) == m else UPGrad()(J)


def largest_coordinate(J):
    a = UPGrad()(J)
    return torch.where(a.abs() == a.abs().max(), a, 0.0)


def first_coordinate_kept(J):
    a = UPGrad()(J)
    return torch.cat([J.mean(0)[:1], a[1:]])


def zero_below(size, J):
    a = UPGrad()(J)
    return torch.where(a.norm() < size, torch.zeros_like(a), a)


def with_constant(size, J):
    G = gramian(J)
    return combine(J, UPGrad().weights(G + size * torch.eye(len(J), dtype=F64)))


def zero_when_small_beside_rows(share, J):
    a = UPGrad()(J)
    return torch.where(a.norm() < share * J.norm(dim=-1).max(), torch.zeros_like(a), a)


def longest_row(J):
    return J[J.norm(dim=-1).argmax()]


def of_its_own_mind(J):
    """Depend on the batch: a matrix that has companions gets the mean."""
    return UPGrad()(J) if J.ndim == 2 else Mean()(J)


def batched(call, J):
    m, n = J.shape[-2:]
    return torch.stack([call(matrix) for matrix in J.reshape(-1, m, n)]).reshape(*J.shape[:-2], n)


def conflict_solved_in_order(J):
    return PCGrad()(J, generator=torch.Generator().manual_seed(1))
