"""The indicators of a training against values computed by hand."""

import math

import numpy as np
import pytest
import torch

from jdbench.problem import Measure
from jdbench.rounding import gamma
from jdbench.runs.training_indicators import (
    StepIndicators,
    delta_m,
    indicators_at_end,
    indicators_of_loss,
    indicators_of_step,
    indicators_of_steps,
)


def test_delta_m_by_hand() -> None:
    measures = (
        Measure("accuracy", True, 0.8),
        Measure("error", False, 2.0),
        Measure("no baseline", True),
        Measure("baseline 0", False, 0.0),
    )
    # Accuracy 0.72 instead of 0.8 is 10 % worse, error 1.6 instead of 2 is 20 % better.
    assert delta_m(measures, (0.72, 1.6, 0.1, 3.0)) == pytest.approx((10 - 20) / 2, rel=gamma(32) * 4)
    assert delta_m(measures, (0.8, 2.0, 0.1, 3.0)) == 0
    # A negative baseline, of a log-likelihood say, keeps the sign of worse.
    assert delta_m((Measure("log-likelihood", True, -2.0),), (-3.0,)) == 50
    assert math.isnan(delta_m(measures[2:], (0.1, 3.0)))


def test_delta_m_does_not_depend_on_the_unit_of_a_measure() -> None:
    one = delta_m((Measure("a", True, 0.5), Measure("b", False, 3.0)), (0.4, 3.3))
    other = delta_m((Measure("a", True, 50.0), Measure("b", False, 0.003)), (40.0, 0.0033))
    assert one == pytest.approx(other, rel=gamma(64) * 10)


def test_loss_curves_by_hand() -> None:
    found = indicators_of_loss(np.array([0.0, 8, 16, 20]), np.array([4.0, 2, 3, 1]), True)
    assert found == {"area": (24 + 20 + 8) / 20, "start": 4, "final": 1, "rises": 1 / 3, "largest_rise": 0.25}
    lost = indicators_of_loss(np.array([0.0, 8]), np.array([4.0, 2]), False)
    assert lost["area"] == lost["final"] == math.inf


def test_the_end_by_hand() -> None:
    measures = (Measure("left", True, 0.5), Measure("right", True))
    found = indicators_at_end(torch.tensor([1.0, 5.0, 3.0]), torch.tensor([0.25, 0.75]), measures)
    assert found == {
        "worst_loss": 5.0, "best_loss": 1.0, "held_out: left": 0.25, "held_out: right": 0.75, "delta_m": 50.0
    }  # fmt: skip
    assert indicators_at_end(torch.tensor([1.0]), torch.zeros(0), ()) == {"worst_loss": 1.0, "best_loss": 1.0}


def test_steps_by_hand() -> None:
    J = torch.tensor([[3.0, 0.0], [0.0, 30.0]], dtype=torch.float64)
    step = indicators_of_step(
        J, torch.tensor([1.0, 0.0], dtype=torch.float64), torch.tensor([1 / 3, 0.0]).double()
    )
    assert step.margin == 0
    assert step.cosine == pytest.approx(1 / 101**0.5, rel=gamma(32))
    assert step.decades == pytest.approx(1.0, rel=gamma(32))
    assert step.weights_norm == pytest.approx(1 / 3, rel=1e-7)  # 1/3 came from float32
    found = indicators_of_steps([step, StepIndicators(-0.5, math.nan, 3.0, 2.0, 0.5)])
    assert found["worst_margin"] == -0.5
    assert found["mean_cosine"] == step.cosine
    assert found["cosine_at_start"] == step.cosine
    assert indicators_of_steps([StepIndicators(0.0, 0.25, 0.0, 1.0, 1.0), step])["cosine_at_start"] == 0.25
    assert found["decades_largest"] == 3.0
    assert found["weights_largest"] == 2.0
    assert "weights" not in indicators_of_steps([StepIndicators(0.0, 1.0, 0.0, math.nan, math.nan)])
    assert indicators_of_steps([])["worst_margin"] == math.inf
