"""What theory predicts: each prediction can hold, fail and be untold, by real runs and by planted records."""

import json
import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from jdbench.aggregators import UPGrad
from jdbench.analysis.findings import (
    FAILS,
    HOLDS,
    PREDICTIONS,
    UNTOLD,
    Answer,
    evidence_of,
    findings,
)
from jdbench.analysis.findings.descent import STALLS, STARTS, STEPS, of_theorem_1
from jdbench.analysis.findings.dials import cosine_to_mean
from jdbench.analysis.reading import results_of
from jdbench.cli.main import main
from jdbench.problem import AnalyticProblem, benchmark_problems, resolve_problem
from jdbench.runs.protocol import RunSpec
from jdbench.runs.record import Record
from jdbench.runs.runner import run_batch
from support.report_stores import write_store

DIALS = [f"CompetingTasks({dial})" for dial in ("cosine=1.0", "cosine=-0.9", "cosine=-0.9,scale=10.0")]
EVERYWHERE = "theorem-1-everywhere"
RESTING = ("UPGrad", "DualProj", "MGDA")


def at_reference(problem: str, aggregator: str) -> list[Record]:
    found = resolve_problem(problem)
    assert isinstance(found, AnalyticProblem)
    rate = found.reference_rate()
    assert rate is not None
    return run_batch([RunSpec(problem, aggregator, rate, seed, STEPS, trace=True) for seed in STARTS])


def training(problem: str, aggregator: str) -> list[Record]:
    return run_batch([RunSpec(problem, aggregator, 0.1, seed, 1) for seed in (1, 2)])


@pytest.fixture(scope="session")
def records() -> list[Record]:
    """Runs of the code under test: A.1's problem, the zero-sum game, and two tasks at three settings."""
    return [
        *(record for name in STALLS for record in at_reference("EWQ", name)),
        *(record for name in (*RESTING, "RGW") for record in at_reference("ZeroSum", name)),
        *(record for dial in DIALS for record in training(dial, "UPGrad")),
        *(record for name in ("Mean", "MGDA", "GradDrop") for record in training(DIALS[0], name)),
    ]


@pytest.fixture(scope="session")
def sound(records: list[Record]) -> dict[str, Answer]:
    evidence = evidence_of(results_of(records, presets=["full"]))
    return {one.name: answer for one, answer in findings(evidence).items()}


def answer_of(name: str, records: Iterable[Record]) -> Answer:
    """Judge one prediction."""
    judge = {one.name: one.judge for one in PREDICTIONS}[name]
    return judge(evidence_of(results_of(records, presets=["full"])))


def everywhere(records: list[Record]) -> list[Record]:
    """The records, with those of EWQ once more for every other problem that fulfils the assumptions."""
    own = [one for one in records if (one.spec.problem, one.spec.aggregator) == ("EWQ", "UPGrad")]
    names = [name for name in benchmark_problems(quick=False) if of_theorem_1(name) and name != "EWQ"]
    assert len(names) >= 8
    return [*records, *(replace(one, spec=replace(one.spec, problem=name)) for name in names for one in own)]


def test_names_are_unique_and_every_prediction_says_its_source() -> None:
    assert len({one.name for one in PREDICTIONS}) == len(PREDICTIONS) == 20
    assert all(one.statement and one.source for one in PREDICTIONS)


def test_every_prediction_holds_of_runs_of_this_code(records: list[Record], sound: dict[str, Answer]) -> None:
    assert sound[EVERYWHERE].told == UNTOLD
    found = {name: answer for name, answer in sound.items() if name != EVERYWHERE}
    assert {name: answer for name, answer in found.items() if answer.told != HOLDS} == {}
    assert all(answer.numbers and not answer.missing for answer in found.values())
    assert answer_of(EVERYWHERE, everywhere(records)).told == HOLDS


def test_without_runs_nothing_can_be_told_and_it_says_what_is_missing() -> None:
    unrelated = Record(
        RunSpec("ZDT1", "Mean", 0.1, 1, 3), "finished", 3, 0.0, {"area": 1, "start": 1, "final": 1}, {}
    )
    for answer in findings(evidence_of(results_of([unrelated]))).values():
        assert answer.told == UNTOLD
        assert "runs of" in answer.missing or "trainings" in answer.missing


