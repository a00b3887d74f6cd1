"""MGDA, CAGrad, Nash-MTL, DualProj and UPGrad against their programs in Rⁿ by cvxpy, others against TorchJD."""

import math

import pytest
import torch
from torch import Tensor

from jdbench import rounding
from jdbench.aggregator import GramianAggregator
from jdbench.aggregators import IMTLG, MGDA, AlignedMTL, CAGrad, DualProj, Mean, NashMTL, UPGrad
from jdbench.gramian import gramian
from jdbench.verification import tolerances

cp = pytest.importorskip("cvxpy", reason="the references are convex programs in cvxpy (extra: dev)")

SHAPES = [(1, 3), (2, 1), (2, 4), (3, 2), (3, 3), (4, 9), (5, 3), (5, 6), (6, 6), (7, 4), (8, 9), (8, 2)]
SEEDS = range(2)
RADII = [0.1, 0.5, 0.9, 1.0, 1.5, 3.0]
GAP = tolerances.REFERENCE_GAP


def draw(m: int, n: int, seed: int) -> Tensor:
    """Return a Gaussian matrix whose row norms span two decades, the largest norm being 1."""
    generator = torch.Generator().manual_seed(1000 * m + 10 * n + seed)
    J = torch.randn(m, n, dtype=torch.float64, generator=generator)
    J *= 10.0 ** (2 * torch.rand(m, 1, dtype=torch.float64, generator=generator) - 2)
    return J / rounding.row_norms(J).max()


def solved(objective: object, constraints: list[object], x: object, gap: float = GAP) -> Tensor:
    """Return the optimal point of a convex program, to the accuracy that the limits are derived from."""
    problem = cp.Problem(objective, constraints)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=gap, tol_gap_rel=gap, tol_feas=gap)
    assert problem.status == cp.OPTIMAL
    return torch.as_tensor(x.value, dtype=torch.float64)


def units(J: Tensor) -> Tensor:
    norms = rounding.row_norms(J).unsqueeze(-1)
    return J / torch.where(norms > 0, norms, 1.0)


def nearest_in_dual_cone(J: Tensor, target: Tensor) -> Tensor:
    x = cp.Variable(J.shape[1])
    return solved(cp.Minimize(cp.sum_squares(x - target.numpy()) / 2), [units(J).numpy() @ x >= 0], x)


