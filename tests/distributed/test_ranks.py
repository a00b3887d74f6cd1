"""Data shares over real processes give the result of a single one, on every rank alike ([JD] Section 3)."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from jdbench.aggregator import aggregate, resolve
from jdbench.distributed import (
    aggregate_gradients,
    aggregate_shares,
    aggregation,
    run_ranks,
    train_distributed,
    training,
)
from jdbench.distributed.__main__ import train_in_one_process
from jdbench.errors import InputError, JDBenchError
from jdbench.gramian import gramian
from jdbench.problem import resolve_problem, seeded
from jdbench.rounding import combination, gamma

RANKS = 4
COUNTS = (1, 2, 1, 3)
"""Rows of each rank."""

HERE = Path(__file__).stem


def stranger(J: Tensor) -> Tensor:
    return J.mean(0) + 0.1 * torch.rand(())


EVERYONES = ["Mean", "UPGrad", "MGDA", "CAGrad(c=0.4)", "AlignedMTL", "RGW", "GradDrop", f"{HERE}:stranger"]


def integers(*shape: int) -> Tensor:
    """Entries whose products and sums are exact in any order, with rows in conflict."""
    return torch.randint(-9, 10, shape, generator=seeded(1)).to(torch.float64)


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(2))


def mine(J: Tensor) -> Tensor:
    """This rank's rows."""
    return J.split(COUNTS, -2)[dist.get_rank()]


def aggregated(spec: str, J: Tensor) -> Tensor:
    return aggregate(resolve(spec).aggregator, J, generator=seeded(3))


PROBLEM = "Shares-digits(shares=5,alpha=0.3)"
TRAININGS = {
    "ours": ("UPGrad", "descent", 0.3),
    "theirs": (f"{HERE}:stranger", "Adam(aggregator='UPGrad')", 0.01),
}
"""Aggregator, optimiser and rate."""


def in_one_process(gradients: Tensor) -> dict[Any, Any]:
    """What one process makes of the rows of all ranks, and where trainings end in it.

    Run as one rank: a kernel that a process compiled itself may round other than one that it read from the
    cache, where another has written it.
    """
    J = integers(RANKS, 5)
    matrices = {"whole": J, "first": J[:2].clone(), "second": J[2:].clone(), "gradients": gradients}
    ends = {
        name: train_in_one_process(PROBLEM, aggregator, rate=rate, steps=20, seed=1, optimizer=optimizer)
        for name, (aggregator, optimizer, rate) in TRAININGS.items()
    }
    return {name: aggregated("UPGrad", rows) for name, rows in matrices.items()} | ends


def error_of(call: Any) -> str:
    try:
        call()
    except JDBenchError as error:
        return f"{type(error).__name__}: {error}"
    return ""


