"""The engine's Gramian and gradient against the explicit Jacobian, on random architectures."""

import random
import re
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch import Tensor

from jdbench.engine import Engine
from jdbench.errors import InputError
from jdbench.rounding import gamma
from support import odd_modules
from support.architectures import Architecture, architectures
from support.engine_agreement import Drawn, gradient, jacobian, kept
from support.odd_architectures import Odd, odd_architectures

QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


def outputs(case: Architecture, per_task: bool, dtype: torch.dtype = torch.float64) -> Tensor:
    x = case.x.to(dtype) if case.x.is_floating_point() else case.x
    y = case.model.to(dtype)(x)
    return y * 2 if per_task else y.sum(1)


@given(architectures(exact=True))
@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
def test_integer_architectures_have_exactly_the_explicit_gramian_and_gradient(case: Architecture) -> None:
    for per_task in (False, True):
        with Engine(case.model) as engine:
            losses = outputs(case, per_task)
            J = jacobian(losses, case.model)
            assert float(J.square().sum(1).max()) < 2**53
            assert torch.equal(engine.gramian(losses, check=True), J @ J.mT)
            case.model.zero_grad()
            w = engine.backward(losses, Drawn())
        assert w.shape == losses.shape
        assert torch.equal(gradient(case.model), J.mT @ w.flatten())


def conditioning(case: Architecture, per_task: bool) -> tuple[Tensor, Tensor]:
    """Return J, and how far rounding moves its rows, in unit roundoffs: measured in float32.

    One sample of the rounding errors of a chain of layers, not a bound: hence the factor of 64 on it. The
    floor of one roundoff an entry, n‖gᵢ‖, and 16 of the loss's own conditioning cover what happens to be exact.
    """
    J = jacobian(outputs(case, per_task), case.model)
    narrow = jacobian(outputs(case, per_task, torch.float32), case.model)
    case.model.double()
    moved = (narrow - J).norm(dim=1) / torch.finfo(torch.float32).eps
    return J, 64 * moved + J.shape[1] * J.norm(dim=1)


@given(architectures(exact=False))
@settings(max_examples=100, deadline=None, suppress_health_check=QUIET)
def test_architectures_have_the_explicit_gramian_and_gradient(case: Architecture) -> None:
    for per_task in (False, True):
        parameters = [p.detach().clone() for p in case.model.parameters()]
        J, moved = conditioning(case, per_task)
        for p, value in zip(case.model.parameters(), parameters, strict=True):
            p.data = value  # the trip through float32 has rounded them
        with Engine(case.model) as engine:
            losses = outputs(case, per_task)
            J = jacobian(losses, case.model)
            norms, error = J.norm(dim=1), gamma(1) * moved
            G = engine.gramian(losses)
            room = error[:, None] * norms + norms[:, None] * error + error[:, None] * error
            assert ((G - J @ J.mT).abs() <= room).all()
            case.model.zero_grad()
            w = engine.backward(losses, Drawn())
        assert (gradient(case.model) - J.mT @ w.flatten()).norm() <= (w.flatten().abs() * error).sum() * 2


def random_states() -> tuple[Tensor, Tensor, object, object]:
    return torch.get_rng_state(), odd_modules.GENERATOR.get_state(), np.random.get_state(), random.getstate()  # noqa: NPY002


def restore(states: tuple[Tensor, Tensor, object, object]) -> None:
    torch.set_rng_state(states[0])
    odd_modules.GENERATOR.set_state(states[1])
    np.random.set_state(states[2])  # noqa: NPY002
    random.setstate(states[3])


NUDGE = 2.0**-30


def nudged_rows(case: Odd, x: Tensor) -> Tensor | None:
    """Return J after relative changes of 2⁻³⁰ of all parameters and inputs; state is put back.

    In float64 as everything else, so that the same random numbers are drawn.
    """
    generator, model = torch.Generator().manual_seed(0), case.model

    def nudged(t: Tensor) -> Tensor:
        return t * (1 + NUDGE * (2 * torch.randint(0, 2, t.shape, generator=generator) - 1))

    states, saved = random_states(), {name: t.clone() for name, t in model.state_dict().items()}
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(nudged(p))
    losses = case.losses(model(nudged(x) if x.is_floating_point() else x))
    J = None if losses.grad_fn is None else jacobian(losses, model)
    model.load_state_dict(saved)
    restore(states)
    return J


counts: Counter[str] = Counter()


def odd_one(case: Odd) -> None:
    """Three steps in a row with one engine: gates open, buffers and lengths change."""
    model, engine = case.model, Engine(case.model)
    for step, x in enumerate(case.batches):
        other = nudged_rows(case, x)
        losses = case.losses(model(x))
        if other is None:
            counts["without gradients"] += 1
            return
        J = jacobian(losses, model)
        # As in `conditioning`: one sample of what roundings do, with a factor of 64, above one roundoff an
        # entry of a gradient and one a place that such an entry is summed over, in at most 16 layers.
        floor = J.shape[1] + 16 * x.shape[1] * odd_modules.WIDTH
        error = gamma(1) * (64 * (other - J).norm(dim=1) / NUDGE + floor * J.norm(dim=1))
        norms, state = J.norm(dim=1), kept(model)
        try:
            G = engine.gramian(losses)
            rows = engine.jacobian(losses)
            model.zero_grad()
            w = engine.backward(losses, Drawn()).flatten()
        except InputError as refusal:
            named = re.search(r"(module|parameter)='", str(refusal))
            counts["refused" if case.mixes and named else f"refused: {refusal}"] += 1
            return
        assert kept(model) == state, step
        room = error[:, None] * norms + norms[:, None] * error + error[:, None] * error
        assert ((G - J @ J.mT).abs() <= room).all(), step
        assert ((rows - J).norm(dim=1) <= error).all(), step
        assert (gradient(model) - J.mT @ w).norm() <= 2 * w.abs() @ error, step
        counts["right, though instances mix" if case.mixes else "right"] += 1
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p -= 0.05 * p.grad / (1 + p.grad.norm())


@pytest.mark.parametrize(
    ("count", "fewest", "most"), [(60, 1, 20), pytest.param(300, 5, 60, marks=pytest.mark.long)]
)
def test_odd_architectures_are_right_or_refused_by_name(count: int, fewest: int, most: int) -> None:
    """Refused is only what mixes instances, and that is rare: the test cannot pass by refusing.

    The few are the same in every run, so that their counts are; the many are others each time.
    """
    counts.clear()
    drawn = settings(
        max_examples=count, deadline=None, suppress_health_check=QUIET, derandomize=count < 100, database=None
    )
    drawn(given(odd_architectures())(odd_one))()
    assert counts.keys() <= {"right", "right, though instances mix", "refused", "without gradients"}, counts
    assert counts["right"] >= 2 * count, counts
    assert fewest <= counts["refused"] <= most, counts
