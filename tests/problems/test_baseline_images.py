"""Baselines stand for the images they were measured on: with others there is no Δm%, and a line says so."""

import io
import json
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console

from jdbench.data import Arrays, contents
from jdbench.data.contents import digest
from jdbench.problem import TrainingProblem, resolve_problem
from jdbench.problems import baseline_images, baselines, single_task
from jdbench.problems.images import GREY, labelled_images
from jdbench.rounding import gamma
from jdbench.runs import campaign
from jdbench.runs.campaign import run_campaign
from jdbench.runs.training_indicators import indicators_at_end
from support.published_files import random_arrays

SPEC = "MultiDigits(images='mnist')"


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Arrays:
    """Forty images that are not those of the stored baselines."""
    folder = tmp_path / "own"
    folder.mkdir()
    arrays = random_arrays(40, (28, 28, 1))
    np.savez(folder / "mnist.npz", images=arrays.images, labels=arrays.labels)
    monkeypatch.setenv("JDBENCH_DATA", str(folder))
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "none"))
    labelled_images.cache_clear()
    return arrays


def stored(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the stored baselines those of some images."""
    images, sha256 = digest(arrays)
    known = single_task.content() | {"images": {"mnist": {"images": images, "sha256": sha256}}}
    monkeypatch.setattr(baseline_images, "content", lambda: known)


def problem() -> TrainingProblem:
    found = resolve_problem(SPEC)
    assert isinstance(found, TrainingProblem)
    return found


def indicators() -> dict[str, float]:
    return indicators_at_end(torch.ones(2), torch.tensor([0.5, 0.5]), problem().measures)


@pytest.mark.usefixtures("mnist")
def test_on_other_images_there_is_no_change_against_baselines() -> None:
    assert [measure.baseline for measure in problem().measures] == [None, None]
    assert "delta_m" not in indicators()
    assert {"held_out: left above: accuracy", "held_out: right below: accuracy"} < set(indicators())
    line = problem().caution()
    facts = json.loads(files("jdbench.problems").joinpath("baselines.json").read_text("utf-8"))["images"][
        "mnist"
    ]
    assert "\n" not in line
    assert f"({facts['images']} images, sha256 {facts['sha256'][:12]})" in line
    assert f"got {contents('mnist')}" in line
    assert "`make baselines`" in line


def test_on_the_same_images_there_is(mnist: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    stored(mnist, monkeypatch)
    assert problem().caution() == ""
    known = single_task.stored()[problem().key]  # pyright: ignore
    assert [measure.baseline for measure in problem().measures] == list(known.values())
    worse = [100 * (value - 0.5) / value for value in known.values()]
    # Accuracies are float32, the rest is a difference, a quotient, a factor and a mean of two.
    assert indicators()["delta_m"] == pytest.approx(sum(worse) / 2, rel=gamma(8, torch.float32))


@pytest.mark.usefixtures("mnist")
def test_the_command_says_so_once_before_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "_run_missing", lambda *_: [])
    said = io.StringIO()
    run_campaign(
        problems=[SPEC, "MultiDigits", "EWQ"],
        aggregators=["Mean"],
        preset_name="quick",
        seeds=1,
        optimizer="descent",
        path=tmp_path / "store",
        workers=1,
        console=Console(file=said, width=1000),
    )
    assert [line for line in said.getvalue().splitlines() if line.startswith("caution")] == [
        f"caution: {SPEC}: {problem().caution()}"
    ]


def test_what_was_never_measured_has_nothing_to_say(mnist: Arrays) -> None:
    other = resolve_problem("MultiDigits(images='mnist',batch_size=16)")
    assert other.caution() == ""  # pyright: ignore
    assert contents("mnist") == digest(mnist)


def test_measuring_anew_stores_the_images_that_are_here_and_keeps_the_others(mnist: Arrays) -> None:
    before = single_task.content()["images"]
    assert set(before) == {"mnist", "fashion_mnist"}
    images, sha256 = digest(mnist)
    expected = {"mnist": {"images": images, "sha256": sha256}, "fashion_mnist": before["fashion_mnist"]}
    assert baseline_images.facts(GREY) == expected


@pytest.mark.usefixtures("mnist")
def test_the_script_writes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "measure", dict)
    monkeypatch.setattr("sys.argv", ["baselines", str(tmp_path / "new.json")])
    baselines.main()
    new = json.loads((tmp_path / "new.json").read_text("utf-8"))
    old = json.loads(files("jdbench.problems").joinpath("baselines.json").read_text("utf-8"))
    assert list(new) == list(old)
    assert new["images"] == baseline_images.facts(GREY)
    assert new["images"]["mnist"] != old["images"]["mnist"]
