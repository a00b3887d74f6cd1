"""The capture of gradients: factors are those of the Jacobian, the same every time, and what lacks is said."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import capture
from jdbench.rounding import gamma
from jdbench.verification.captured import Snapshot, save, snapshots, triangular


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(0, 256, (64, 28, 28, 1), dtype=np.uint8)
    np.savez(tmp_path / "mnist.npz", images=images, labels=np.arange(64) % 10)
    images = np.random.default_rng(0).integers(0, 256, (64, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "cifar10.npz", images=images, labels=np.arange(64) % 10)
    return tmp_path


@pytest.mark.parametrize(("network", "n"), [("MNIST", 130_890), ("CIFAR-10", 134_666)])
def test_a_training_repeats_itself_and_its_factors_are_the_jacobians(
    folder: Path, network: str, n: int
) -> None:
    images, labels = capture.images_of(network, str(folder))
    assert float(images.mean((0, 2, 3)).abs().max()) < gamma(images.numel())
    runs = [list(itertools.islice(capture.train(network, images, labels, 0.02, 3), 3)) for _ in range(2)]
    for (step, loss, J), again in zip(*runs, strict=True):
        assert (step, loss) == again[:2]
        assert torch.equal(J, again[2])
        assert J.shape == (32, n)
        L, norms = triangular(J), J.norm(dim=-1)
        error = (L @ L.T - J @ J.T).abs() / torch.outer(norms, norms)
        assert float(error.max()) <= gamma(32 * n)  # Higham (2002), Theorem 19.4
        assert not L.triu(1).any()


def test_a_factor_keeps_rows_that_a_gramian_loses() -> None:
    J = torch.tensor([[1.0, 0, 0], [3e-13, 4e-13, 0], [0, 3e-140, 4e-140]], dtype=torch.float64)
    L = triangular(J)
    scales = torch.tensor([1, 1e13, 1e140], dtype=torch.float64).unsqueeze(-1)
    expected = torch.tensor([[1.0, 3, 0], [3, 25, 12], [0, 12, 25]], dtype=torch.float64)
    error = (scales * L @ (scales * L).T - expected).abs() / torch.outer(*[expected.diagonal().sqrt()] * 2)
    # Higham (2002), Theorem 19.4, and the rounding of entries, scales and their products.
    assert float(error.max()) <= gamma(J.numel()) + gamma(2 * 3)


def test_what_is_saved_is_read(tmp_path: Path) -> None:
    taken = [
        Snapshot(network, step, torch.eye(2, dtype=torch.float64) * (step + 1))
        for network, step in (("MNIST", 0), ("SVHN", 7))
    ]
    save(taken, tmp_path / "file.npz", rates={"MNIST": 0.5, "SVHN": 0.1}, seed=1)
    for one, other in zip(snapshots(tmp_path / "file.npz"), taken, strict=True):
        assert (one.network, one.step) == (other.network, other.step)
        assert torch.equal(one.factor, other.factor)
        assert (one.decades, one.condition, one.conflicting) == (0, 1, 0)


@pytest.mark.parametrize("data", [None, "/nowhere"])
def test_missing_data_is_one_line(
    data: str | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JDBENCH_DATA", raising=False)
    if data:
        monkeypatch.setenv("JDBENCH_DATA", data)
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # this process goes on with other tests
    assert capture.main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"JDBENCH_DATA={data!r}, required a folder with svhn.npz")
    assert len(said.splitlines()) == 1
