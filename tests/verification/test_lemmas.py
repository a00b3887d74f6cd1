"""Proposition 1, Lemmas 4 and 5 of [JD] as predicates: rational solutions keep them, planted faults do not."""

from collections.abc import Callable
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from jdbench.dual_cone import Solution, project_weights
from jdbench.gramian import gramian
from jdbench.rounding import gamma, row_norms
from jdbench.verification.dual_cone import lemmas, primal, residuals
from jdbench.verification.dual_cone.statements import STATEMENTS, Programs, programs, statement_findings
from jdbench.verification.exact.aggregations import exact_matrix, project_weights_exactly
from jdbench.verification.strategies import Matrix, classes

pytest_plugins = ["pytester"]

pytest.importorskip("flint", reason="the oracle is in rational arithmetic")

CLASSES = classes(torch.float64)


def tensor(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def eye(m: int) -> Tensor:
    return torch.eye(m, dtype=torch.float64)


def exactly(J: Tensor, U: Tensor) -> tuple[Tensor, Tensor]:
    """Return rational solutions w and the points Jᵀw, each rounded once."""
    rows = exact_matrix(J)
    solutions = [project_weights_exactly(rows, exact_matrix(u)) for u in U]

    def rounded(column) -> list[float]:
        return [float(Fraction(int(x.p), int(x.q))) for x in column.entries()]

    return tensor([rounded(w) for w in solutions]), tensor([rounded(rows.transpose() * w) for w in solutions])


def judged(J: Tensor, W: Tensor, U: Tensor) -> dict[str, bool]:
    """Return which statements reject weights, held to rounding as ours are."""
    given_ = Programs(Matrix(J, "planted"), U)
    found = statement_findings(given_, Solution(gramian(J), U, W, 0, "planted"), exact=True)
    return {name: finding.violated for name, finding in found.items()}


@pytest.mark.parametrize("kind", CLASSES)
def test_rational_solutions_keep_every_statement(kind: str) -> None:
    @settings(max_examples=15, derandomize=True, deadline=None, database=None)
    @given(programs(CLASSES[kind]))
    def check(given_: Programs) -> None:
        J, U = given_.matrix.J, given_.U
        W, points = exactly(J, U)
        # Solved exactly and rounded once: nothing may be left but the rounding of their evaluation.
        allowed = residuals.rounding(J, U, W)
        for name, statement in STATEMENTS.items():
            assert not statement(given_, W, allowed).violated, f"{name} at {J.tolist()}"
        scale = (U.abs() * row_norms(J)).amax(-1, keepdim=True)
        margins = lemmas.proposition_1_margins(J, U, W, points / torch.where(scale > 0, scale, 1.0))
        assert bool((margins >= -allowed.offset).all())

    check()


@pytest.mark.parametrize("kind", CLASSES)
def test_the_primal_solver_finds_the_rational_projection(kind: str) -> None:
    @settings(max_examples=15, derandomize=True, deadline=None, database=None)
    @given(programs(CLASSES[kind]))
    def check(given_: Programs) -> None:
        J, U = given_.matrix.J, given_.U
        W, _ = exactly(J, U)
        found = primal.project(J, U)
        limit = residuals.proposition_1_limits(J, residuals.rounding(J, U, W), found.residuals)
        assert bool((lemmas.proposition_1_margins(J, U, W, found.points) >= -limit).all()), J.tolist()
        assert float(limit.max()) < 1e-6  # the limit says something

    check()


def test_the_primal_solver_projects_as_by_hand() -> None:
    J = tensor([[1.0, 0.0], [-1.0, 1.0]])
    found = primal.project(J * tensor([[2.0**400], [2.0**-400]]), tensor([[2.0**-400, 0.0]]))
    expected = tensor([[0.5, 0.5]])
    rounding = residuals.rounding(J, eye(2)[:1], tensor([[1.0, 0.5]]))
    assert float((found.points - expected).norm()) <= float(rounding.slack)
    assert float((found.multipliers - tensor([[0.0, 0.5**0.5]])).norm()) <= float(rounding.slack)


def test_where_no_primal_solver_finds_a_point_the_margin_is_nan_and_rejected() -> None:
    given_ = Programs(Matrix(tensor([[1.0, 0.0], [-1.0, 1.0]]), "by hand"), eye(2))
    found = primal.project(given_.matrix.J, eye(2), solvers=())
    assert bool(found.points.isnan().all())
    assert bool(found.residuals.offset.isnan().all())


def ridge(J: Tensor) -> Tensor:
    """The program with Ĝ + 1e-8·I: what regularising a Gramian does."""
    norms = row_norms(J)
    units = J / norms.unsqueeze(-1)
    return project_weights(units @ units.T + 1e-8 * eye(len(J)), torch.diag(norms)) / norms


def dropped(J: Tensor) -> Tensor:
    """Every program without one of its active constraints: the last row that should have been raised."""
    W = project_weights(gramian(J), eye(len(J)))
    for i, w in enumerate(W):
        active = (w > eye(len(J))[i]).nonzero().flatten().tolist()
        if active:
            kept = [j for j in range(len(J)) if j != active[-1] or j == i]
            w.zero_()
            w[kept] = project_weights(gramian(J[kept]), eye(len(J))[i : i + 1, kept])[0]
    return W


FAULTS: dict[str, Callable[[Tensor], Tensor]] = {
    "no step": lambda J: eye(len(J)),
    "an active constraint dropped": dropped,
    "ridge 1e-8": ridge,
    "sign flipped": lambda J: -project_weights(gramian(J), eye(len(J))),
    "step reversed": lambda J: 2 * eye(len(J)) - project_weights(gramian(J), eye(len(J))),
    "clipped to [0, 1]": lambda J: project_weights(gramian(J), eye(len(J))).clamp(0, 1),
    "twice as long": lambda J: 2 * project_weights(gramian(J), eye(len(J))),
    "NaN": lambda J: project_weights(gramian(J), eye(len(J))) * torch.nan,
}

CONFLICT = tensor([[4.0, 0.0, 1.0], [-3.0, 1.0, 0.0], [-1.0, -2.0, 2.0]])
# Opposed rows on a line: the cone is {0} and Lemma 5 an equality. Any error that points against the sum of the
# rows breaks it, and for Lemma 5 each fault gets rows where its error does.
LINE = tensor([[3.0], [3.0], [-8.0]])
TELLING = {
    "an active constraint dropped": LINE,
    "ridge 1e-8": LINE,
    "sign flipped": CONFLICT,
    "clipped to [0, 1]": tensor([[-6.0], [1.0], [4.0]]),
    "twice as long": tensor([[0.0, -1.0], [0.0, -2.0], [-1.0, 1.0]]),
    "NaN": CONFLICT,
}


@pytest.mark.parametrize("statement", ["Proposition 1", "Lemma 4"])
@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_break(statement: str, fault: str) -> None:
    assert judged(CONFLICT, FAULTS[fault](CONFLICT), eye(3))[statement]


@pytest.mark.parametrize("fault", TELLING)
def test_planted_faults_break_lemma_5(fault: str) -> None:
    J = TELLING[fault]
    assert judged(J, FAULTS[fault](J), eye(3))["Lemma 5"]


@pytest.mark.parametrize("statement", STATEMENTS)
@pytest.mark.parametrize("J", [CONFLICT, *TELLING.values()], ids=lambda J: str(J.tolist()))
def test_no_statement_rejects_the_right_weights_there(statement: str, J: Tensor) -> None:
    assert not judged(J, project_weights(gramian(J), eye(3)), eye(3))[statement]


@pytest.mark.parametrize("fault", FAULTS)
def test_planted_faults_are_not_excused_where_norms_span_decades(fault: str) -> None:
    J = CONFLICT * tensor([[2.0**-40], [1.0], [2.0**40]])
    assert judged(J, FAULTS[fault](J), eye(3))["Lemma 4"]


def test_each_condition_of_lemma_4_has_its_margin() -> None:
    # In unit rows Ĝ₁₂ = -1/√2: see test_residuals for the same weights seen through the Gramian.
    J, u = tensor([[1.0, 0.0], [-1.0, 1.0]]), eye(2)[:1]
    rounding = gamma(64)
    for w, expected in [
        ((1.0, 0.0), (0.0, -(0.5**0.5), 0.0)),
        ((1.0, 1.0), (0.0, 0.0, -1.0)),
        ((0.5, 0.25), (-0.5, 0.0, -0.125)),
    ]:
        margins = [float(margin) for margin in lemmas.lemma_4_margins(J, u, tensor([list(w)]))]
        assert margins == pytest.approx(expected, abs=rounding)


def test_a_row_in_the_span_of_nearly_opposed_ones_is_excused_only_as_far_as_they_oppose() -> None:
    # Found by the search: the second row depends on the others, and stays violated by 8e-10.
    J = tensor([[7.96875, -1.0], [2.0, 3.0], [-8.0, 1.0]])
    W = project_weights(gramian(J), eye(3))
    assert not judged(J, W, eye(3))["Lemma 4"]
    for fault in ("no step", "an active constraint dropped", "ridge 1e-8"):
        assert judged(J, FAULTS[fault](J), eye(3))["Lemma 4"], fault


@pytest.mark.parametrize(("options", "runs"), [([], True), (["--aggregator", "UPGrad"], False)])
def test_our_solver_is_no_business_of_those_who_verify_an_aggregator(
    pytester: pytest.Pytester, options: list[str], *, runs: bool
) -> None:
    suite = ["-p", "no:cacheprovider", "-q", "--collect-only", "--pyargs", "jdbench.properties"]
    run = pytester.runpytest_inprocess(*suite, *options)
    text = run.stdout.str()
    assert run.ret == 0, text
    assert ("test_dual_cone.py" in text) == runs
    assert "test_hygiene.py" in text