def planted(
    records: Iterable[Record],
    problem: str,
    aggregator: str,
    change: Callable[[Record], Record | None],
    seed: int,
) -> list[Record]:
    """Records of which one is changed, or left out."""
    found: list[Record] = []
    changed = 0
    for one in records:
        mine = (one.spec.problem, one.spec.aggregator, one.spec.seed) == (problem, aggregator, seed)
        new = change(one) if mine else one
        changed += mine
        found += [] if new is None else [new]
    assert changed == 1
    return found


def indicators(**values: float) -> Callable[[Record], Record]:
    return lambda record: replace(record, indicators={**record.indicators, **values})


def growing(record: Record) -> Record:
    return replace(
        record, curves={**record.curves, "weights": np.geomspace(1, 100, len(record.curves["steps"]))}
    )


def huge(record: Record) -> Record:
    return replace(record, curves={**record.curves, "weights": np.full(len(record.curves["steps"]), 1e4)})


def lost(record: Record) -> Record:
    return replace(
        record, state="diverged", indicators={**record.indicators, "final": math.inf, "area": math.inf}
    )


def gone(record: Record) -> None:  # noqa: ARG001
    return None


FAR = indicators(final=1.0, start=1.0, stationarity_relative=0.5, stationarity_of_start=0.5)

WRONG = [
    ("theorem-1-converges", "EWQ", "UPGrad", indicators(final=1.0, start=1.0), 3),
    ("theorem-1-converges", "EWQ", "UPGrad", lost, 3),
    ("theorem-1-converges", "EWQ", "UPGrad", indicators(final=math.nan), 3),
    ("theorem-1-bounded-weights", "EWQ", "UPGrad", growing, 1),
    ("theorem-1-bounded-weights", "EWQ", "UPGrad", huge, 1),
    *((f"a1-stops-{name}", "EWQ", name, FAR, 5) for name in STALLS),
    ("a1-mgda-stalls-far", "EWQ", "MGDA", indicators(final=0.0), 1),
    ("a1-mgda-stalls-far", "EWQ", "MGDA", indicators(final=0.05, start=1.0), 1),
    ("a1-aligned-mtl-is-slow", "EWQ", "AlignedMTL", indicators(**{"steps_to_1e-3": 9.0}), 1),
    *((f"zero-sum-rests-{name}", "ZeroSum", name, indicators(path_length=1e-300), 8) for name in RESTING),
    ("zero-sum-rests-UPGrad", "ZeroSum", "UPGrad", indicators(path_length=math.nan), 8),
    ("zero-sum-moves-RGW", "ZeroSum", "RGW", indicators(path_length=0.0), 8),
    ("dial-aligned", DIALS[0], "GradDrop", indicators(mean_cosine=1 - 1e-9), 2),
    ("dial-equal-norms", DIALS[1], "UPGrad", indicators(cosine_at_start=1 - 1e-9), 2),
    ("dial-unequal-norms", DIALS[2], "UPGrad", indicators(cosine_at_start=0.44), 2),
    ("dial-unequal-norms", DIALS[2], "UPGrad", indicators(mean_cosine=0.999), 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "problem", "aggregator", "change", "seed"), WRONG)
def test_a_planted_record_makes_its_prediction_fail(
    records: list[Record],
    sound: dict[str, Answer],
    name: str,
    problem: str,
    aggregator: str,
    change: Callable[[Record], Record],
    seed: int,
) -> None:
    assert sound[name].told == HOLDS
    answer = answer_of(name, planted(records, problem, aggregator, change, seed))
    assert answer.told == FAILS
    assert answer.numbers["violated by"]


def test_every_prediction_was_made_to_fail() -> None:
    assert {one.name for one in PREDICTIONS} == {EVERYWHERE, *(case[0] for case in WRONG)}


@pytest.mark.parametrize(
    ("change", "said"),
    [(gone, "CQF: not from the starts 3"), (lost, "CQF from start 3 diverged")],
    ids=["missing", "diverged"],
)
def test_a_start_that_was_not_run_to_its_end_is_a_failure(
    records: list[Record], change: Callable[[Record], Record | None], said: str
) -> None:
    answer = answer_of(EVERYWHERE, planted(everywhere(records), "CQF", "UPGrad", change, 3))
    assert (answer.told, answer.numbers["violated by"]) == (FAILS, said)


def test_a_problem_that_was_run_at_other_rates_alone_is_a_failure(records: list[Record]) -> None:
    selected = replace(records[0], spec=RunSpec("CQF", "UPGrad", 0.1, 1, 3))
    answer = answer_of(EVERYWHERE, [*records, selected])
    assert answer.told == FAILS
    assert "CQF: not from the starts 1, 2, 3, 4, 5, 6, 7, 8" in str(answer.numbers["violated by"])


