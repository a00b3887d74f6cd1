"""An aggregator that remembers its calls: a run comes out the same in any batch, and after going on."""

import importlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from jdbench.aggregators import UPGrad
from jdbench.descent.directions import MemberAggregators
from jdbench.errors import InputError
from jdbench.rounding import gamma
from jdbench.runs import campaign
from jdbench.runs.campaign import run_campaign
from jdbench.runs.protocol import PRESETS, Budget, RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batch
from jdbench.runs.store import Store

MODULE = '''\
"""Aggregators that remember."""


class Tiring:
    """The mean, divided by the number of calls so far."""

    def __init__(self):
        self.calls = 0

    def __call__(self, J):
        self.calls += 1
        return J.mean(0) / self.calls


class Unique(Tiring):
    """One that there is only one of."""

    def __deepcopy__(self, memo):
        raise RuntimeError("there is only one")


tiring = Tiring()
'''


@pytest.fixture
def remembering(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Name of a module of aggregators that remember, new for each test."""
    name = f"remembering_{abs(hash(tmp_path))}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def specs(aggregator: str, problem: str = "CQF", steps: int = 12, optimizer: str = "descent") -> list[RunSpec]:
    return [
        RunSpec(problem, aggregator, rate, seed, steps, optimizer) for rate in (0.05, 0.2) for seed in (1, 2)
    ]


def content(records: Sequence[Record]) -> dict[str, tuple[str, int, str, dict[str, bytes]]]:
    """How each run ended and its path, bit for bit, by key; indicators are taken from many paths at a time."""
    return {
        r.spec.key: (str(r.state), r.steps_taken, r.error, {n: v.tobytes() for n, v in r.curves.items()})
        for r in records
    }


@pytest.mark.parametrize("name", ["Tiring", "tiring"])
@pytest.mark.parametrize(("problem", "steps"), [("CQF", 12), ("Linnerud", 1)])
def test_alone_and_in_a_batch_a_run_is_the_same(remembering: str, name: str, problem: str, steps: int) -> None:
    """A class makes one a batch, an object is one for the process: neither may tell."""
    wanted = specs(f"{remembering}:{name}", problem, steps)
    whole = run_batch(wanted)
    assert {record.state for record in whole} == {"finished"}
    assert content(whole) == content([run_batch([spec])[0] for spec in reversed(wanted)])
    assert len({record.indicators["final"] for record in whole}) == len(wanted)


def test_steps_of_a_run_share_its_memory(remembering: str) -> None:
    """The k-th step of rate 1 on two objectives x²/4 takes the k-th part of x/2 off x."""
    (Path(importlib.import_module(remembering).__file__ or "").parent / "bowl.py").write_text(
        "import torch\nfrom jdbench.problem import AnalyticProblem\n\n\n"
        "class Bowl(AnalyticProblem):\n    family, source, m, n = 'convex', 'here', 2, 1\n\n"
        "    def objectives(self, x):\n        return (x**2 / 4).expand(*x.shape[:-1], 2)\n\n"
        "    def jacobian(self, x):\n        return (x / 2).unsqueeze(-1).expand(*x.shape[:-1], 2, 1)\n\n"
        "    def start(self, seed):\n        return torch.tensor([float(seed)], dtype=torch.float64)\n\n"
        "    def pareto_set(self, count):\n        return torch.zeros(1, 1, dtype=torch.float64)\n\n"
        "    def distance(self, x):\n        return x.abs().squeeze(-1)\n"
    )
    aggregator = f"{remembering}:Tiring"
    for record in run_batch([RunSpec("bowl:Bowl", aggregator, 1.0, seed, 4) for seed in (1, 2, 3)]):
        # x ← x - x/(2k): the shares that stay are 1/2, 3/4, 5/6 and 7/8.
        shares = np.cumprod([1, 1 / 2, 3 / 4, 5 / 6, 7 / 8])
        # Four steps, each rounded at most four times, and as many quotients and products expected.
        np.testing.assert_allclose(record.curves["distance"], record.spec.seed * shares, rtol=gamma(4 * 4 + 8))


def test_momentum_keeps_members_apart(remembering: str) -> None:
    wanted = specs("Mean", optimizer=f"HeavyBall(aggregator='{remembering}:tiring')")
    assert content(run_batch(wanted)) == content([run_batch([spec])[0] for spec in wanted])


def test_going_on_gives_what_one_go_gives(
    remembering: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process, in which the object of the module would remember the first go."""
    monkeypatch.setattr(campaign, "local_executor", ThreadPoolExecutor)
    few = replace(PRESETS["quick"], analytic=Budget(12, (0.1, 0.3, 1.0)), reference_steps=12)
    monkeypatch.setitem(PRESETS, "quick", few)

    def run(store: str, seeds: int) -> None:
        failures = run_campaign(
            problems=["CQF"],
            aggregators=[f"{remembering}:tiring"],
            preset_name="quick",
            seeds=seeds,
            optimizer="descent",
            path=tmp_path / store,
            workers=1,
            console=Console(quiet=True),
        )
        assert failures == 0

    run("whole", 2)
    run("parts", 1)
    run("parts", 2)
    with Store(tmp_path / "whole") as whole, Store(tmp_path / "parts") as parts:
        assert content(list(whole.records())) == content(list(parts.records()))


def test_what_cannot_be_copied_fails_in_one_line(remembering: str) -> None:
    for record in run_batch(specs(f"{remembering}:Unique")):
        assert record.state == "failed"
        assert record.error == (
            "InputError: aggregator=Unique, required one that copy.deepcopy copies, a copy for each run, got "
            "RuntimeError: there is only one, give it a __deepcopy__ (m=2, n=2)"
        )
    unique = importlib.import_module(remembering).Unique()
    with pytest.raises(InputError, match="there is only one"):
        MemberAggregators(unique).of(0)


def test_the_original_is_never_handed_out_and_ours_is_one_for_all() -> None:
    original = torch.nn.Linear(2, 2)
    copies = MemberAggregators(original)
    assert copies.of(3) is copies.of(3)
    assert len({id(original), id(copies.of(3)), id(copies.of(5))}) == 3
    ours = UPGrad()
    assert MemberAggregators(ours).of(3) is MemberAggregators(ours).of(5) is ours
