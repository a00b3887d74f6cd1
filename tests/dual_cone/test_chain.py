"""The links of the exact solver's chain, each forced in turn, and the batched solver that never waits."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from jdbench import rounding
from jdbench.aggregators import UPGrad
from jdbench.dual_cone import Status, project_weights, solve
from jdbench.dual_cone.kernels.face import empty_face
from jdbench.dual_cone.kernels.factor import append, empty_factor, factorize, remove, substitute
from jdbench.dual_cone.kernels.nonnegative_qp import (
    COLD,
    DESCENT,
    LOCKSTEP,
    PIVOTING,
    TABLEAU,
    chain,
    column_chain,
    doubtful,
    nonnegative_qp,
)
from jdbench.dual_cone.kernels.principal_pivoting import principal_pivoting
from jdbench.dual_cone.kernels.tableau import empty_tableau, reset_tableau, solve_column
from jdbench.dual_cone.solution import ACCURACY
from jdbench.dual_cone.solvers.active_set import active_set
from jdbench.dual_cone.solvers.batched import OPERATIONS, SETTLED, UNSETTLED, batched
from jdbench.gramian import gramian, unit_rows
from support.matrix_families import FAMILIES, SIZES
from support.tensors import draw, eye

LINKS = {"in step": LOCKSTEP, "tableau": TABLEAU, "pivoting": PIVOTING, "descent": DESCENT, "cold": COLD}

# Three rows of which the third needs weights of 1e4 on the first two: every quick link must doubt its answer.
DOUBTFUL = torch.tensor([[1.0, 0.0], [-1.0, 1e-4], [0.0, -1.0]], dtype=torch.float64)


def cosines(family: str, m: int, seed: int = 0) -> np.ndarray:
    return unit_rows(gramian(FAMILIES[family](m, seed))).gramian.numpy()


@pytest.mark.parametrize("m", [1, 2, 7, 20])
def test_a_factor_grown_shrunk_and_made_at_once_solves_the_same(m: int) -> None:
    M = cosines("gaussian", m)
    rng = np.random.default_rng(0)
    order = rng.permutation(m)
    grown = empty_factor(m)
    for p, column in enumerate(order):
        assert append(M, grown, p, column, 0.0)
    left = list(order)
    while len(left) > m // 2 + 1:
        position = int(rng.integers(len(left)))
        remove(grown, len(left), position)
        left.pop(position)
    p = len(left)
    assert grown.active[:p].tolist() == left
    whole = empty_factor(m)
    whole.active[:p] = left
    assert factorize(M, whole, p, 0.0) == p
    for factor in (grown, whole):
        factor.right[:p] = 1.0
        substitute(factor.R, factor.inverse, factor.right, p)
        residual = M[np.ix_(left, left)] @ factor.right[:p] - 1.0
        assert np.abs(residual).max() <= rounding.gamma(8 * m) * (1 + np.abs(factor.right[:p]).sum())


def test_a_dependent_column_is_found_out() -> None:
    M = cosines("duplicates", 6)
    factor = empty_factor(6)
    factor.active[:] = np.arange(6)
    assert factorize(M, factor, 6, 0.0) == 3  # rows 3 to 5 repeat rows 0 to 2
    assert not append(M, factor, 3, 4, 0.0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("link", LINKS)
def test_every_link_first_satisfies_lemma_4(link: str, family: str) -> None:
    for m in SIZES:
        for seed in range(2):
            G = gramian(FAMILIES[family](m, seed))
            for U in (eye(m), draw(2, m, seed=seed + 7)):
                W, _, worst = active_set(G.numpy()[None], U.numpy()[None], None, LINKS[link])
                assert worst <= ACCURACY, f"{m=} {seed=}"
                assert bool((torch.from_numpy(W[0]) >= U).all())


def test_the_residual_of_the_kernel_is_that_of_the_solution() -> None:
    for family in FAMILIES:
        G = gramian(FAMILIES[family](8, 0))
        for U in (eye(8), draw(2, 8)):
            W, _, worst = active_set(G.numpy()[None], U.numpy()[None], None)
            assert worst == pytest.approx(float(solve(G, U).residual().max()), abs=rounding.cosine(8) * 8)
            assert W.shape == (1, *U.shape)


@pytest.mark.parametrize("family", ["gaussian", "square", "integers", "norms over 13 decades"])
def test_each_link_makes_answers_of_its_own(family: str) -> None:
    M = cosines(family, 8)
    made = {}
    for name, link in LINKS.items():
        face, tableau = empty_face(8), empty_tableau(8)
        reset_tableau(M, tableau)
        made[name] = [column_chain(M, i, tableau, face, link)[1] for i in range(8)]
    # Pivoting may leave a program to the next link; the others solve these themselves.
    assert made["tableau"] == [TABLEAU] * 8
    assert made["pivoting"].count(PIVOTING) >= 6
    assert made["descent"] == [DESCENT] * 8
    assert made["cold"] == [COLD] * 8


@pytest.mark.parametrize("link", LINKS)
def test_large_weights_are_left_to_the_cold_start(link: str) -> None:
    M = unit_rows(gramian(DOUBTFUL)).gramian.numpy()
    face, tableau = empty_face(3), empty_tableau(3)
    reset_tableau(M, tableau)
    assert column_chain(M, 2, tableau, face, LINKS[link])[1] == COLD
    if LINKS[link] > TABLEAU:
        assert chain(M, M[2], 1.0, face, 0, LINKS[link])[1] == COLD


@pytest.mark.parametrize(
    ("size", "gradient", "doubted"),
    [
        (1e2, (1.0, -1.0), False),
        (1e3, (1e-15, -1e-15), False),
        (1e3, (1e-13, 0.0), True),
        (1e3, (-1e-13, 0.0), True),
        (1e3, (0.0, -1e-10), True),
        (1e3, (0.0, 1.0), False),
        (1e3, (np.nan, 0.0), True),
        (np.nan, (0.0, 0.0), True),
    ],
)
def test_large_weights_are_doubted_where_the_rounding_shows(
    size: float, gradient: tuple[float, float], doubted: bool
) -> None:
    face = empty_face(2)
    face.trial[0] = size
    face.gradient[:] = gradient
    assert doubtful(face, 1.0) == doubted


def test_a_spoilt_tableau_is_given_up_and_made_afresh() -> None:
    M = cosines("gaussian", 8)
    face, tableau = empty_face(8), empty_tableau(8)
    reset_tableau(M, tableau)
    tableau.T[:] = np.eye(8) + 0.25
    assert solve_column(M, 0, tableau, face) == -1
    tableau.T[:] = np.eye(8) + 0.25
    assert column_chain(M, 0, tableau, face, TABLEAU)[1] != TABLEAU
    assert np.array_equal(tableau.T, M)
    assert column_chain(M, 1, tableau, face, TABLEAU)[1] == TABLEAU


def test_pivoting_that_does_not_settle_goes_on_as_a_descent() -> None:
    # At rank m/2 the active sets that it tries depend on each other: some programs of twenty are left over.
    left = 0
    for seed in range(5):
        M = cosines("fewer parameters than rows", 20, seed)
        face = empty_face(20)
        for i in range(20):
            if principal_pivoting(M, M[i], 1.0, face)[1] < 0:
                left += 1
                assert chain(M, M[i], 1.0, face, 0, PIVOTING)[1] in {DESCENT, COLD}
    assert left > 0


def test_a_program_alone_is_solved_as_among_others() -> None:
    M = cosines("gaussian", 12)
    z, changes = nonnegative_qp(M, M[3], 1.0)
    gradient = M @ z + M[3]
    assert changes >= np.count_nonzero(z) > 0
    assert z.min() >= 0
    assert gradient.min() >= -rounding.cosine(12) * (1 + z.sum())
    assert abs(gradient @ z) <= rounding.cosine(12) * (1 + z.sum()) ** 2


@pytest.mark.parametrize("family", FAMILIES)
def test_a_start_changes_no_answer(family: str) -> None:
    for m in (2, 5, 20):
        G = gramian(FAMILIES[family](m, 0))
        cold = solve(G, eye(m))
        for start in (cold.weights, eye(m), draw(m, m).abs(), torch.full((m, m), torch.nan)):
            warm = solve(G, eye(m), start=start)
            assert float(warm.residual().max()) <= ACCURACY
        again = solve(G, eye(m), start=cold.weights)
        if family in {"gaussian", "square", "norms over 13 decades"}:
            assert again.iterations == 0


def test_threads_change_nothing() -> None:
    G = gramian(draw(96, 24, 30))
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = project_weights(G, eye(24))
        torch.set_num_threads(2)
        shared = project_weights(G, eye(24))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(alone, shared)


class Listed(TorchDispatchMode):
    """Refuses every operation that is not on the list."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.name().split("::")[1].split(".")[0]
        assert name in OPERATIONS, name
        if name == "_to_copy":  # another dtype, never another device
            assert (kwargs or {}).get("device", args[0].device) == args[0].device
        self.seen.add(name)
        return func(*args, **(kwargs or {}))


