"""Why the paper's Figure 3 has CAGrad stop on an axis of EWQ: a cut-off of TorchJD 0.18.0, seen at work."""

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import CAGrad
from jdbench.descent.loop import descend, full_jacobian
from jdbench.descent.optimizers import Descent
from jdbench.problem import resolve_problem

torchjd = pytest.importorskip(
    "torchjd.aggregation", reason='needs the extra "peers": pip install "jdbench[peers]"'
)

THIRD_START = 3
RATE = 0.01
STEPS = 300
"""Half of what [JD] takes: TorchJD's has stopped for good, ours has come down to a tenth on its way to zero."""


def end(aggregator) -> Tensor:
    problem = resolve_problem("EWQ")
    x = problem.start(THIRD_START).unsqueeze(0)
    rate = torch.tensor([RATE], dtype=torch.float64)
    return descend(x, full_jacobian(problem), aggregator, Descent(rate), STEPS).x[0]


def test_torchjds_cagrad_stops_near_an_axis_far_from_the_front() -> None:
    x = end(torchjd.CAGrad(c=0.5))
    assert float(x.abs().max()) > 1
    # Its threshold: the shorter row is below 1e-4 of the normalised Jacobian.
    assert 0 < float(x.abs().min() / x.abs().max()) < 1e-4


def test_without_the_cut_off_it_goes_on_as_ours_does() -> None:
    ours = end(CAGrad(c=0.5))
    theirs = end(torchjd.CAGrad(c=0.5, norm_eps=0.0))
    assert float(ours.abs().max()) < 0.2
    assert float(theirs.abs().max()) < 0.2
