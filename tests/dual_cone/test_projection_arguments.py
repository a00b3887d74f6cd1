"""What the projection takes, batches and dtypes, and what it refuses."""

import math

import pytest
import torch
from torch import Tensor

from jdbench.dual_cone import Status, available_solvers, project_weights, shared_bounds, solve, summed_weights
from jdbench.errors import InputError, NonFiniteError, SolverError, UnknownNameError
from jdbench.gramian import gramian
from support.tensors import draw, eye, integers


@pytest.mark.parametrize(
    ("batch", "programs"), [((3,), ()), ((), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((0,), ())], ids=str
)
def test_batches_of_gramians_and_bounds_broadcast(batch: tuple[int, ...], programs: tuple[int, ...]) -> None:
    G, U = gramian(integers(*batch, 4, 3)), draw(*programs, 5, 4)
    shape = torch.broadcast_shapes(batch, programs)
    solution = solve(G, U)
    assert solution.weights.shape == (*shape, 5, 4)
    assert solution.residual().shape == (*shape, 5)
    assert solution.status is Status.SOLVED
    flat_G, flat_U = G.expand(*shape, 4, 4).reshape(-1, 4, 4), U.expand(*shape, 5, 4).reshape(-1, 5, 4)
    for i, W in enumerate(solution.weights.reshape(-1, 5, 4)):
        assert torch.equal(W, solve(flat_G[i], flat_U[i]).weights)


def test_the_arguments_are_not_changed() -> None:
    G, U = gramian(integers(4, 3)), draw(2, 4)
    copies = G.clone(), U.clone()
    solve(G, U)
    assert torch.equal(G, copies[0])
    assert torch.equal(U, copies[1])


def test_summed_weights_are_refused_as_the_weights_are() -> None:
    with pytest.raises(SolverError, match=r"check that G is positive semi-definite"):
        summed_weights(1.9 * eye(3) - 0.9, shared_bounds(eye(3)))
    with pytest.raises(NonFiniteError, match=r"^G\[0, 1\]="):
        summed_weights(torch.tensor([[1.0, math.nan], [0.0, 1.0]]), shared_bounds(eye(2)))
    with pytest.raises(NonFiniteError, match=r"^U, required finite bounds"):
        summed_weights(eye(2), shared_bounds(torch.nan * eye(2)))
    with pytest.raises(InputError, match=r"^U, required shape \[\.\.\., k, 3\]"):
        summed_weights(eye(3), shared_bounds(eye(4)))


def test_a_matrix_that_is_not_positive_semi_definite_is_refused() -> None:
    # Three directions cannot be pairwise at more than 120°: cosines of -0.9 have the eigenvalue -0.8.
    G = 1.9 * eye(3) - 0.9
    with pytest.raises(SolverError, match=r"check that G is positive semi-definite"):
        project_weights(G, eye(3))
    assert solve(G, eye(3)).status is Status.INACCURATE


@pytest.mark.parametrize(
    ("U", "got"),
    [(torch.ones(3), r"\(3,\)"), (torch.ones(2, 4), r"\(2, 4\)"), (torch.ones(()), r"\(\)")],
    ids=str,
)
def test_bounds_of_another_width_are_refused(U: Tensor, got: str) -> None:
    with pytest.raises(InputError, match=rf"^U, required shape \[\.\.\., k, 3\] .* got {got}"):
        solve(eye(3), U)


def test_batches_that_do_not_broadcast_are_refused() -> None:
    with pytest.raises(InputError, match="U"):
        solve(eye(3).expand(2, 3, 3), torch.ones(4, 1, 3))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_bounds_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(NonFiniteError, match=r"^U, required finite bounds"):
        solve(eye(2), torch.tensor([[1.0, value]]))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_gramian_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(NonFiniteError, match=r"^G\[0, 1\]="):
        solve(torch.tensor([[1.0, value], [0.0, 1.0]]), eye(2))


def test_an_unknown_solver_is_refused_with_the_nearest_known() -> None:
    with pytest.raises(UnknownNameError, match=r"solver='active_set'.*did you mean active-set\?"):
        solve(eye(2), eye(2), "active_set")


def test_our_solver_comes_first_among_those_available() -> None:
    assert available_solvers()[0] == "active-set"
    assert len(set(available_solvers())) == len(available_solvers())
    assert {"daqp", "proxqp"} <= set(available_solvers())  # core dependencies
