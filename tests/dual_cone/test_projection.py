"""The projection onto the dual cone ([JD] Proposition 1) by Lemma 4, other solvers and its primal."""

import numpy as np
import pytest
import qpsolvers
import torch
from torch import Tensor

from jdbench import rounding
from jdbench.dual_cone import (
    Solution,
    Status,
    available_solvers,
    project_weights,
    shared_bounds,
    solve,
    summed_weights,
)
from jdbench.dual_cone.solution import ACCURACY
from jdbench.gramian import gramian, unit_rows
from jdbench.verification import tolerances
from support.matrix_families import FAMILIES, SIZES
from support.tensors import draw, eye, integers

OTHERS = [name for name in available_solvers() if name not in {"active-set", "batched"}]


def in_unit_rows(solution: Solution) -> tuple[Tensor, Tensor]:
    """Return y and û of one Gramian's programs, as the residuals see them."""
    norms, _ = unit_rows(solution.gramian)
    bounds = solution.bounds * norms
    scale = bounds.abs().amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    return solution.weights * norms / scale, bounds / scale


@pytest.mark.parametrize("family", FAMILIES)
def test_our_solver_satisfies_lemma_4_to_its_accuracy(family: str) -> None:
    for m in SIZES:
        for seed in range(3):
            G = gramian(FAMILIES[family](m, seed))
            U = torch.cat([eye(m), torch.full((1, m), 1 / m, dtype=torch.float64), draw(2, m, seed=seed + 7)])
            solution = solve(G, U)
            assert float(solution.residual().max()) <= ACCURACY, f"{m=} {seed=}"
            assert bool((solution.weights >= U).all()), f"{m=} {seed=}"


@pytest.mark.parametrize("solver", OTHERS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_solver_that_solves_finds_our_projection(family: str, solver: str) -> None:
    for m in (1, 2, 3, 6):
        J = FAMILIES[family](m, m)
        J = J / rounding.row_norms(J).clamp(min=torch.finfo(J.dtype).tiny).unsqueeze(-1)
        U = torch.cat([eye(m), torch.full((1, m), 1 / m, dtype=torch.float64), draw(1, m, seed=m)])
        ours, theirs = solve(gramian(J), U), solve(gramian(J), U, solver)
        assert (theirs.solver, theirs.iterations) == (solver, -1)
        if family == "gaussian":
            assert theirs.status is not Status.FAILED, "strictly convex: every solver takes it"
        for k in range(U.shape[0]):
            if bool(theirs.weights[k].isnan().any()):
                continue  # this solver takes no singular program
            both = [in_unit_rows(ours), in_unit_rows(theirs)]
            y = torch.stack([torch.maximum(y[k], bound[k]) for y, bound in both])
            clipped = torch.stack([(y[k] - bound[k]).clamp(max=0).abs().sum() for y, bound in both])
            gaps = torch.stack([ours.duality_gap()[k], theirs.duality_gap()[k]])
            slacks = torch.stack([ours.dual_residual()[k], theirs.dual_residual()[k]])
            sizes = y.abs().sum(-1)
            limit = tolerances.projections(gaps + clipped * sizes, slacks + clipped, sizes)
            # A poor answer has large residuals and with them a loose limit.
            assert float(((y[0] - y[1]) @ J).norm()) <= float(limit), f"{m=} {k=}"


@pytest.mark.parametrize("family", ["gaussian", "square", "dependent integers", "norms over 13 decades"])
def test_proposition_1_gives_the_nearest_point_of_the_dual_cone(family: str) -> None:
    # The primal in Rⁿ: argmin ½‖x - Jᵀu‖² over Jx ≥ 0, strictly convex, by an exact method of its own.
    pytest.importorskip("quadprog", reason="the primal program is solved by quadprog")
    for m in (1, 2, 4, 7):
        for seed in range(3):
            J = FAMILIES[family](m, seed)
            norms = rounding.row_norms(J)
            if float(norms.min()) == 0.0:
                continue  # a row without direction constrains nothing; quadprog refuses it
            units = (J / norms.unsqueeze(-1)).numpy()
            u = draw(m, seed=seed)
            y, _ = in_unit_rows(solve(gramian(J), u.unsqueeze(0)))
            target = units.T @ (u * norms / (u * norms).abs().max()).numpy()
            problem = qpsolvers.Problem(np.eye(J.shape[1]), -target, -units, np.zeros(m))
            primal = qpsolvers.solve_problem(problem, "quadprog")
            assert primal.found
            solution = solve(gramian(J), u.unsqueeze(0))
            size = y.abs().sum()
            # f(x) - f(a) ≥ ½‖x - a‖² - Σz·(violation of x) - gap of a, see `strong_convexity`.
            excess = (
                primal.duality_gap()
                + size * (primal.primal_residual() + float(solution.dual_residual()))
                + float(solution.duality_gap())
                + rounding.gamma(4 * (m + J.shape[1])) * size.square()
            )
            distance = np.linalg.norm(units.T @ y[0].numpy() - primal.x)
            assert distance <= float(tolerances.strong_convexity(excess)), f"{m=} {seed=}"


def test_the_projection_of_a_member_of_the_cone_is_itself() -> None:
    J = draw(5, 8).abs()  # no two rows conflict
    U = draw(3, 5, seed=1).abs()
    assert torch.equal(project_weights(gramian(J), U), U)


def test_the_projection_is_idempotent() -> None:
    G = gramian(draw(6, 9))
    W = project_weights(G, eye(6))
    again = solve(G, W)
    drift = ((again.weights - W) @ G * (again.weights - W)).sum(-1).clamp(min=0).sqrt()
    sizes = W.abs() @ unit_rows(G).norms
    solution = Solution(G, eye(6), W, 0, "first")
    for k in range(6):
        gaps = torch.stack([solution.duality_gap()[k], again.duality_gap()[k]])
        slacks = torch.stack([solution.dual_residual()[k], again.dual_residual()[k]])
        assert float(drift[k]) <= float(tolerances.projections(gaps, slacks, sizes[k].expand(2)))


@pytest.mark.parametrize("exponent", range(-50, 0, 7))
def test_a_conflict_of_any_size_is_removed(exponent: int) -> None:
    J = torch.tensor([[1.0, 0.0], [-(2.0**exponent), 1.0]], dtype=torch.float64)
    solution = solve(gramian(J), eye(2))
    assert float(solution.dual_residual().max()) <= rounding.cosine(2)
    assert float(solution.duality_gap().max()) <= rounding.cosine(2) * 2.0**exponent


@pytest.mark.parametrize("family", ["gaussian", "dependent integers", "opposed", "zero rows"])
def test_powers_of_two_on_rows_change_the_weights_exactly(family: str) -> None:
    J = FAMILIES[family](6, 3)
    d = torch.tensor([2.0**e for e in (0, 200, -150, 7, -1, 90)], dtype=torch.float64)
    W = project_weights(gramian(J), eye(6))
    scaled = project_weights(gramian(J * d.unsqueeze(-1)), eye(6))
    assert torch.equal(scaled, W * d.unsqueeze(-1) / d)


def test_powers_of_two_on_bounds_change_the_weights_exactly() -> None:
    G, U = gramian(integers(5, 4)), draw(2, 5)
    assert torch.equal(project_weights(G, 2.0**-300 * U), 2.0**-300 * project_weights(G, U))


def test_a_zero_row_keeps_its_bound_as_its_weight() -> None:
    J = integers(4, 5)
    J[2] = 0.0
    U = draw(3, 4)
    assert torch.equal(project_weights(gramian(J), U)[:, 2], U[:, 2])


@pytest.mark.parametrize("family", FAMILIES)
def test_summed_weights_are_the_sum_of_the_weights(family: str) -> None:
    for m in (1, 2, 9, 20):
        G = torch.stack([gramian(FAMILIES[family](m, seed)) for seed in range(2)])
        for U in (eye(m), eye(m)[:1]):
            W = project_weights(G, U)
            w = summed_weights(G, shared_bounds(U))
            assert w.shape == (2, m)
            assert bool(((w - W.sum(-2)).abs() <= rounding.gamma(2 * m) * W.abs().sum(-2)).all())
            assert torch.equal(w[1], summed_weights(G[1], shared_bounds(U)))


def test_quadprog_fails_on_a_singular_gramian_with_a_status() -> None:
    pytest.importorskip("quadprog", reason="quadprog is the solver under test")
    G = gramian(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], dtype=torch.float64))
    solution = solve(G, eye(3), "quadprog")
    assert solution.status is Status.FAILED
    assert bool(solution.weights.isnan().any())
    assert bool(solution.residual().isnan().any())