@pytest.mark.parametrize("name", [one.name for one in PREDICTIONS if one.name.startswith("a1-")])
def test_with_fewer_starts_the_stalls_cannot_be_told(records: list[Record], name: str) -> None:
    answer = answer_of(name, [one for one in records if one.spec.seed != 7])
    assert answer.told == UNTOLD
    assert "from eight starts" in answer.missing


def test_short_runs_do_not_show_whether_weights_stop_growing(records: list[Record]) -> None:
    short: list[Record] = []
    for one in records:
        if one.spec.trace:
            early = one.curves["steps"] <= 800
            short.append(replace(one, curves={name: one.curves[name][early] for name in ("steps", "weights")}))
    answer = answer_of("theorem-1-bounded-weights", short)
    assert (answer.told, answer.missing) == (UNTOLD, "runs of more than 800 steps")


def test_weights_without_a_finite_norm_in_the_first_half_fail(records: list[Record]) -> None:
    spoilt: list[Record] = []
    for one in records:
        if (one.spec.problem, one.spec.aggregator) == ("EWQ", "UPGrad"):
            steps = one.curves["steps"]
            weights = np.where(steps <= steps.max() / 2, np.inf, one.curves["weights"])
            spoilt.append(replace(one, curves={**one.curves, "weights": weights}))
    answer = answer_of("theorem-1-bounded-weights", spoilt)
    assert answer.told == FAILS
    assert "EWQ: no finite norm up to step" in str(answer.numbers["violated by"])


def test_weights_may_grow_large_only_where_one_point_minimises_everything(records: list[Record]) -> None:
    large = [huge(one) for one in records if (one.spec.problem, one.spec.aggregator) == ("EWQ", "UPGrad")]

    def told(problem: str) -> str:
        renamed = [replace(one, spec=replace(one.spec, problem=problem)) for one in large]
        return answer_of("theorem-1-bounded-weights", renamed).told

    assert told("InstanceLeastSquares(m=2,n=4)") == HOLDS
    assert told("InstanceLeastSquares(m=4,n=2)") == FAILS


def test_names_in_a_store_are_not_imported(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "trap.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    strange = replace(records[0], spec=replace(records[0].spec, problem="trap:Problem", aggregator="trap:A"))
    exact = replace(strange, spec=replace(strange.spec, aggregator="UPGrad"))
    assert answer_of("theorem-1-converges", [*records, strange, exact]).told == HOLDS
    assert not Path("imported").exists()


@pytest.mark.parametrize("cosine", [0.5, 0.0, -0.5, -0.9])
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_the_cosine_by_hand_is_upgrads(cosine: float, scale: float) -> None:
    J = torch.tensor([[1.0, 0.0], [scale * cosine, scale * (1 - cosine**2) ** 0.5]], dtype=torch.float64)
    found = torch.cosine_similarity(UPGrad()(J), J.sum(0), dim=0)
    assert cosine_to_mean(cosine, scale) == pytest.approx(float(found), abs=1e-14)


def test_the_command_prints_every_prediction_and_exits_by_what_fails(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def call(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["jdbench", "findings", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    write_store(tmp_path / "sound.sqlite", records)
    write_store(tmp_path / "wrong.sqlite", planted(records, "EWQ", "UPGrad", FAR, 3))
    code, out, _ = call("--store", "sound.sqlite", "--json", "found.json")
    assert code in {0, None}
    assert all(one.name in out for one in PREDICTIONS)
    assert "sound.sqlite: 19 hold, 0 fail, 1 cannot be told" in out
    said = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert [one["name"] for one in said] == [one.name for one in PREDICTIONS]
    assert {one["told"] for one in said} == {HOLDS, UNTOLD}

    code, out, _ = call("--store", "wrong.sqlite")
    assert code == 1
    assert "wrong.sqlite: 17 hold, 2 fail, 1 cannot be told" in out
    assert "start 3 ends at 1" in " ".join(out.split())

    for bad, message in {
        ("--store", "none.sqlite"): "store=none.sqlite, required a file of records",
        (): "store=results/quick.sqlite, required a file of records",
        ("--store", "sound.sqlite", "--json", "no/where.json"): "json=no/where.json, required a file to write",
    }.items():
        code, out, err = call(*bad)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
