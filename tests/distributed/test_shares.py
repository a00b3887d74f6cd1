"""Digits in data shares: a split with a dial, each share's own gradient, and accuracy on held-out digits."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from jdbench.errors import InputError
from jdbench.problem import resolve_problem
from jdbench.problems.distributed import SharesOfDigits, split_by_labels
from jdbench.rounding import gamma
from jdbench.runs.protocol import RunSpec
from jdbench.runs.runner import run_batch

LABELS = torch.arange(1024) % 10


def skew(split: Tensor) -> float:
    """Mean distance in total variation of the shares' labels from those of all."""
    overall = LABELS.bincount(minlength=10) / len(LABELS)
    own = torch.stack([LABELS[rows].bincount(minlength=10) / len(rows) for rows in split])
    return float((own - overall).abs().sum(-1).mean()) / 2


@pytest.mark.parametrize("shares", [1, 7, 8])
@pytest.mark.parametrize("alpha", [1e-6, 0.1, 1.0, 1e6, None])
def test_a_split_gives_every_share_as_many_examples_and_none_twice(shares: int, alpha: float | None) -> None:
    split = split_by_labels(LABELS, shares, alpha, 1)
    assert split.shape == (shares, 1024 // shares)
    assert len(split.unique()) == split.numel()
    assert int(split.min()) >= 0
    assert int(split.max()) < 1024


def test_alpha_is_a_dial_from_one_label_a_share_to_all_labels_alike() -> None:
    measured = [
        sum(skew(split_by_labels(LABELS, 8, alpha, seed)) for seed in range(1, 6)) / 5
        for alpha in (1e-6, 0.1, 1.0, 10.0, 1e6)
    ]
    assert all(more > less for more, less in pairwise(measured))
    # A share of two labels out of ten is 0.8 away; a label runs out after 102 of 128, so some have three.
    assert 0.7 < measured[0] <= 0.9
    # Ten frequencies of 128 draws, each 0.8 √(0.09 / 128) = 0.021 away on average, sum to twice 0.106.
    assert measured[-1] < 2 * 0.106
    assert skew(split_by_labels(LABELS, 8, None, 1)) < 2 * 0.106


def test_splits_follow_their_seed_alone() -> None:
    assert torch.equal(split_by_labels(LABELS, 8, 0.1, 1), split_by_labels(LABELS, 8, 0.1, 1))
    assert not torch.equal(split_by_labels(LABELS, 8, 0.1, 1), split_by_labels(LABELS, 8, 0.1, 2))


def test_rows_are_the_gradients_of_the_shares_mean_losses() -> None:
    training = SharesOfDigits(shares=4).training(2)
    x = training.parameters.unsqueeze(0)
    losses, J = training.evaluate(x, 9)
    assert losses.shape == (1, 4)
    assert J.shape == (1, 4, 2410)
    torch.nn.utils.vector_to_parameters(training.parameters, training.model.module.parameters())
    for i in range(4):
        rows = training.batch(9, i)
        assert len(rows) == 16
        assert set(rows.tolist()) <= set(training.split[i].tolist())
        loss = torch.nn.functional.cross_entropy(
            training.model.module(training.data.images[rows]), training.data.labels[rows]
        )
        gradients = torch.autograd.grad(loss, list(training.model.module.parameters()))
        flat = torch.cat([g.reshape(-1) for g in gradients])
        rtol = gamma(16 * 64, torch.float32)
        torch.testing.assert_close(losses[0, i], loss.detach(), rtol=rtol, atol=0)
        torch.testing.assert_close(J[0, i], flat, rtol=0, atol=rtol * float(flat.norm()))


def test_an_epoch_visits_every_example_of_a_share_once() -> None:
    training = SharesOfDigits(shares=4).training(1)
    for epoch in (0, 1):
        for i in range(4):
            steps = range(epoch * training.steps_per_epoch, (epoch + 1) * training.steps_per_epoch)
            seen = torch.cat([training.batch(step, i) for step in steps])
            assert torch.equal(seen.sort().values, training.split[i].sort().values)
    assert not torch.equal(training.batch(0, 0), training.batch(16, 0))


def test_unlike_shares_conflict_and_like_ones_do_not() -> None:
    def least_cosine(alpha: float | None) -> float:
        training = SharesOfDigits(alpha=alpha, batch_size=128).training(1)
        J = training.evaluate(training.parameters.unsqueeze(0), 0).jacobian[0]
        return float(torch.cosine_similarity(J.unsqueeze(0), J.unsqueeze(1), dim=-1).min())

    assert least_cosine(1e-6) < 0 < least_cosine(None)


def test_losses_and_held_out_accuracy_are_those_of_a_loop() -> None:
    problem = SharesOfDigits(shares=3, alpha=0.3)
    training = problem.training(1)
    x = torch.stack([training.parameters, training.parameters * 2])
    assert [m.name for m in problem.measures] == ["accuracy", "accuracy of the worst share"]
    data = training.data
    assert len(data.labels) == 1024
    assert len(data.held_out_labels) == 773
    for point, losses, measured in zip(x, training.losses(x), training.held_out(x), strict=True):
        torch.nn.utils.vector_to_parameters(point.clone(), training.model.module.parameters())
        with torch.no_grad():
            hits = training.model.module(data.held_out_images).argmax(-1) == data.held_out_labels
            logits = [training.model.module(data.images[rows]) for rows in training.split]
        assert float(measured[0]) == pytest.approx(float(hits.double().mean()), rel=gamma(8, torch.float32))
        worst = min(
            sum(float(hits[data.held_out_labels == data.labels[row]].double().mean()) for row in rows)
            / len(rows)
            for rows in training.split
        )
        assert float(measured[1]) == pytest.approx(worst, rel=gamma(1024, torch.float32))
        for i, rows in enumerate(training.split):
            loss = torch.nn.functional.cross_entropy(logits[i], data.labels[rows])
            torch.testing.assert_close(losses[i], loss, rtol=gamma(2048, torch.float32), atol=0)


def test_it_runs_in_the_benchmark_and_learns() -> None:
    spec = RunSpec("Shares-digits(alpha=0.3)", "UPGrad", 0.3, 1, 4)
    (record,) = run_batch([spec])
    assert record.state == "finished"
    assert record.steps_taken == 32
    assert record.indicators["final"] < 0.5 * record.indicators["start"]


@pytest.mark.parametrize(
    "bad", ["shares=0", "shares=65", "alpha=0", "alpha=-1", "batch_size=0", "batch_size=129"]
)
def test_impossible_shares_are_refused(bad: str) -> None:
    with pytest.raises(InputError, match=f"{bad}, required"):
        resolve_problem(f"Shares-digits({bad})")
