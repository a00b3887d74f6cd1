"""Time of a training step on the networks of [JD] Tables 2 to 5: SGD against the engine with UPGrad.

    OMP_NUM_THREADS=2 python benchmarks/step.py --batch 32 --threads 2
    python benchmarks/step.py --threads 1 --clock process    # on a machine that others use too

Steps alternate, so that a disturbance meets them all; medians and minima are printed, with ratios to SGD.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from jdbench.aggregators import UPGrad
from jdbench.gramian import Engine


def network(
    first: list[nn.Module], channels: tuple[int, int, int], groups: tuple[int, int], features: int
) -> nn.Module:
    """Return a network of Tables 2 to 5 behind its first layers."""
    a, b, c = channels
    hidden = 64 if features == 512 else 128
    return nn.Sequential(
        *first, nn.Conv2d(a, b, 3, groups=groups[0]), nn.MaxPool2d(2), nn.ELU(),
        nn.Conv2d(b, c, 3, groups=groups[1]), nn.MaxPool2d(3), nn.ELU(), nn.Flatten(),
        nn.Linear(features, hidden), nn.ELU(), nn.Linear(hidden, 10),
    )  # fmt: skip


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, int, int]]] = {
    "SVHN": (lambda: network([nn.Conv2d(3, 16, 3), nn.ELU()], (16, 32, 32), (16, 32), 512), (3, 32, 32)),
    "CIFAR-10": (lambda: network([nn.Conv2d(3, 32, 3), nn.ELU()], (32, 64, 64), (32, 64), 1024), (3, 32, 32)),
    "EuroSAT": (
        lambda: network([nn.Conv2d(3, 32, 3), nn.MaxPool2d(2), nn.ELU()], (32, 64, 64), (32, 64), 1024),
        (3, 64, 64),
    ),
    "MNIST": (lambda: network([nn.Conv2d(1, 32, 3), nn.ELU()], (32, 64, 64), (1, 1), 576), (1, 28, 28)),
}


class Mean:
    """Weights that cost nothing: the price of the engine alone."""

    def weights(self, G: Tensor, *, generator: torch.Generator | None = None) -> Tensor:
        """Return 1/m for each row."""
        return torch.full((len(G),), 1 / len(G), dtype=torch.float64)


def steps(name: str, batch: int) -> dict[str, Callable[[], None]]:
    """Return one step of each method, each with its own copy of the network."""
    build, shape = NETWORKS[name]
    x, y = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    plain = build()
    sgd = torch.optim.SGD(plain.parameters(), 1e-4)

    def by_sgd() -> None:
        sgd.zero_grad()
        cross_entropy(plain(x), y).backward()
        sgd.step()

    def by(aggregator: Mean | UPGrad) -> Callable[[], None]:
        model = build()
        optimizer, engine = torch.optim.SGD(model.parameters(), 1e-4), Engine(model)

        def step() -> None:
            optimizer.zero_grad()
            engine.backward(cross_entropy(model(x), y, reduction="none"), aggregator)
            optimizer.step()

        return step

    return {"SGD": by_sgd, "engine": by(Mean()), "engine, UPGrad": by(UPGrad())}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--clock", choices=["wall", "process"], default="wall")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    clock = time.perf_counter if given.clock == "wall" else time.process_time
    for name in NETWORKS:
        torch.manual_seed(0)
        methods = steps(name, given.batch)
        taken: dict[str, list[float]] = {method: [] for method in methods}
        for k in range(given.steps + 3):
            for method, step in methods.items():
                start = clock()
                step()
                if k >= 3:
                    taken[method].append(1e3 * (clock() - start))
        median = {method: sorted(t)[len(t) // 2] for method, t in taken.items()}
        for method, t in taken.items():
            print(
                f"{name:9} {method:15} median {median[method]:7.2f} ms x{median[method] / median['SGD']:.2f}"
                f"   least {min(t):7.2f} ms x{min(t) / min(taken['SGD']):.2f}"
            )


if __name__ == "__main__":
    main()
