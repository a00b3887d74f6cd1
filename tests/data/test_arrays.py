"""A data set is found where the environment says, and is what it should be; if not, both ways out are said."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from jdbench.cli.main import main
from jdbench.data import DATASETS, Arrays, absence, dataset, locate
from jdbench.errors import DataError, InputError, UnknownNameError
from support.published_files import random_arrays

ARRAYS = random_arrays(5, (28, 28, 1))


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("JDBENCH_DATA", str(folder))
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "cache"))
    return folder


def write(folder: Path, images: object = ARRAYS.images, labels: object = ARRAYS.labels) -> None:
    folder.mkdir(exist_ok=True)
    np.savez(folder / "mnist.npz", images=images, labels=labels)  # pyright: ignore


def test_own_files_come_before_the_cache(own: Path, tmp_path: Path) -> None:
    other = random_arrays(3, (28, 28, 1), seed=1)
    write(tmp_path / "cache", *other)
    np.testing.assert_array_equal(dataset("mnist").images, other.images, strict=True)
    write(own)
    found = dataset("mnist")
    np.testing.assert_array_equal(found.images, ARRAYS.images, strict=True)
    np.testing.assert_array_equal(found.labels, ARRAYS.labels, strict=True)
    assert locate("mnist") == own / "mnist.npz"
    assert dataset("mnist") is found  # read once
    with pytest.raises(ValueError, match="read-only"):
        found.images[0] = 0


def test_nowhere_says_both_ways_out(own: Path) -> None:
    assert locate("kmnist") is None
    with pytest.raises(DataError) as error:
        dataset("kmnist")
    assert str(error.value) == absence("kmnist")
    for part in (str(own), "`jdbench data prepare kmnist`", "set JDBENCH_DATA to a folder"):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


def test_a_folder_that_is_none_is_an_error(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JDBENCH_DATA", str(own / "missing"))
    with pytest.raises(InputError, match=r"JDBENCH_DATA=.*missing, required a folder, got none"):
        dataset("mnist")


def test_unknown_names_get_a_hint() -> None:
    with pytest.raises(UnknownNameError, match="did you mean cifar10"):
        dataset("cifar100")


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (ARRAYS.images.astype(np.int16), ARRAYS.labels),
        (ARRAYS.images.astype(np.float32) / 255, ARRAYS.labels),
        (ARRAYS.images[..., 0], ARRAYS.labels),
        (ARRAYS.images[:, :27], ARRAYS.labels),
        (ARRAYS.images.repeat(3, -1), ARRAYS.labels),
        (ARRAYS.images[:4], ARRAYS.labels),
        (ARRAYS.images[:0], ARRAYS.labels[:0]),
        (ARRAYS.images, ARRAYS.labels.astype(np.uint8)),
        (ARRAYS.images, ARRAYS.labels[:, None]),
        (ARRAYS.images, ARRAYS.labels + 10),
        (ARRAYS.images, ARRAYS.labels - 10),
    ],
    ids=["int16", "float", "no channel", "27 rows", "RGB", "4 of 5", "none", "uint8", "column", "10", "-1"],
)
def test_arrays_of_another_kind_are_refused(own: Path, images: np.ndarray, labels: np.ndarray) -> None:
    write(own, images, labels)
    with pytest.raises(DataError, match=r"mnist\.npz, required images uint8 \[N, 28, 28, 1\]"):
        dataset("mnist")


def test_more_images_than_the_split_has_are_refused(own: Path) -> None:
    count = DATASETS["mnist"].count + 1
    write(own, np.zeros((count, 28, 28, 1), np.uint8), np.zeros(count, np.int64))
    with pytest.raises(DataError, match="N of 1 to 60000"):
        dataset("mnist")


class Trap:
    """Unpickling it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path(self.path),)  # pyright: ignore


def test_nothing_is_unpickled(own: Path) -> None:
    sprung = own / "sprung"
    pickle.loads(pickle.dumps(Trap(sprung)))
    assert sprung.exists()  # the trap works
    sprung.unlink()
    write(own, np.array([Trap(sprung)], dtype=object))
    with pytest.raises(DataError, match="required arrays images and labels in an npz file, got ValueError"):
        dataset("mnist")
    (own / "mnist.npz").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(DataError, match="required arrays images and labels"):
        dataset("mnist")
    assert not sprung.exists()


@pytest.mark.parametrize("how", ["truncated", "text", "one array", "npy", "empty"])
def test_damaged_files_are_refused(own: Path, how: str) -> None:
    path = own / "mnist.npz"
    write(own)
    if how == "truncated":
        path.write_bytes(path.read_bytes()[:-40])
    elif how == "text":
        path.write_text("no archive")
    elif how == "one array":
        np.savez(path, images=ARRAYS.images)
    elif how == "empty":
        path.write_bytes(b"")
    else:
        with path.open("wb") as file:
            np.save(file, ARRAYS.images)
    with pytest.raises(DataError, match="required arrays images and labels in an npz file"):
        dataset("mnist")


def test_digits_need_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JDBENCH_DATA", "/nowhere/at/all")
    images, labels = found = dataset("digits")
    assert isinstance(found, Arrays)
    assert (images.shape, images.dtype, labels.dtype) == ((1797, 8, 8, 1), np.uint8, np.int64)
    assert (images.max(), set(labels)) == (16, set(range(10)))
    assert absence("digits") == ""


@pytest.mark.usefixtures("own")
def test_runs_on_absent_data_stop_if_asked_for_and_are_left_out_if_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from jdbench.runs import campaign

    def run(*problems: str) -> tuple[int, str]:
        names = [part for problem in problems for part in ("-p", problem)]
        store = str(tmp_path / "s.sqlite")
        arguments = ["jdbench", "run", *names, "-a", "Mean", "--seeds", "1", "--workers", "1", "--store", store]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), capsys.readouterr().err

    code, errors = run("IWRM-mnist")
    assert (code, errors.count("\n")) == (2, 1)
    assert "problem='IWRM-mnist': data='mnist', required mnist.npz" in errors
    assert not (tmp_path / "s.sqlite").exists()
    monkeypatch.setattr(campaign, "benchmark_problems", lambda _: ["EWQ", "IWRM-mnist"])
    code, errors = run()
    assert code == 0
    assert "left out: IWRM-mnist: data='mnist', required mnist.npz" in " ".join(errors.split())
