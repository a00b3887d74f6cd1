"""What the benchmarks time: methods that take one step and have one Gramian, solvers of one projection."""

import pytest
import torch

import jdbench.aggregators
from benchmarks.gramians import RANKS, gramian
from benchmarks.methods import GRAMIAN_METHODS, METHODS, NetworkTraining, gramian_step, possible, step
from benchmarks.peers import peer, peer_weights
from benchmarks.solvers import SOLVERS, projection, residual, sensible, upgrad_weights
from jdbench.problems.networks import NETWORKS

pytest.importorskip("torchjd", reason='needs the extra "bench": pip install "jdbench[bench]"')


RIGHT = 1e-3
"""Says which program was solved, not how well: TorchJD adds 1e-4 of the trace, others differ by order 1."""


@pytest.mark.parametrize("network", NETWORKS)
def test_methods_find_one_gramian(network: str) -> None:
    J = NetworkTraining(network, 4).jacobian().double()
    expected = J @ J.T
    scale = expected.diagonal().sqrt()
    rounding = J.shape[1] * torch.finfo(torch.float32).eps  # of inner products of n terms, and of the rows' own
    for method in GRAMIAN_METHODS:
        error = (gramian_step(method, network, 4)().double() - expected).abs() / scale.outer(scale)
        assert float(error.max()) <= rounding, method


def test_methods_take_one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[NetworkTraining] = []
    monkeypatch.setattr(
        "benchmarks.methods.NetworkTraining", lambda *a: made.append(NetworkTraining(*a)) or made[-1]
    )
    for method in METHODS:
        step(method, "SVHN", 4, "Mean")()
    directions = [torch.cat([p.grad.flatten() for p in one.model.parameters()]) for one in made]
    assert len(directions) == len(METHODS)
    rounding = len(directions[0]) * torch.finfo(torch.float32).eps
    for method, direction in zip(METHODS, directions, strict=True):
        assert float((direction - directions[0]).norm() / directions[0].norm()) <= rounding, method


def test_every_aggregator_has_a_method_of_ours_and_of_torchjds() -> None:
    for name in jdbench.aggregators.__all__:
        assert possible("explicit", name)
        assert possible("autojac", name)
        J = torch.randn(4, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        assert peer(name, 4)(J).shape == (9,)
        if name != "GradDrop":
            assert peer_weights(name, 4)(J if name == "NashMTL" else J @ J.T).shape == (4,)


@pytest.mark.parametrize("method", ["engine", "autogram"])
def test_a_method_without_the_jacobian_refuses_graddrop(method: str) -> None:
    with pytest.raises(ValueError, match="use autojac for TorchJD's and explicit for ours"):
        step(method, "SVHN", 4, "GradDrop")


OPPOSED = torch.tensor([[1.0, -0.5], [-0.5, 1.0]], dtype=torch.float64)
"""Two rows of one norm, which TorchJD's addition to the diagonal changes little."""


@pytest.mark.parametrize("rank", [*RANKS, "opposed"])
def test_solvers_find_one_projection(rank: str) -> None:
    G = OPPOSED if rank == "opposed" else gramian(rank, 8)
    norms = G.diagonal().sqrt()
    ours = norms * upgrad_weights("ours")(G), norms * projection("ours")(G)
    for solver in [solver for solver in SOLVERS if sensible(solver, rank, 8)]:
        if solver == "torchjd" and rank != "opposed":
            continue
        for mine, theirs in zip(ours, (upgrad_weights(solver)(G), projection(solver)(G)), strict=True):
            # Where G is singular weights are not unique, the projections are.
            differing = G @ ((norms * theirs - mine) / norms)
            assert float((differing / norms).abs().max()) <= RIGHT * float(mine.abs().max()), solver
        assert residual(solver, G) < RIGHT


def test_a_batch_is_solved_by_all() -> None:
    G = gramian("full", 4, 3)
    for solver in SOLVERS:
        assert upgrad_weights(solver)(G).shape == (3, 4)
        assert projection(solver)(G).shape == (3, 4)
        worst = max(residual(solver, one) for one in G)
        assert residual(solver, G) == pytest.approx(worst, rel=1e-9, abs=1e-12)