def on_a_rank() -> dict[str, Any]:
    """All that one rank sees: processes are slow to start, so that one start serves many tests."""
    rank = dist.get_rank()
    seen: dict[Any, Any] = {"threads": torch.get_num_threads()}
    for spec in EVERYONES:
        A = resolve(spec).aggregator
        for name, J in (("integers", integers(7, 37)), ("normal", normal(7, 1001))):
            seen[spec, name] = aggregate_shares(mine(J), A, generator=seeded(3))
            seen[spec, name, "alone"] = aggregated(spec, J)
    for spec in ("Mean", "UPGrad", "RGW"):
        A = resolve(spec).aggregator
        for n in (1, 3, 37):
            seen[spec, n] = aggregate_shares(mine(integers(7, n)), A, route="columns", generator=seeded(3))
    upgrad = resolve("UPGrad").aggregator
    for route in ("rows", "columns"):
        seen["batch", route] = aggregate_shares(mine(integers(2, 3, 7, 37)), upgrad, route=route)
        broken = integers(7, 37)
        broken[3, 5] = torch.inf
        seen["infinite", route] = error_of(lambda: aggregate_shares(mine(broken), upgrad, route=route))  # noqa: B023
    torch.manual_seed(rank)
    seen["random"] = aggregate_shares(mine(integers(7, 37)), resolve("RGW").aggregator)
    seen["one row each"] = aggregate_shares(integers(RANKS, 5)[rank], upgrad)
    seen["other n"] = error_of(lambda: aggregate_shares(torch.ones(5 + rank // 2), upgrad))
    seen["other dtype"] = error_of(
        lambda: aggregate_shares(torch.ones(5, dtype=torch.float64 if rank else torch.float32), upgrad)
    )
    graddrop = resolve("GradDrop").aggregator
    seen["no weights"] = error_of(lambda: aggregate_shares(torch.ones(5), graddrop, route="columns"))

    exchanged: list[int] = []
    all_to_all = dist.all_to_all_single
    dist.all_to_all_single = lambda *a, **k: (exchanged.append(1), all_to_all(*a, **k))
    for n in (2**16, 2**16 * 5):  # 7 rows in float64: 3.5 and 17.5 MiB
        aggregate_shares(mine(torch.ones(7, n, dtype=torch.float64)), upgrad)
        exchanged.append(0)
    dist.all_to_all_single = all_to_all
    seen["exchanged"] = exchanged

    halves = [dist.new_group([0, 1]), dist.new_group([2, 3])]
    seen["half"] = aggregate_shares(integers(RANKS, 5)[rank], upgrad, group=halves[rank // 2])

    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    model.bias.requires_grad_(rank < 9)
    (model(normal(RANKS, 3)[rank]).square().sum() * (rank + 1)).backward()
    gradients = [p.grad.clone() for p in model.parameters()]
    aggregate_gradients(model.parameters(), upgrad)
    seen["gradients"] = gradients, [p.grad for p in model.parameters()]

    aggregator, optimizer, rate = TRAININGS["ours"]
    seen["trained"] = training._train(PROBLEM, aggregator, rate, 20, 1, optimizer, None)
    problem = f"Shares-digits(shares={RANKS + 1})"
    seen["diverged"] = training._train(problem, "UPGrad", 1e38, 20, 1, "descent", None)
    seen["one step"] = training._train(problem, "Mean", 0.3, 1, 1, "descent", "columns").x
    return seen


@pytest.fixture(scope="module")
def ranks() -> list[dict[str, Any]]:
    return run_ranks(on_a_rank, RANKS)


def own_gradients(ranks: list[dict[str, Any]]) -> Tensor:
    return torch.stack([torch.cat([g.reshape(-1) for g in seen["gradients"][0]]) for seen in ranks])


@pytest.fixture(scope="module")
def alone(ranks: list[dict[str, Any]]) -> dict[Any, Any]:
    return run_ranks(in_one_process, 1, own_gradients(ranks))[0]


def everywhere(ranks: list[dict[str, Any]], key: Any) -> Any:
    """What all ranks saw, which is the same."""
    first, *others = [seen[key] for seen in ranks]
    assert all(torch.equal(first, other) if isinstance(first, Tensor) else first == other for other in others)
    return first


@pytest.mark.parametrize("spec", EVERYONES)
@pytest.mark.parametrize("name", ["integers", "normal"])
def test_gathered_rows_give_the_bits_of_one_process(ranks: list[dict[str, Any]], spec: str, name: str) -> None:
    assert torch.equal(everywhere(ranks, (spec, name)), everywhere(ranks, (spec, name, "alone")))


@pytest.mark.parametrize("spec", ["Mean", "UPGrad", "RGW"])
@pytest.mark.parametrize("n", [1, 3, 37])
def test_blocks_of_columns_give_the_same_but_for_the_order_of_sums(
    ranks: list[dict[str, Any]], spec: str, n: int
) -> None:
    """The Gramian of integers is exact in any order, so the weights are the same bits."""
    J = integers(7, n)
    A = resolve(spec).aggregator
    w = A.weights(gramian(J), generator=seeded(3))
    error = (everywhere(ranks, (spec, n)) - aggregate(A, J, generator=seeded(3))).abs()
    assert bool((error <= 2 * combination(J, w)).all())


@pytest.mark.parametrize("route", ["rows", "columns"])
def test_batches_of_jacobians_are_aggregated_each(ranks: list[dict[str, Any]], route: str) -> None:
    J = integers(2, 3, 7, 37)
    A = resolve("UPGrad").aggregator
    found = everywhere(ranks, ("batch", route))
    assert found.shape == (2, 3, 37)
    error = (found - aggregate(A, J)).abs()
    assert bool((error <= 2 * combination(J, A.weights(gramian(J)))).all())


@pytest.mark.parametrize("route", ["rows", "columns"])
def test_an_infinite_entry_on_one_rank_raises_on_all(ranks: list[dict[str, Any]], route: str) -> None:
    assert everywhere(ranks, ("infinite", route)).startswith("NonFiniteError: J")


def test_ranks_draw_together_and_use_one_thread(ranks: list[dict[str, Any]]) -> None:
    assert everywhere(ranks, "random").abs().sum() > 0
    assert everywhere(ranks, "threads") == 1


def test_one_row_a_rank_and_a_group_of_some_ranks(ranks: list[dict[str, Any]], alone: dict[Any, Any]) -> None:
    assert torch.equal(everywhere(ranks, "one row each"), alone["whole"])
    assert torch.equal(everywhere(ranks[:2], "half"), alone["first"])
    assert torch.equal(everywhere(ranks[2:], "half"), alone["second"])


def test_rows_that_do_not_fit_together_are_refused_on_every_rank(ranks: list[dict[str, Any]]) -> None:
    assert "rows of rank 2, required 1 × n=5" in everywhere(ranks, "other n")
    assert "rows of rank 1, required 1 × n=5 in torch.float32" in everywhere(ranks, "other dtype")
    assert "required an aggregator with weights, got GradDrop" in everywhere(ranks, "no weights")


def test_many_bytes_travel_by_columns_and_few_by_rows(ranks: list[dict[str, Any]]) -> None:
    assert 7 * 2**16 * 8 < aggregation.GATHERED < 7 * 2**16 * 5 * 8
    assert everywhere(ranks, "exchanged") == [0, 1, 0]


def test_gradients_of_a_model_are_replaced_by_their_aggregation(
    ranks: list[dict[str, Any]], alone: dict[Any, Any]
) -> None:
    for seen in ranks:
        assert torch.equal(torch.cat([g.reshape(-1) for g in seen["gradients"][1]]), alone["gradients"])
        assert [g.shape for g in seen["gradients"][1]] == [(2, 3), (2,)]


@pytest.mark.parametrize("name", TRAININGS)
def test_processes_end_at_the_parameters_of_one(
    ranks: list[dict[str, Any]], alone: dict[Any, Any], name: str
) -> None:
    """One training in the processes that the other tests share, one in two of its own as a user starts them."""
    aggregator, optimizer, rate = TRAININGS[name]
    if name == "ours":
        trained = ranks[0]["trained"]
        assert all(torch.equal(seen["trained"].x, trained.x) for seen in ranks)
    else:
        trained = train_distributed(PROBLEM, aggregator, ranks=2, rate=rate, steps=20, optimizer=optimizer)
    assert torch.equal(trained.x, alone[name])
    assert trained.state == "finished"
    assert trained.losses.shape == (20, 5)
    start = resolve_problem(PROBLEM).training(1)
    assert torch.equal(trained.losses[0], start.evaluate(start.parameters.unsqueeze(0), 0).objectives[0])
    assert float(trained.losses[-1].mean()) < 0.9 * float(trained.losses[0].mean())


def test_a_training_that_diverges_ends_on_all_ranks(ranks: list[dict[str, Any]]) -> None:
    assert [seen["diverged"].state for seen in ranks] == ["diverged"] * RANKS
    assert len({len(seen["diverged"].losses) for seen in ranks}) == 1
    assert len(ranks[0]["diverged"].losses) < 20


def test_a_step_of_training_by_columns_is_that_of_one_process(ranks: list[dict[str, Any]]) -> None:
    """The mean has the same weights whatever the Gramian, so all that differs is how Jᵀw is rounded."""
    problem = f"Shares-digits(shares={RANKS + 1})"
    expected = train_in_one_process(problem, "Mean", rate=0.3, steps=1, seed=1, optimizer="descent")
    start = resolve_problem(problem).training(1)
    J = start.evaluate(start.parameters.unsqueeze(0), 0).jacobian[0]
    w = torch.full((len(J),), 1 / len(J), dtype=torch.float64)
    allowed = 2 * 0.3 * combination(J, w) + gamma(4, torch.float32) * (start.parameters.abs() + expected.abs())
    assert bool(((everywhere(ranks, "one step") - expected).abs() <= allowed).all())
    assert bool(((expected - start.parameters).abs() > allowed).any())


def test_impossible_trainings_are_refused_before_a_process_starts() -> None:
    def train(problem: str = "Shares-digits", **keywords: Any) -> None:
        train_distributed(problem, "UPGrad", **{"ranks": 2, "rate": 0.1, "steps": 1, **keywords})

    with pytest.raises(InputError, match="ranks=9, required 1 to the number of shares 8"):
        train(ranks=9)
    with pytest.raises(InputError, match="patience=0, required a positive"):
        train(patience=0)
    with pytest.raises(InputError, match="required a training with data shares"):
        train("IWRM-digits")
    with pytest.raises(InputError, match="required a training with data shares"):
        train("EWQ")
    with pytest.raises(InputError, match="ranks=0"):
        run_ranks(on_a_rank, 0)
