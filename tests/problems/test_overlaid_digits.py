"""MultiDigits: what lies where, which images are used, and what a row of the Jacobian covers."""

from pathlib import Path

import numpy as np
import pytest
import torch

from jdbench.errors import DataError, InputError, UnknownNameError
from jdbench.problem import resolve_problem
from jdbench.problems.images import available_grey_images, labelled_images
from jdbench.problems.overlaid_digits import overlay
from support.trainings import training


def test_one_image_lies_left_above_and_the_other_right_below() -> None:
    first, second = torch.zeros(1, 7, 7), torch.zeros(1, 7, 7)
    first[0, 0, 0], first[0, 6, 6] = 1.0, 0.5
    second[0, 0, 0], second[0, 6, 6] = 0.25, 1.0
    second[0, 4, 4] = 0.75
    canvas = overlay(first, second)
    assert canvas.shape == (1, 9, 9)
    inked = {(int(i), int(j)): float(canvas[0, i, j]) for i, j in canvas[0].nonzero()}
    # (6, 6) holds 0.5 of the first and 0.75 of the second: the darker counts.
    assert inked == {(0, 0): 1.0, (2, 2): 0.25, (6, 6): 0.75, (8, 8): 1.0}


def test_a_head_is_trained_by_its_own_task_alone() -> None:
    task = training("MultiDigits")
    J = task.evaluate(task.parameters.unsqueeze(0), 0).jacobian[0]
    left, right, shared = (task.model.columns(part) for part in ("left", "right", "trunk"))
    assert int(left.sum()) == int(right.sum()) == 330
    assert bool((left | right | shared).all())
    assert bool((J[0, right] == 0).all())
    assert bool((J[1, left] == 0).all())
    for row, own in ((0, left), (1, right)):
        assert float(J[row, own].norm()) > 0
        assert float(J[row, shared].norm()) > 0


def test_training_pairs_and_held_out_pairs_share_no_image() -> None:
    """With images told apart by one grey level each, the levels seen in both parts would meet."""
    from jdbench.problems import overlaid_digits

    levels = torch.arange(1, 41, dtype=torch.float32)
    images = levels[:, None, None].expand(-1, 7, 7)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(40, generator=generator)
    train = overlaid_digits._pairs(images, torch.arange(40), order[:30], 200, generator)
    test = overlaid_digits._pairs(images, torch.arange(40), order[30:], 200, generator)
    assert set(train[1].flatten().tolist()) == set(order[:30].tolist())
    assert set(test[1].flatten().tolist()) == set(order[30:].tolist())
    # The corners show either image alone: the labels are those of what lies there.
    assert torch.equal(train[0][:, 0, 0, 0], levels[train[1][0]])
    assert torch.equal(train[0][:, 0, -1, -1], levels[train[1][1]])


def test_images_come_from_the_folder_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labelled_images.cache_clear()
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    monkeypatch.setenv("JDBENCH_CACHE", str(tmp_path / "none"))
    assert available_grey_images() == ("digits",)
    assert "JDBENCH_DATA" in resolve_problem("MultiDigits(images='mnist')").absence()
    with pytest.raises(DataError, match=r"mnist.*JDBENCH_DATA"):
        labelled_images("mnist")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 28, 28, 1), dtype=np.uint8)
    np.savez_compressed(tmp_path / "mnist.npz", images=images, labels=np.arange(60) % 10)
    monkeypatch.setenv("JDBENCH_DATA", str(tmp_path))
    assert available_grey_images() == ("digits", "mnist")
    found, labels = labelled_images("mnist")
    assert torch.equal(found, torch.from_numpy(images[..., 0]).float() / 255)
    assert labels.tolist() == (np.arange(60) % 10).tolist()
    task = resolve_problem("MultiDigits(images='mnist')").training(1)
    assert task.images.shape == (1024, 1, 18, 18)
    labelled_images.cache_clear()


def test_unusable_keywords_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="did you mean mnist"):
        resolve_problem("MultiDigits(images='mnits')")
    with pytest.raises(InputError, match="batch_size=0, required an integer from 1 to 1024"):
        resolve_problem("MultiDigits(batch_size=0)")
