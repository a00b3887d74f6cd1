"""What a CombinedOptimizer aggregates: gradient and momentum of all groups, in the metric of the step."""

import pytest
import torch
from torch import Tensor, nn

from jdbench.problem import seeded
from jdbench.rounding import gamma
from support.combined_training import SAME, TORCHS, network, ours, same, train

methods = pytest.mark.parametrize("name", TORCHS)
STEPS, N = 40, 6


@methods
@pytest.mark.parametrize("aggregator", ["UPGrad", "MGDA", "RGW", "CAGrad(c=0.4)"])
def test_dividing_parameters_into_groups_of_equal_options_changes_nothing(name: str, aggregator: str) -> None:
    model, divided = network(), network()
    train(model, ours(name, model.parameters(), aggregator), range(20))
    train(divided, ours(name, [{"params": p} for p in divided.parameters()], aggregator), range(20))
    assert same(model, divided)


def test_the_rows_are_the_gradient_and_the_momentum_of_all_groups() -> None:
    rows: list[Tensor] = []

    def watching(J: Tensor) -> Tensor:
        rows.append(J)
        return J.mean(0)

    p, q, r = (nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(3))
    optimizer = ours("HeavyBall", [{"params": [p, r]}, {"params": q, "momentum": 0.5}], watching)
    for step in range(2):
        p.grad, q.grad = (torch.tensor([1.0 + step, k], dtype=torch.float64) for k in (2.0, 3.0))
        optimizer.step()
    expected = torch.tensor([[2.0, 2.0, 2.0, 3.0], [0.9, 1.8, 0.5, 1.5]], dtype=torch.float64)
    assert len(rows) == 1
    torch.testing.assert_close(rows[0], expected, rtol=gamma(2), atol=0)


def test_rows_are_in_the_coordinates_in_which_the_fastest_move_plainly() -> None:
    """Entries of a quarter of the largest rate count by its root, one half."""
    rows: list[Tensor] = []

    def watching(J: Tensor) -> Tensor:
        rows.append(J)
        return J[0]

    slow, fast = (nn.Parameter(torch.zeros(2, dtype=torch.float64)) for _ in range(2))
    groups = [{"params": slow, "lr": 0.125}, {"params": fast, "lr": 0.5}]
    optimizer = ours("HeavyBall", groups, watching, momentum=0.5)
    for g in (torch.tensor([4.0, 8.0]).double(), torch.tensor([2.0, -6.0]).double()):
        slow.grad, fast.grad = g.clone(), g.clone()
        optimizer.step()
    assert rows[0].tolist() == [[1.0, -3.0, 2.0, -6.0], [1.0, 2.0, 2.0, 4.0]]
    # Twice what the aggregator said, here the gradient, back in the coordinates of the parameters.
    assert [optimizer.state[p]["momentum_buffer"].tolist() for p in (slow, fast)] == [[4.0, -12.0]] * 2


def gradients(seed: int) -> Tensor:
    """Gradients of two parameters that often turn against the past ones, shape ``[STEPS, 2, N]``."""
    drawn = torch.randn(STEPS, 2, N, dtype=torch.float64, generator=seeded(seed))
    return drawn + 2 * torch.sign(torch.randn(STEPS, 1, 1, dtype=torch.float64, generator=seeded(seed + 1)))


def moved(name: str, aggregator: str, rates: tuple[float, ...]) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """The steps of parameters with rates of their own, ``[STEPS, 1 or 2, N]``, and the momentum before each."""
    params = [nn.Parameter(torch.zeros(N, dtype=torch.float64)) for _ in rates]
    groups = [{"params": p, "lr": rate} for p, rate in zip(params, rates, strict=True)]
    optimizer = ours(name, groups, aggregator, weight_decay=0.0)
    steps: list[Tensor] = []
    before: list[dict[str, Tensor]] = []
    for g in gradients(7)[:, -len(rates) :]:
        kept = [{k: v.clone() for k, v in optimizer.state[p].items() if isinstance(v, Tensor)} for p in params]
        before.append({k: torch.stack([own[k] for own in kept]) for k in kept[0]})
        x = torch.stack([p.detach() for p in params])
        for p, own in zip(params, g, strict=True):
            p.grad = own.clone()
        optimizer.step()
        steps.append(torch.stack([p.detach() for p in params]) - x)
    return torch.stack(steps), before


def worst(name: str, aggregator: str, rates: tuple[float, float]) -> float:
    """The least cosine of a step downhill with gradient and momentum, over all steps."""
    steps, before = moved(name, aggregator, rates)
    cosines: list[float] = []
    for step, g, kept in zip(steps[1:], gradients(7)[1:], before[1:], strict=True):
        momentum = kept["momentum_buffer" if name == "HeavyBall" else "exp_avg"]
        cosines += [float(-(step * row).sum() / step.norm() / row.norm()) for row in (g, momentum)]
    return min(cosines)


@pytest.mark.parametrize("name", ["HeavyBall", "Adam", "AdamW"])
@pytest.mark.parametrize("rates", [(0.1, 0.1), (1.0, 0.3), (1.0, 0.01), (1e-8, 3.0)], ids=str)
def test_the_step_of_all_groups_conflicts_with_neither_whatever_their_rates(
    name: str, rates: tuple[float, float]
) -> None:
    # The step is a difference of points, and a sum of 2N products; the solver's residual is below that.
    assert worst(name, "UPGrad", rates) >= -gamma(8000)
    assert worst(name, "Mean", rates) < -1e-3


@methods
def test_only_the_ratio_of_rates_matters_for_the_momentum(name: str) -> None:
    """Powers of two scale without rounding."""
    (steps, before), (fourfold, after) = (
        moved(name, "UPGrad", rates) for rates in ((2.0**-4, 2.0**-6), (2.0**-2, 2.0**-4))
    )
    for kept, same_kept in zip(before[1:], after[1:], strict=True):
        assert all(torch.equal(kept[k], same_kept[k]) for k in kept)
    torch.testing.assert_close(4 * steps, fourfold, rtol=0, atol=gamma(8) * float(fourfold.abs().sum()))


@methods
def test_a_group_of_rate_zero_stands_still_and_the_others_move_as_without_it(name: str) -> None:
    steps, before = moved(name, "UPGrad", (0.0, 0.1))
    alone, _ = moved(name, "UPGrad", (0.1,))
    summed, of_sums = moved(name, "Mean", (0.0, 0.1))
    assert not bool(steps[:, 0].any())
    assert float((steps[:, 1] - alone[:, 0]).abs().max()) <= SAME * float(alone.abs().max())
    assert float((steps - summed).abs().max()) > 1e-3
    # Its own momentum is that of the sums.
    for kept, expected in zip(before[1:], of_sums[1:], strict=True):
        for key in kept:
            torch.testing.assert_close(kept[key][0], expected[key][0], rtol=SAME, atol=SAME)


@methods
def test_a_warm_up_from_rate_zero_for_all_gathers_momentum(name: str) -> None:
    model = network()
    optimizer = ours(name, [{"params": p} for p in model.parameters()], "UPGrad", lr=0.0)
    train(model, optimizer, range(3))
    assert same(model, network())
    for group in optimizer.param_groups:
        group["lr"] = 0.02
    train(model, optimizer, range(3, 6))
    assert all(bool(p.isfinite().all()) for p in model.parameters())
    assert not same(model, network())
