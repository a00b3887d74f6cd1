"""Whether the objectives of a problem conflict: by their gradients, or by what runs prove."""

import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor

from jdbench.analysis.conflict import conflict_share, opposed_share, smallest_cosine
from jdbench.analysis.reading import read
from jdbench.problem import AnalyticProblem, resolve_problem
from jdbench.report import write_report
from support.report_stores import analytic, read_pages, training, words, write_store


class Hinge(AnalyticProblem):
    """f = (x, |x - 4.5|), of which every run starts at 8 and the set, for all that it matters here, is 0."""

    family, source = "test", "this test"
    m, n = 2, 1

    def __init__(self, targets: int = 1, lost: float = -1.0) -> None:
        self.targets, self.lost = targets, lost

    def objectives(self, x: Tensor) -> Tensor:
        return torch.cat([x, (x - 4.5).abs()], -1)

    def jacobian(self, x: Tensor) -> Tensor:
        J = torch.stack([torch.ones_like(x), (x - 4.5).sign()], -2)
        return torch.where((x > self.lost)[..., None], J, torch.nan)

    def start(self, seed: int) -> Tensor:
        return torch.tensor([8.0], dtype=torch.float64) + 0 * seed

    def pareto_set(self, count: int) -> Tensor:
        return torch.zeros(min(count, self.targets), 1, dtype=torch.float64)

    def distance(self, x: Tensor) -> Tensor:
        return x.abs().squeeze(-1)


def test_the_share_of_points_between_starts_and_set_by_hand() -> None:
    """From 8 to 0 in eighths: the gradients agree at 8, 7, 6 and 5 and oppose each other at 4, 3, 2 and 1."""
    assert opposed_share(Hinge()) == 0.5
    # Those at 2 and 1 cannot be evaluated.
    assert opposed_share(Hinge(lost=2.5)) == pytest.approx(2 / 6)
    assert math.isnan(opposed_share(Hinge(lost=9.0)))
    # Without a set, at the starts.
    assert opposed_share(Hinge(targets=0)) == 0


def test_problems_of_the_zoo() -> None:
    share = {name: opposed_share(resolve_problem(name)) for name in ("ZeroSum", "EWQ", "Schaffer", "CQF")}  # pyright: ignore[reportArgumentType]
    assert share["ZeroSum"] == 1
    # Each objective has a parameter of its own.
    assert share["EWQ"] == 0
    # Spheres around two points: the gradients oppose each other in the ball of which these are the poles.
    assert 0.1 < share["Schaffer"] < 0.5
    assert share["CQF"] > 0.5


def test_the_smallest_cosine_is_of_two_rows_whatever_their_norms() -> None:
    J = torch.tensor([[1e-200, 0.0], [-1e200, 1e200], [0.0, 0.0]], dtype=torch.float64)
    assert float(smallest_cosine(J)) == pytest.approx(-(0.5**0.5))
    assert float(smallest_cosine(J[[0, 2]])) == 0
    assert float(smallest_cosine(J[:1])) == 1


def run(aggregator: str, seed: int, margin: float, state: str = "finished") -> tuple[str, int, float, str]:
    return aggregator, seed, margin, state


def test_runs_prove_opposition_by_seeds() -> None:
    found = [
        run("Mean", 1, -0.1), run("RGW", 1, 0.1),
        run("Mean", 2, 0.1), run("RGW", 2, -0.2),
        run("Mean", 3, -1e-9),
        run("Mean", 4, -0.5, "diverged"), run("CAGrad", 4, -0.5), run("Mean", 5, -math.inf),
    ]  # fmt: skip
    runs = pd.DataFrame(found, columns=["aggregator", "seed", "worst_margin", "state"])
    assert conflict_share(runs, 1e-6) == pytest.approx(2 / 3)
    assert math.isnan(conflict_share(runs[5:], 1e-6))


def test_trainings_go_by_their_runs_and_pages_say_how(tmp_path: Path) -> None:
    records = [
        analytic("Mean", "ZeroSum", worst_margin=0.0),
        analytic("Mean", "Schaffer", worst_margin=0.1),
        *(training("Mean", seed=seed, worst_margin=margin) for seed, margin in ((1, -0.2), (2, 0.2))),
    ]
    store = write_store(tmp_path / "s.sqlite", records)
    found = read(store).table("traits").set_index("problem")
    assert found.loc["IWRM-digits", "conflict"] == 0.5
    assert found["traits"].str.contains("conflicting").all()
    out = write_report(store, tmp_path / "out").parent
    pages = {name: words(page) for name, page in read_pages(out).items()}
    assert "oppose each other at 100 % of the points sampled" in pages["problem-ZeroSum.html"]
    assert "In 50 % of the seeds an update of Mean or RGW" in pages["problem-IWRM-digits.html"]
