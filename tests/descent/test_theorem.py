"""Theorem 1 and Figures 3 and 4 ([JD] Sections 2.4, A.1 and B.4), observed on EWQ and CQF at η = 1/(β√m)."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from jdbench.aggregator import GramianAggregator, resolve
from jdbench.aggregators import UPGrad
from jdbench.descent.loop import descend, full_jacobian
from jdbench.descent.optimizers import Descent
from jdbench.gramian import gramian
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.rounding import gamma
from jdbench.verification.predicates import non_conflicting

STARTS = 8


class Path(NamedTuple):
    """A run: points ``[T+1, 8, n]``, values, and per step weights and worst margin with its rounding error."""

    x: Tensor
    f: Tensor
    weights: Tensor
    margins: Tensor
    errors: Tensor


def run(name: str, spec: str, steps: int) -> tuple[AnalyticProblem, Path]:
    problem = resolve_problem(name)
    aggregator = resolve(spec).aggregator
    points, weights, margins, errors = [], [], [], []

    def watch(step, x, members, evaluation, direction) -> None:  # noqa: ARG001
        points.append(x)
        if direction is None:
            return
        J = evaluation.jacobian
        w = aggregator.weights(gramian(J)) if isinstance(aggregator, GramianAggregator) else J[..., 0]
        norms = J.norm(dim=-1)
        largest = norms.amax(-1)
        weights.append(w)
        margins.append(non_conflicting(J, direction))
        # Error of gᵢᵀ(Jᵀw) relative to ‖gᵢ‖ max‖gⱼ‖: one inner product of length n, one sum of m weighted rows,
        # and the cosines of the Gramian, each to a few units of rounding of Σ|wⱼ|‖gⱼ‖.
        size = (w.abs() * norms).sum(-1) / torch.where(largest > 0, largest, 1.0)
        errors.append(4 * gamma(16 * (problem.m + problem.n)) * size)

    x = torch.stack([problem.start(seed) for seed in range(1, STARTS + 1)])
    rate = torch.full((STARTS,), problem.reference_rate(), dtype=torch.float64)
    outcome = descend(x, full_jacobian(problem), aggregator, Descent(rate), steps, watch=watch)
    assert set(outcome.states) == {"finished"}
    path = torch.stack(points)
    return problem, Path(
        path, problem.objectives(path), torch.stack(weights), torch.stack(margins), torch.stack(errors)
    )


@pytest.mark.parametrize("name", ["EWQ", "CQF"])
def test_theorem_1_distance_to_the_front_falls_and_bounds_hold_at_every_step(name: str) -> None:
    problem, path = run(name, "UPGrad", 10_000)
    assert problem.beta is not None
    distance = problem.distance(path.x[[0, 5000]])
    assert bool((distance[1] <= 1e-5 * distance[0]).all())

    # The limit of the run: the point after 10,000 steps, at rest to rounding.
    limit, best = path.x[-1], path.f[-1]
    scale = path.f[0].abs().amax()
    assert bool(((path.x[-1] - path.x[-2]).norm(dim=-1) <= gamma(16 * problem.n) * path.x[0].norm()).all())
    f, x1 = path.f[:5000], path.x[0]
    assert bool((best.sum(-1) <= f.sum(-1) + gamma(16 * problem.m) * scale).all())

    T = torch.arange(1, 5001, dtype=torch.float64).unsqueeze(-1)
    root = problem.m**0.5
    weighted = (path.weights[:5000] * (f - best)).sum(-1)
    left = weighted.cumsum(0) / T
    far = (f[0] - best).norm(dim=-1) + problem.beta / 2 * (x1 - limit).square().sum(-1)
    assert bool((left <= root / T * far * (1 + gamma(16 * 5000))).all()), "(23)"

    J = problem.jacobian(path.x[:5000])
    updates = (path.weights[:5000].unsqueeze(-2) @ J).square().sum((-1, -2))
    right = 2 * problem.beta * root / T * (f[0] - best).sum(-1)
    assert bool((updates.cumsum(0) / T <= right * (1 + gamma(16 * 5000))).all()), "(24)"
    # The theorem assumes bounded weights. As the paper observes, they converge to a w* > 0 with Jᵀw* = 0.
    assert bool((path.weights[5000:].amax(0) <= path.weights[:5000].amax(0)).all())
    assert bool((path.weights[-1] > 0).all())
    norms = problem.jacobian(path.x[0]).norm(dim=-1).amax(-1)
    assert bool((updates[-1].sqrt() <= gamma(16 * 5000) * norms).all())


# IMTL-G is among them for m = 2: there v = (1/d₁, 1/d₂)/(1 + cos) > 0 wherever the rank is 2.
@pytest.mark.parametrize("spec", ["UPGrad", "DualProj", "MGDA", "NashMTL", "IMTLG"])
def test_figure_4_non_conflicting_aggregators_never_raise_an_objective_on_cqf(spec: str) -> None:
    _, path = run("CQF", spec, 1000)
    assert bool((path.margins >= -path.errors).all())


@pytest.mark.parametrize("spec", ["Mean", "CAGrad", "AlignedMTL"])
def test_figure_4_the_others_conflict_somewhere_on_cqf(spec: str) -> None:
    _, path = run("CQF", spec, 1000)
    assert bool((path.margins < -1e3 * path.errors).any())


def test_figure_3_upgrad_reaches_the_pareto_set_of_ewq_from_every_start() -> None:
    problem, path = run("EWQ", "UPGrad", 1000)
    assert bool((problem.distance(path.x[-1]) <= 1e-5 * problem.distance(path.x[0])).all())


def test_figure_3_mgda_stops_on_an_axis_of_ewq_unless_it_starts_on_a_diagonal() -> None:
    problem, path = run("EWQ", "MGDA", 1000)
    share = problem.distance(path.x[-1]) / problem.distance(path.x[0])
    diagonal = path.x[0, :, 0].abs() == path.x[0, :, 1].abs()
    assert int(diagonal.sum()) == 2
    assert bool((share[diagonal] <= 1e-5).all())
    assert bool((share[~diagonal] >= 0.1).all())
    stopped = path.x[-1][~diagonal]
    assert bool((stopped.abs().amin(-1) <= 1e-5 * stopped.abs().amax(-1)).all())


@pytest.mark.parametrize(("spec", "last_stalled"), [("IMTLG", 200), ("AlignedMTL", 700)])
def test_figure_3_solved_exactly_these_stall_at_an_axis_until_the_gramian_underflows(
    spec: str, last_stalled: int
) -> None:
    """No rank cut-off stops them: a row counts until its square, below 1e-308, is zero in float64."""
    problem, path = run("EWQ", spec, 1000)
    share = problem.distance(path.x) / problem.distance(path.x[0])
    uneven = path.x[0, :, 0].abs() != path.x[0, :, 1].abs()
    assert bool((share[50:last_stalled, uneven] > 0.05).all())
    early = (path.x[:, uneven].abs().amin(-1) > 1e-154) & (share[:, uneven] < 0.05)
    assert not bool(early.any())
    assert bool((share[-1] <= 1e-5).all())


@pytest.mark.parametrize("c", [0.5, 0.9, 1.0])
def test_figure_3_cagrad_reaches_the_pareto_set_of_ewq_when_solved_to_convergence(c: float) -> None:
    problem, path = run("EWQ", f"CAGrad(c={c})", 1000)
    assert bool((problem.distance(path.x[-1]) <= 1e-5 * problem.distance(path.x[0])).all())


def test_figure_3_nash_mtl_never_settles_or_stops_where_a_gradient_is_zero() -> None:
    """Its steps have the length ηε whatever the distance: it ends within that of the front, not on it."""
    problem, path = run("EWQ", "NashMTL", 1000)
    steps = (path.x[1:] - path.x[:-1]).norm(dim=-1)
    rate = problem.reference_rate()
    assert rate is not None
    moving = steps > 0
    torch.testing.assert_close(
        steps[moving], torch.full_like(steps[moving], rate), rtol=0, atol=16 * gamma(16 * 2) * 2.0
    )
    stopped = ~moving.any(0) if not moving.any() else ~moving[-1]
    assert bool((path.x[-1][stopped].abs().amin(-1) <= 1e-15).all())
    assert bool((path.x[-1].abs().amax(-1) <= 2 * rate).all())


def test_theorem_1_weights_are_those_of_the_aggregation() -> None:
    problem = resolve_problem("CQF")
    J = problem.jacobian(problem.start(1))
    w = UPGrad().weights(gramian(J))
    assert bool((w >= 1 / problem.m - gamma(16 * 2)).all())  # [JD] (19a): 1 ≤ m w
