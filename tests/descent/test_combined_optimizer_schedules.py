"""Schedulers of torch drive a CombinedOptimizer as they drive torch's."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler

from support.combined_training import SAME, TORCHS, gap, loss, network, ours, torchs, train

methods = pytest.mark.parametrize("name", TORCHS)

SCHEDULES: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "step": lambda o: lr_scheduler.StepLR(o, 10, 0.5),
    "by function and group": lambda o: lr_scheduler.LambdaLR(o, [lambda t: 1 / (1 + t), lambda t: 0.9**t]),
    "cosine to zero": lambda o: lr_scheduler.CosineAnnealingLR(o, 25),
    "warm up from zero": lambda o: lr_scheduler.LambdaLR(o, lambda t: min(1.0, t / 10)),
    "sequential": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, 1.0, 5), lr_scheduler.ExponentialLR(o, 0.95)], [5]
    ),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, max_lr=[0.05, 0.01], total_steps=60),
    "cyclic": lambda o: lr_scheduler.CyclicLR(
        o, base_lr=0.001, max_lr=0.05, step_size_up=7, base_momentum=0.6, max_momentum=0.9
    ),
    "warm restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 9),
}


def groups(model: torch.nn.Module) -> list[dict[str, Any]]:
    weight, bias, *rest = model.parameters()
    return [{"params": [weight, bias], "lr": 0.005, "weight_decay": 0.1}, {"params": rest}]


@methods
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_with_the_mean_every_schedule_gives_torchs_steps(name: str, schedule: str) -> None:
    model, expected = network(), network()
    pairs = [(model, ours(name, groups(model))), (expected, torchs(name, groups(expected)))]
    for net, opt in pairs:
        scheduler = SCHEDULES[schedule](opt)
        for step in range(50):
            train(net, opt, [step])
            scheduler.step()
    assert gap(model, expected) <= SAME
    varied = "momentum" if "momentum" in pairs[0][1].defaults else "betas"
    for (_, opt), name_of in zip(pairs, ("lr", varied), strict=True):
        assert [group[name_of] for group in opt.param_groups] == [
            group[name_of] for group in pairs[1][1].param_groups
        ]
    if "cycl" in schedule:
        assert pairs[0][1].param_groups[0][varied] != pairs[0][1].defaults[varied]


def test_one_that_watches_the_loss_and_a_rate_in_a_tensor() -> None:
    model, expected = network(), network()
    for net, make in ((model, ours), (expected, torchs)):
        opt = make("Adam", net.parameters(), lr=torch.tensor(0.02, dtype=torch.float64))
        scheduler = lr_scheduler.ReduceLROnPlateau(opt, patience=0)
        for step in range(50):
            train(net, opt, [step])
            scheduler.step(loss(net, step).detach())
        assert opt.param_groups[0]["lr"] < 0.02
    assert gap(model, expected) <= SAME


@methods
def test_a_rate_a_rounding_below_zero_is_as_good_as_zero(name: str) -> None:
    """A cosine may end there; its root is no number."""
    model, other = network(), network()
    for net, rate in ((model, -1e-18), (other, 0.0)):
        optimizer = ours(name, groups(net), "UPGrad")
        train(net, optimizer, range(3))
        optimizer.param_groups[0]["lr"] = rate
        train(net, optimizer, range(3, 6))
    assert gap(model, other) <= SAME


@methods
def test_gradients_scaled_for_half_precision_pass_through(name: str) -> None:
    """A scaler takes its factor out before the step, and leaves out a step whose gradients overflowed."""
    model, expected = network(), network()
    optimizer = ours(name, model.parameters(), "UPGrad")
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0, growth_interval=1000)
    for step in range(4):
        optimizer.zero_grad()
        scaler.scale(loss(model, step)).backward()
        if step == 2:
            next(model.parameters()).grad.fill_(torch.inf)  # pyright: ignore[reportOptionalMemberAccess]
        scaler.step(optimizer)
        scaler.update()
    train(expected, ours(name, expected.parameters(), "UPGrad"), [0, 1, 3])
    assert gap(model, expected) <= SAME
