"""The engine's benchmarks: they time what is right, and their tables say what they must."""

import functools
import sys

import pytest
import torch

from benchmarks import engine_checks, engine_models
from benchmarks.engine_networks import KINDS, SEQUENCES, case
from jdbench.aggregators import Mean

pytest.importorskip("torchjd", reason='needs the extra "bench": pip install "jdbench[bench]"')


@pytest.mark.parametrize("kind", KINDS)
def test_both_engines_find_the_gramian_of_a_backward_pass_a_loss(kind: str) -> None:
    for method in ("engine", "autogram"):
        assert "WRONG" not in engine_models.remark(method, kind)


def test_a_wrong_gramian_is_remarked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        engine_models.Halves, "gramian", lambda _: 1.001 * engine_models.exact_gramian(case("RNN"))
    )
    assert "ENGINE IS WRONG BY 1.0e-03" in engine_models.remark("engine", "RNN")


@pytest.mark.parametrize("kind", ["ViT", "several inputs", "GRU"])
def test_all_methods_take_one_step(kind: str) -> None:
    """Up to the scale: Mean's weights are 1/m of every loss, as those of the mean loss."""
    gradients: list[torch.Tensor] = []
    for method in engine_models.METHODS:
        made = case(kind)
        halves = engine_models.Halves(method, made, Mean())
        halves.forward()
        halves.backward()
        gradients.append(torch.cat([p.grad.flatten() for p in made.model.parameters() if p.grad is not None]))
    for gradient in gradients[1:]:
        rounding = len(gradient) * torch.finfo(torch.float32).eps
        assert float((gradient - gradients[0]).norm()) <= rounding * float(gradients[0].norm())


def test_the_tables_of_models(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--kinds", "perceptron", "encoder layer", "ViT", "--turns", "1", "--clock", "process"]
    monkeypatch.setattr(sys, "argv", ["engine_models", *arguments])
    engine_models.main()
    printed = capsys.readouterr().out
    assert f"{engine_models.THREADS} threads" in printed
    assert "backward <= 2.5: " in printed
    assert "step <= 3.0: " in printed
    assert printed.count(">= 0.95: ") == 3


@pytest.mark.parametrize(("took", "speed", "verdict"), [(2.0, "1.50", "met"), (4.0, "0.75", "MISSED")])
def test_speed_is_theirs_in_ours(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    took: float,
    speed: str,
    verdict: str,
) -> None:
    halves = {"engine": (took / 2, took / 2), "autogram": (1.0, 2.0)}
    monkeypatch.setattr(engine_models, "halved", lambda *_: halves)
    monkeypatch.setattr(sys, "argv", ["engine_models", "--kinds", "perceptron", "--against", "autogram"])
    engine_models.main()
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.split()[-6:] == ["ms", speed, f"{2 * 2 / took:.2f}", ">=", "0.95:", verdict]


@pytest.mark.parametrize(("took", "verdict"), [(5.0, "met"), (5.1, "MISSED")])
def test_an_encoder_layer_is_judged_by_its_backward_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], took: float, verdict: str
) -> None:
    monkeypatch.setattr(engine_models, "halved", lambda *_: {"plain": (1.0, 2.0), "engine": (9.0, took)})
    monkeypatch.setattr(sys, "argv", ["engine_models", "--kinds", "encoder layer", "--against", "plain"])
    engine_models.main()
    assert capsys.readouterr().out.endswith(f"backward <= 2.5: {verdict}\n")


@pytest.mark.parametrize(("first", "verdict"), [(1.04, "met"), (1.06, "MISSED")])
def test_what_checks_cost_is_judged(monkeypatch: pytest.MonkeyPatch, first: float, verdict: str) -> None:
    monkeypatch.setattr(engine_checks, "peak_of_checks", lambda _, check: 3 * 2**20 if check else 2**21)
    monkeypatch.setattr(
        engine_checks, "seconds", lambda *_: {False: [0.25, 0.75], "first": [0.25, first - 0.25]}
    )
    _, line = engine_checks.report(["SVHN"], 2, 1, lambda: 0.0)
    assert line.split()[2:] == [
        *("1.000", "s", f"{first:.3f}", "s", f"{100 * first - 100:.1f}", "%", verdict),
        *("2.0", "MiB", "3.0", "MiB", "x1.50"),
    ]


def test_what_autogram_refuses_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such model")

    monkeypatch.setattr("benchmarks.engine_models.autogram.Engine", refuse)
    monkeypatch.setattr(sys, "argv", ["engine_models", "--kinds", "RNN", "--against", "autogram"])
    engine_models.main()
    assert "not supported by autogram: RuntimeError: no such model" in capsys.readouterr().out


def test_checked_steps_are_timed_at_lengths_that_vary() -> None:
    assert set(engine_checks.drawn("fixed", 9)) == {27}
    lengths = engine_checks.drawn("varying", 1000)
    assert set(lengths) == set(range(5, 51))  # that of the batch, 32, included
    taken = engine_checks.seconds("RNN", lengths[:3], 2, iter(range(10**6)).__next__)
    assert taken == {"first": [1, 1, 1], False: [1, 1, 1]}


def test_engines_check_as_they_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[object] = []
    backward = engine_checks.Engine.backward
    monkeypatch.setattr(
        engine_checks.Engine,
        "backward",
        lambda self, losses, aggregator, check: (
            checks.append(check) or backward(self, losses, aggregator, check=check)
        ),
    )
    engine_checks.seconds("RNN", [5, 6], 1, iter(range(10**6)).__next__)
    assert checks.count("first") == checks.count(False) == 4


def test_the_table_of_checks(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Peaks are measured in fresh processes, here once and not for both kinds of lengths."""
    monkeypatch.setattr(engine_checks, "peak_of_checks", functools.cache(engine_checks.peak_of_checks))
    arguments = ["--models", "RNN", "--steps", "2", "--rounds", "1", "--clock", "process"]
    monkeypatch.setattr(sys, "argv", ["engine_checks", *arguments])
    engine_checks.main()
    printed = capsys.readouterr().out
    assert [line.split()[:2] for line in printed.splitlines()[2:]] == [["RNN", "fixed"], ["RNN", "varying"]]
    assert printed.count(" MiB") == 4
    assert set(SEQUENCES) < set(engine_checks.MODELS)
