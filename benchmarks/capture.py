"""Gradients of real networks, captured for the verification: ``python -m benchmarks.capture``.

Trains the networks of [JD] Tables 2 to 5 on 1024 images each of their data sets by stochastic sub-Jacobian
descent on the instance losses ([JD] Section 3) with the exact UPGrad, and stores the factors of some batches'
Gramians. It needs both the library and the zoo, which the library never names: hence it stands here, run from
the repository's root.
"""

import argparse
import itertools
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from jdbench.aggregators import UPGrad
from jdbench.errors import InputError
from jdbench.problems.networks import NETWORKS
from jdbench.verification.captured import FILE, Snapshot, save, triangular

SUBSET, BATCH = 1024, 32
"""Images and batch size of [JD] Section 5."""

RATES = {"SVHN": 0.01, "CIFAR-10": 0.02, "EuroSAT": 0.02, "MNIST": 0.02}
"""They train: on MNIST the mean loss of an epoch falls from 2.2 to 0.15 nats in ten epochs.

At 0.02 that of SVHN grows without end before step 320.
"""

STEPS = (0, 10, 40, 80, 160, 320)
SEED = 0


def images_of(network: str, folder: str | None) -> tuple[Tensor, Tensor]:
    """Return the images, each channel normalised over the whole file ([JD] D.6), and the labels.

    Args:
        network: Out of `NETWORKS`.
        folder: Folder of ``svhn.npz``, ``cifar10.npz``, ``eurosat.npz`` and ``mnist.npz`` with ``images``
            (uint8, ``[N, H, W, C]``) and ``labels`` (``[N]``).

    Returns:
        Images, shape ``[N, C, H, W]``, float64, and labels, shape ``[N]``, int64.

    Raises:
        InputError: There is no such file.
    """
    file = Path(folder or "") / f"{network.lower().replace('-', '')}.npz"
    if not folder or not file.is_file():
        raise InputError(
            f"JDBENCH_DATA={folder!r}, required a folder with {file.name}, got none, set it to that of the data"
        )
    with np.load(file) as arrays:
        images = torch.from_numpy(arrays["images"]).to(torch.float64).permute(0, 3, 1, 2)
        labels = torch.from_numpy(arrays["labels"])
    channel = (0, 2, 3)
    return (images - images.mean(channel, keepdim=True)) / images.std(channel, keepdim=True), labels


def batches(size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield the indices of one batch after another, each epoch in a new order."""
    while True:
        yield from torch.randperm(size, generator=generator).split(BATCH)


def train(
    network: str, images: Tensor, labels: Tensor, rate: float, seed: int
) -> Iterator[tuple[int, float, Tensor]]:
    """Yield at every step, without end, its number, the mean loss of its batch and the batch's Jacobian.

    Args:
        network: Out of `NETWORKS`.
        images: Examples, shape ``[N, C, H, W]``.
        labels: Classes, shape ``[N]``.
        rate: Learning rate.
        seed: Seed of the initial weights, of the subset and of the batches.

    Yields:
        Step, loss in nats and Jacobian, shape ``[32, n]``; the descent goes on once the next is asked for.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = NETWORKS[network].build().to(torch.float64)
    x: dict[str, Tensor] = {name: p.detach().clone() for name, p in model.named_parameters()}
    sizes = [p.numel() for p in x.values()]

    def loss(x: dict[str, Tensor], image: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(model, x, image.unsqueeze(0))
        return nn.functional.cross_entropy(logits, label.unsqueeze(0))

    per_instance = vmap(grad_and_value(loss), in_dims=(None, 0, 0))
    generator = torch.Generator().manual_seed(seed)
    subset = torch.randperm(len(labels), generator=generator)[:SUBSET]
    for step, rows in enumerate(batches(len(subset), generator)):
        gradients, losses = per_instance(x, images[subset[rows]], labels[subset[rows]])
        J = torch.cat([g.flatten(1) for g in gradients.values()], -1)
        yield step, float(losses.mean()), J
        update = UPGrad()(J).split(sizes)
        x = {name: p - rate * u.view_as(p) for (name, p), u in zip(x.items(), update, strict=True)}


def capture(
    network: str, images: Tensor, labels: Tensor, rate: float, seed: int
) -> Iterator[tuple[float, Snapshot]]:
    """Yield the mean loss of the batch, in nats, and the snapshot at each of `STEPS`; see `train`."""
    for step, loss, J in itertools.islice(train(network, images, labels, rate, seed), STEPS[-1] + 1):
        if step in STEPS:
            yield loss, Snapshot(network, step, triangular(J))


def main(arguments: list[str] | None = None) -> int:
    """Capture, and write the file; return 0, or 2 if there is no data."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capture", description=__doc__)
    parser.add_argument("--out", type=Path, default=FILE, help="file to write, the packaged one by default")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--rate", type=float, help="learning rate, that of `RATES` by default")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of everything, %(default)s by default")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)  # the order of sums depends on it, and a training on the order of sums
    taken: list[Snapshot] = []
    for network in options.networks:
        try:
            images, labels = images_of(network, os.environ.get("JDBENCH_DATA"))
        except InputError as error:
            print(error, file=sys.stderr)
            return 2
        for loss, one in capture(network, images, labels, options.rate or RATES[network], options.seed):
            taken.append(one)
            print(
                f"{network:9} step {one.step:4d}  loss {loss:.4f}  decades {one.decades:5.2f}  "
                f"condition {one.condition:6.1f}  conflicting pairs {one.conflicting:.1%}",
                flush=True,
            )
    rates = {network: options.rate or RATES[network] for network in options.networks}
    save(taken, options.out, rates=rates, seed=options.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