def batch(family: str, m: int) -> tuple[Tensor, Tensor]:
    C = torch.stack([torch.from_numpy(cosines(family, m, seed)) for seed in range(3)])
    return C, eye(m).expand(3, m, m)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_batched_solver_dispatches_listed_operations_only(family: str) -> None:
    for m in (1, 2, 9):
        C, U = batch(family, m)
        with Listed() as listed:
            batched(C, U)
        assert "linalg_cholesky_ex" in listed.seen


def test_no_listed_operation_is_unused() -> None:
    C, U = batch("gaussian", 4)
    with Listed() as listed:
        batched(C, U)
    assert listed.seen == OPERATIONS


def test_an_operation_that_waits_is_refused() -> None:
    t = eye(2)
    for wait in (lambda t: t.sum().item(), lambda t: t[t > 0], lambda t: t.nonzero(), torch.linalg.eigh):
        with pytest.raises(AssertionError), Listed():
            wait(t)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_batched_solver_calls_settled_satisfies_lemma_4(family: str) -> None:
    for m in SIZES:
        C, U = batch(family, m)
        y, status = batched(C, U)
        assert status.shape == (3, m)
        settled = status == SETTLED
        slack = y @ C
        gap = ((y - U) * slack).sum(-1).abs()
        worst = torch.stack([(U - y).amax(-1), -slack.amin(-1), gap]).amax(0)
        assert float(worst[settled].clamp(min=0).max() if settled.any() else 0.0) <= ACCURACY
        if family in {"gaussian", "norms over 13 decades"}:
            assert bool(settled.all()), "well conditioned"


def test_dependent_programs_are_reported_as_unsettled() -> None:
    C, U = batch("duplicates", 8)
    assert UNSETTLED in batched(C, U)[1]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_batched_solver_and_its_fallback_are_exact(family: str) -> None:
    for m in (1, 2, 5, 20):
        G = torch.stack([gramian(FAMILIES[family](m, seed)) for seed in range(3)])
        solution = solve(G, eye(m), "batched")
        assert solution.solver == "batched"
        assert solution.status is Status.SOLVED
        assert float(solution.residual().max()) <= ACCURACY


def test_upgrad_keeps_no_trace_of_a_gramian_in_its_bounds() -> None:
    G = gramian(draw(5, 9))
    first = UPGrad().weights(G)
    UPGrad().weights(gramian(draw(5, 9, seed=1)))
    assert torch.equal(UPGrad().weights(G), first)
