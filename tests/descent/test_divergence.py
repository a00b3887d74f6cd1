"""What counts as divergence, and that pages say so."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from jdbench.aggregators import Mean
from jdbench.descent.loop import DIVERGENCE, DIVERGENCE_THRESHOLD, descend
from jdbench.descent.optimizers import Descent
from jdbench.problem import Evaluation
from jdbench.report import write_report
from support.report_stores import analytic, read_pages, write_store


@pytest.mark.parametrize(("share", "state"), [(0.999, "finished"), (1.001, "diverged")])
def test_an_objective_may_grow_to_the_limit_and_no_further(share: float, state: str) -> None:
    """With 3 as the largest objective at the start the limit is 4e12."""

    def source(x: Tensor, members: Tensor, step: int) -> Evaluation:  # noqa: ARG001
        f = (
            torch.tensor([[1.0, -3.0]])
            if step == 0
            else torch.tensor([[0.0, -share * 4 * DIVERGENCE_THRESHOLD]])
        )
        return Evaluation(f.double(), torch.ones(1, 2, 1, dtype=torch.float64))

    start, rate = torch.zeros(1, 1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    assert descend(start, source, Mean(), Descent(rate), 1).states == [state]


def test_the_heading_of_every_page_gives_the_limit(tmp_path: Path) -> None:
    found = [analytic("Mean"), analytic("Mean", seed=2, state="diverged")]
    out = write_report(write_store(tmp_path / "s.sqlite", found), tmp_path / "out").parent
    assert DIVERGENCE.startswith("an objective exceeded 1e+12 times (1 + the largest at the start)")
    for name in ("index.html", "problem-EWQ.html"):
        assert ("th", "title", DIVERGENCE) in read_pages(out)[name].attributes