def projection_limit(J: Tensor, w: Tensor, u: Tensor) -> float:
    """Return the distance that the reference's gap and infeasibility, weighed by the multipliers, allow."""
    multipliers = rounding.size(J, w - u)
    excess = GAP * (1 + multipliers) + tolerances.improvement(J, w) * rounding.size(J, w)
    return float(tolerances.strong_convexity(excess))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_dualproj_is_the_nearest_point_of_the_dual_cone_to_the_mean(shape: tuple[int, int]) -> None:
    for seed in SEEDS:
        J = draw(*shape, seed)
        w = DualProj().weights(gramian(J))
        reference = nearest_in_dual_cone(J, J.mean(0))
        assert float((DualProj()(J) - reference).norm()) <= projection_limit(J, w, torch.tensor(1 / shape[0]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_upgrad_is_the_mean_of_the_nearest_points_to_the_rows(shape: tuple[int, int]) -> None:
    for seed in SEEDS:
        J = draw(*shape, seed)
        w = UPGrad().weights(gramian(J))
        reference = torch.stack([nearest_in_dual_cone(J, row) for row in J]).mean(0)
        assert float((UPGrad()(J) - reference).norm()) <= projection_limit(J, w, torch.tensor(1 / shape[0]))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_mgda_is_the_shortest_vector_of_the_hull(shape: tuple[int, int]) -> None:
    for seed in SEEDS:
        J = draw(*shape, seed)
        w = cp.Variable(shape[0], nonneg=True)
        found = solved(cp.Minimize(cp.sum_squares(J.numpy().T @ w) / 2), [cp.sum(w) == 1], w)
        ours = MGDA().weights(gramian(J))
        assert float(ours.min()) >= 0
        assert abs(float(ours.sum()) - 1) <= rounding.gamma(2 * shape[0])
        error = tolerances.improvement(J, ours) * rounding.size(J, ours)
        # The rows are no longer than 1, so an infeasible sum of weights counts once in the value.
        excess = 2 * GAP + error
        assert float((MGDA()(J) - J.T @ found).norm()) <= float(tolerances.strong_convexity(excess))
        assert float(MGDA()(J).square().sum()) <= float((J.T @ found).square().sum() + 2 * excess)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("epsilon", [1.0, 0.25])
def test_nash_mtl_has_the_largest_product_of_improvements(shape: tuple[int, int], epsilon: float) -> None:
    for seed in SEEDS:
        J = draw(*shape, seed)
        m, n = shape
        if hull_holds_zero(J):
            # No d has Jd > 0: the sum of logarithms is -∞ everywhere, and there is no reference.
            assert not NashMTL(epsilon)(J).any()
            continue
        d = cp.Variable(n)
        objective = cp.Maximize(cp.sum(cp.log(units(J).numpy() @ d)))
        gap = tolerances.REFERENCE_GAP_OF_LOGARITHMS
        reference = epsilon * solved(objective, [cp.norm(d) <= 1], d, gap)
        # The ball's multiplier is m/ε² (Σ gᵢᵀd/gᵢᵀd = m), a modulus of strong convexity of the Lagrangian.
        w = NashMTL(epsilon).weights(gramian(J))
        rounding = m * tolerances.improvement(J, w) / (units(J) @ reference).min()
        excess = (m + 1) * gap + rounding
        limit = tolerances.strong_convexity(excess, m / epsilon**2)
        assert float((NashMTL(epsilon)(J) - reference).norm()) <= float(limit)


def hull_holds_zero(J: Tensor) -> bool:
    """Whether 0 is in the convex hull of the unit rows as far as the reference can tell: no d has Jd > 0."""
    w = cp.Variable(J.shape[0], nonneg=True)
    found = solved(cp.Minimize(cp.sum_squares(units(J).numpy().T @ w) / 2), [cp.sum(w) == 1], w)
    return float((units(J).T @ found).norm()) <= float(tolerances.strong_convexity(GAP))


def assert_in_ball(J: Tensor, d: Tensor, w: Tensor, c: float) -> None:
    mean = J.mean(0)
    shift = w - 1 / J.shape[0]
    # The radius is measured on the Gramian: ‖Jᵀp‖² errs by its slack's error times the size of p. d is rounded.
    square = (c * mean.norm()) ** 2 + tolerances.improvement(J, shift) * rounding.size(J, shift)
    assert float((d - mean).norm()) <= float(square.sqrt() + tolerances.improvement(J, w))


@pytest.mark.parametrize("c", RADII)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_cagrad_has_the_largest_worst_improvement_in_its_ball(shape: tuple[int, int], c: float) -> None:
    for seed in SEEDS:
        J = draw(*shape, seed)
        if hull_holds_zero(J):
            continue  # the optima may be many, see below for those
        mean = J.mean(0)
        radius = float(c * mean.norm())
        d, t = cp.Variable(shape[1]), cp.Variable()
        ball = cp.norm(d - mean.numpy()) <= radius
        reference = solved(cp.Maximize(t), [J.numpy() @ d >= t, ball], d)
        w = CAGrad(c).weights(gramian(J))
        ours = CAGrad(c)(J)
        excess = float(2 * GAP + tolerances.improvement(J, w))
        assert_in_ball(J, ours, w, c)
        assert float((J @ ours).min()) >= float((J @ reference).min()) - excess
        # With multipliers ν of sum 1 the Lagrangian's modulus is ‖Jᵀν‖/radius, at least that of MGDA's ν.
        modulus = MGDA()(J).norm() / radius
        assert float((ours - reference).norm()) <= float(tolerances.strong_convexity(excess, modulus))


def stuck(kind: str, m: int, n: int, seed: int) -> Tensor:
    """Return a matrix for which no d has Jd > 0."""
    J = draw(m, n, seed)
    if kind == "zero row":
        J[0] = 0.0
    else:
        J[1] = -J[0] / 2
    return J


@pytest.mark.parametrize("c", RADII)
@pytest.mark.parametrize("kind", ["zero row", "opposed rows"])
def test_cagrad_is_the_optimum_nearest_to_the_mean_where_there_are_many(kind: str, c: float) -> None:
    met = 0
    for m, n in ((2, 3), (3, 3), (3, 5), (4, 6), (5, 4)):
        for seed in SEEDS:
            J = stuck(kind, m, n, seed)
            mean = J.mean(0)
            w = CAGrad(c).weights(gramian(J))
            ours = CAGrad(c)(J)
            assert_in_ball(J, ours, w, c)
            nearest = nearest_in_dual_cone(J, mean)
            limit = projection_limit(J, w, torch.tensor(1 / m))
            if float((nearest - mean).norm()) > float(c * mean.norm()) - limit:
                continue  # the ball stays outside the dual cone: the best worst improvement is negative
            met += 1
            # The optima are the ball's d with Jd ≥ 0, all of worst improvement 0.
            worst = float((units(J) @ ours).min())
            assert abs(min(worst, 0.0)) <= float(tolerances.improvement(J, w))
            assert float((ours - nearest).norm()) <= limit
    assert met > 0 or c < 0.5


@pytest.mark.parametrize("kind", ["zero row", "opposed rows"])
def test_cagrad_in_a_ball_outside_the_dual_cone_has_the_least_conflict(kind: str) -> None:
    met = 0
    for m, n in ((3, 3), (4, 6), (5, 4)):
        for seed in SEEDS:
            J = stuck(kind, m, n, seed)
            J[-1] = -2 * J[:-1].sum(0) / m
            J /= rounding.row_norms(J).max()
            mean, c = J.mean(0), 0.1
            radius = float(c * mean.norm())
            if float((nearest_in_dual_cone(J, mean) - mean).norm()) < 2 * radius:
                continue  # the case of the test above
            met += 1
            d, t = cp.Variable(n), cp.Variable()
            reference = solved(cp.Maximize(t), [J.numpy() @ d >= t, cp.norm(d - mean.numpy()) <= radius], d)
            w = CAGrad(c).weights(gramian(J))
            assert_in_ball(J, CAGrad(c)(J), w, c)
            excess = float(2 * GAP + tolerances.improvement(J, w))
            assert float((J @ CAGrad(c)(J)).min()) >= float((J @ reference).min()) - excess
    assert met > 0


@pytest.mark.parametrize(
    "rows", [[[1.0], [-1.0]], [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [1.0, 2.0]]]
)
def test_nash_mtl_is_zero_where_no_direction_improves_all(rows: list[list[float]]) -> None:
    J = torch.tensor(rows, dtype=torch.float64)
    assert not NashMTL()(J).any()
    assert not NashMTL(3.0).weights(gramian(J)).any()


# TorchJD 0.18


def peers() -> object:
    return pytest.importorskip("torchjd.aggregation", reason="the peer is TorchJD (extra: peers)")


@pytest.mark.parametrize("shape", [(1, 3), (2, 4), (3, 3), (4, 9), (5, 6), (6, 6), (7, 9)], ids=str)
@pytest.mark.parametrize(
    ("ours", "name", "keywords"),
    [
        (Mean(), "Mean", {}),
        (IMTLG(), "IMTLG", {}),
        (AlignedMTL(), "AlignedMTL", {}),
        (AlignedMTL(scale="median"), "AlignedMTL", {"scale_mode": "median"}),
        (AlignedMTL(scale="rmse"), "AlignedMTL", {"scale_mode": "rmse"}),
    ],
    ids=repr,
)
def test_torchjd_agrees_where_the_rows_are_independent(
    ours: GramianAggregator, name: str, keywords: dict[str, str], shape: tuple[int, int]
) -> None:
    theirs = getattr(peers(), name)(**keywords)
    for seed in SEEDS:
        J = draw(*shape, seed)
        # TorchJD takes eigenvalues of G itself, to an error of the square of our condition number.
        sigma = torch.linalg.svdvals(J)
        theirs_error = shape[0] * rounding.cosine(shape[1]) * float(sigma[0] / sigma[-1]) ** 2
        size = rounding.size(J, ours.weights(gramian(J)))
        assert float((ours(J) - theirs(J)).norm()) <= float(size) * (
            theirs_error + tolerances.polar(J, shape[0])
        )


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
def test_torchjd_is_the_trace_regularized_variant(name: str, shape: tuple[int, int]) -> None:
    theirs = getattr(peers(), name)()
    rho = 1e-4
    ours = {"UPGrad": UPGrad, "DualProj": DualProj}[name](trace_regularization=rho)
    for seed in SEEDS:
        J = draw(*shape, seed)
        w = ours.weights(gramian(J))
        # The Gramian of the regularised program, G/tr(G) + ρI, is that of the rows (J/‖J‖_F, √ρ I).
        extended = torch.cat([J / J.norm(), math.sqrt(rho) * torch.eye(shape[0], dtype=torch.float64)], dim=1)
        limit = 2 * tolerances.projection(extended, w) * J.norm()
        assert float((ours(J) - theirs(J)).norm()) <= float(limit)


@pytest.mark.parametrize("name", ["UPGrad", "DualProj"])
def test_the_trace_regularized_variant_conflicts_with_a_row_below_its_regularization(name: str) -> None:
    # ‖g₂‖² = 2e-6 is a fiftieth of 1e-4 tr(G): only the definition keeps from conflict with it.
    J = torch.tensor([[1.0, 0.0], [-1e-3, 1e-3]], dtype=torch.float64)
    A = {"UPGrad": UPGrad, "DualProj": DualProj}[name]
    assert float((units(J) @ A(trace_regularization=1e-4)(J)).min()) < -0.25
    assert float((units(J) @ A()(J)).min()) >= -float(tolerances.improvement(J, A().weights(gramian(J))))
