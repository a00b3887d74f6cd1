"""A user's own file of a data set, in the folder that JDBENCH_DATA names, is used instead of a download."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jdbench.cli.main import main
from jdbench.data import DATASETS, prepare
from support.published_files import random_arrays


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with twenty images of MNIST; nothing can be downloaded."""
    arrays = random_arrays(20, (28, 28, 1))
    folder = tmp_path / "own"
    folder.mkdir()
    np.savez_compressed(folder / "mnist.npz", images=arrays.images, labels=arrays.labels)
    monkeypatch.setenv("JDBENCH_DATA", str(folder))
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], files=()))
    return folder


def prepared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["jdbench", "data", "prepare", "mnist"])
    with pytest.raises(SystemExit) as end:
        main()
    printed = capsys.readouterr()
    return int(end.value.code or 0), printed.out, printed.err


def test_the_command_says_in_one_line_that_it_is_used(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = f"{own / 'mnist.npz'}: is used, 20 of 60000 images of MNIST; nothing to download\n"
    assert prepared(monkeypatch, capsys) == (0, line, "")
    assert not (tmp_path / "cache").exists()


def test_it_is_used_without_pooch(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    assert prepare(DATASETS["mnist"]) == own / "mnist.npz"


def test_a_damaged_one_is_named_and_exit_2(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (own / "mnist.npz").write_bytes(b"no images")
    code, out, err = prepared(monkeypatch, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"file={own / 'mnist.npz'}, required arrays images and labels" in err
