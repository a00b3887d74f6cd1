"""What a file of images holds: told by number and digest, whatever packed it, in runs, lists and pages."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from jdbench.cli.main import main
from jdbench.data import Arrays, contents, image_count
from jdbench.data.contents import digest
from jdbench.errors import DataError
from jdbench.problem import resolve_problem
from jdbench.problems import images, overlaid_digits
from jdbench.problems.images import labelled_images
from jdbench.report import write_report
from jdbench.runs import campaign
from jdbench.runs.campaign import run_campaign
from jdbench.runs.store import Store
from support.published_files import random_arrays
from support.report_stores import read_pages, training, words, write_store


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user's own files, empty."""
    folder = tmp_path / "own"
    folder.mkdir()
    monkeypatch.setenv("JDBENCH_DATA", str(folder))
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "none"))
    labelled_images.cache_clear()
    return folder


def svhn(own: Path, count: int, seed: int = 0) -> Arrays:
    arrays = random_arrays(count, (32, 32, 3), seed)
    np.savez(own / "svhn.npz", images=arrays.images, labels=arrays.labels)
    return arrays


def test_packing_changes_no_digest_and_every_image_and_label_does(own: Path) -> None:
    arrays = svhn(own, 30)
    first = contents("svhn")
    assert first == digest(arrays)
    assert first.images == image_count("svhn") == 30  # pyright: ignore
    plain = (own / "svhn.npz").read_bytes()
    np.savez_compressed(own / "svhn.npz", labels=arrays.labels, images=np.asfortranarray(arrays.images))
    assert (own / "svhn.npz").read_bytes() != plain
    assert contents("svhn") == first
    changed, relabelled = arrays.images.copy(), arrays.labels.copy()
    changed[7, 3, 2, 1] ^= 1
    relabelled[4] = (relabelled[4] + 1) % 10
    others = [
        Arrays(changed, arrays.labels),
        Arrays(arrays.images, relabelled),
        Arrays(*(a[:-1] for a in arrays)),
    ]
    assert len({digest(other).sha256 for other in [arrays, *others]}) == 4


def test_without_a_file_there_is_nothing_and_a_damaged_one_is_named(own: Path) -> None:
    assert contents("svhn") is None
    assert image_count("svhn") is None
    assert resolve_problem("IWRM-svhn").provenance() == ""
    (own / "svhn.npz").write_bytes(b"no images")
    assert image_count("svhn") is None
    with pytest.raises(DataError, match="required arrays images and labels"):
        contents("svhn")


@pytest.mark.parametrize(("count", "seen", "unseen"), [(1083, 1024, 59), (5000, 1024, 2048)])
def test_a_problem_says_how_many_images_it_holds_out(own: Path, count: int, seen: int, unseen: int) -> None:
    found = digest(svhn(own, count))
    train, held_out = images.split("svhn", 1)
    assert (len(train.inputs), len(held_out.inputs)) == (seen, unseen)
    assert resolve_problem("IWRM-svhn").provenance() == (
        f"{seen} images to train on, {unseen} held out; svhn.npz: {count} of 73257 images, "
        f"sha256 {found.sha256[:12]}"
    )


def test_digits_say_it_too() -> None:
    train, held_out = images.split("digits", 1)
    seen, unseen = len(train.inputs), len(held_out.inputs)
    assert seen + unseen == 1797
    for name in ("IWRM-digits", "IWMTL-digits"):
        assert resolve_problem(name).provenance() == (
            f"{seen} images to train on, {unseen} held out; all of scikit-learn's 1797 digits"
        )


def test_overlaid_digits_say_which_images_make_their_pairs(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = random_arrays(42, (28, 28, 1))
    np.savez(own / "mnist.npz", images=arrays.images, labels=arrays.labels)
    problem = resolve_problem("MultiDigits(images='mnist')")
    pools: list[int] = []
    pairs = overlaid_digits._pairs

    def counted(*arguments: object) -> object:
        pools.append(len(arguments[2]))  # pyright: ignore
        return pairs(*arguments)  # pyright: ignore

    monkeypatch.setattr(overlaid_digits, "_pairs", counted)
    task = problem.training(1)
    assert pools == [31, 11]
    assert problem.provenance().startswith(
        f"{len(task.images)} pairs of 31 images to train on, {len(task.test_images)} pairs of 11 others held "
        "out; mnist.npz: 42 of 60000 images, sha256 "
    )


def test_the_list_shows_how_many_are_here(
    own: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    svhn(own, 30)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["jdbench", "list", "datasets"])
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr().out
    assert "30 of 73257" in out
    assert "0 of 60000" in out
    assert "1797 of 1797" in out


def test_runs_store_what_they_were_trained_on(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the problems that ran, not of those that had been run before on other data."""
    monkeypatch.setattr(campaign, "local_executor", ThreadPoolExecutor)

    def go(problem: str) -> None:
        def run(groups: list[list[object]], *_: object) -> object:
            for group in groups:
                yield group, [training("Mean", problem)]

        monkeypatch.setattr(campaign, "run_batches", run)
        run_campaign(
            problems=[problem],
            aggregators=["Mean"],
            preset_name="quick",
            seeds=1,
            optimizer="descent",
            path=tmp_path / "store",
            workers=1,
            console=Console(quiet=True),
        )

    svhn(own, 1083)
    line = resolve_problem("IWRM-svhn").provenance()
    go("IWRM-svhn")
    go("EWQ")
    with Store(tmp_path / "store") as store:
        stored = store.environments()
    assert [facts.get("data of IWRM-svhn") for facts in stored] == [line, None]


def test_the_page_of_a_problem_shows_it(own: Path, tmp_path: Path) -> None:
    """What was stored with the runs, not what is here; without that what is here, with a word on it."""
    svhn(own, 1083)
    write_store(tmp_path / "store", [training("Mean", "IWRM-svhn")])
    write_report(tmp_path / "store", tmp_path / "unknown")
    text = words(read_pages(tmp_path / "unknown")["problem-IWRM-svhn.html"])
    assert "1024 images to train on, 59 held out; svhn.npz: 1083 of 73257 images" in text
    assert "found here, not stored with the runs" in text
    with Store(tmp_path / "store") as store:
        store.append([training("Mean", "IWRM-svhn", seed=2)], {"data of IWRM-svhn": "3 images <held> out"})
    write_report(tmp_path / "store", tmp_path / "known")
    text = words(read_pages(tmp_path / "known")["problem-IWRM-svhn.html"])
    assert "Data: 3 images <held> out." in text
    assert "found here" not in text