@pytest.mark.parametrize("distance", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 0.0])
def test_nearly_opposed_rows_leave_residuals_that_rounding_explains(distance: float) -> None:
    # The third row needs weights of 1/distance on the first two to leave its own half-space.
    J = torch.tensor([[1.0, 0.0], [-1.0, distance], [0.0, -1.0]], dtype=torch.float64)
    solution = solve(gramian(J), eye(3))
    assert bool((solution.residual() <= solution.rounding_limit()).all())


def test_a_row_that_depends_on_the_active_ones_within_rounding_stays_outside() -> None:
    # Rank 3, found among 120 000 Gaussian matrices: a fourth row entered the active set of the last program.
    J = torch.tensor(
        [
            [-0.23388507852038984, -0.789245370610494, 0.36501892580373163],
            [-1.534981388399685, -2.770169868627545, -1.8534241924118833],
            [0.1863325334321812, -0.2029723634067462, 0.18992544952504348],
            [0.3299987297734114, 0.926150672055974, -0.15340973801154775],
            [0.06683091706062082, -2.879893167458441, 0.1320135129551191],
            [0.0738412811489917, -0.5395841290873691, -0.12813877267769888],
        ],
        dtype=torch.float64,
    )
    solution = solve(gramian(J), eye(6))
    assert bool((solution.residual() <= solution.rounding_limit()).all())


@pytest.mark.parametrize(("m", "n"), [(3, 2), (5, 3), (8, 4), (12, 6)], ids=str)
def test_random_dependent_rows_are_never_refused(m: int, n: int) -> None:
    for seed in range(2):
        J = draw(10_000, m, n, seed=seed)
        solution = solve(gramian(J), eye(m))
        assert bool((solution.residual() <= solution.rounding_limit()).all())
