"""Time and residual of UPGrad's weights: ours, TorchJD's and those of qpsolvers' backends, in one run.

    OMP_NUM_THREADS=1 python -m benchmarks.weights [--sizes 8,32,64,128] [--families gaussian,captured]

A row is a family of Jacobians and a size m. Times are medians of the process's CPU time per Gramian, taken in
turns; a backend of qpsolvers is called program by program on the unit-row Gramian, which is given to it. The
residual is the largest of the three of Lemma 4, in unit rows. A backend whose residual exceeds `USABLE` counts
as slow, whatever its time.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import qpsolvers
import torch
from torch import Tensor
from torchjd.aggregation import UPGradWeighting
from torchjd.linalg import PSDMatrix

from jdbench.aggregators import UPGrad
from jdbench.dual_cone import Solution, solve
from jdbench.gramian import gramian, unit_rows
from jdbench.verification.captured import snapshots, training

BACKENDS = ("daqp", "proxqp", "quadprog")
USABLE = 1e-4


def draw(*shape: int, seed: int) -> Tensor:
    """Return standard normal numbers."""
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def captured(m: int, seed: int) -> Tensor:
    """Return the last m ≤ 32 rows of a factor captured in training: the networks take turns, then the steps."""
    networks = list(dict.fromkeys(one.network for one in snapshots()))
    taken = training(networks[seed % len(networks)])
    return taken[seed // len(networks) % len(taken)].factor[-m:]


FAMILIES: dict[str, Callable[[int, int], Tensor]] = {
    "gaussian n=4m": lambda m, seed: draw(m, 4 * m, seed=seed),
    "gaussian n=m": lambda m, seed: draw(m, m, seed=seed),
    "deficient n=m/2": lambda m, seed: draw(m, m // 2, seed=seed),
    "13 decades n=4m": lambda m, seed: (
        draw(m, 4 * m, seed=seed) * torch.logspace(-6.5, 6.5, m, dtype=torch.float64).unsqueeze(-1)
    ),
    "captured": captured,
}


def by_backend(cosines: np.ndarray, backend: str) -> np.ndarray:
    """Return the rows argmin yᵀĜy over y ≥ eᵢ by a backend with its default settings."""
    m = len(cosines)
    rows = np.full((m, m), np.nan)
    zeros = np.zeros(m)
    for i in range(m):
        try:
            problem = qpsolvers.Problem(cosines, cosines[i], lb=zeros)
            x = qpsolvers.solve_problem(problem, backend).x
        except (qpsolvers.exceptions.QPError, ValueError):
            return rows
        if x is None:
            return rows
        rows[i] = x
        rows[i, i] += 1.0
    return rows


def residual(G: Tensor, W: Tensor) -> float:
    """Return the largest residual of W as the solution of UPGrad's programs."""
    m = G.shape[-1]
    U = torch.eye(m, dtype=torch.float64) / m
    return float(Solution(G, U, W, 0, "").residual().max())


def seconds(calls: Mapping[str, Callable[[], object]], budget: float) -> dict[str, float]:
    """Return the median CPU time of each call, the calls taken in turns within a budget each."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(101):
        for name, call in calls.items():
            if len(times[name]) > 1 and sum(times[name]) > budget:
                continue
            # Blocks of 2 ms: alone after another solver a call pays for that one's caches.
            repeats = 1 if not times[name] else max(1, int(2e-3 / times[name][-1]))
            begin = time.process_time()
            for _ in range(repeats):
                call()
            times[name].append((time.process_time() - begin) / repeats)
    return {name: statistics.median(t) for name, t in times.items()}


def measure(family: str, m: int, seed: int, budget: float) -> dict[str, tuple[float, float]]:
    """Return time and residual by solver."""
    J = FAMILIES[family](m, seed)
    G = gramian(J)
    _, cosines = unit_rows(G)
    norms = G.diagonal().sqrt()
    C = np.ascontiguousarray(cosines.numpy())
    U = torch.eye(m, dtype=torch.float64) / m
    ours, theirs = UPGrad(), UPGradWeighting()
    ours.weights(G)
    calls: dict[str, Callable[[], object]] = {"jdbench": lambda: ours.weights(G), "torchjd": lambda: theirs(G)}
    for backend in BACKENDS:
        calls[backend] = lambda backend=backend: by_backend(C, backend)
    times = seconds(calls, budget)
    # No tensor is of TorchJD's class of Gramians: it stands for them in annotations.
    projected = theirs.projector(U, cast("PSDMatrix", G))
    residuals = {"jdbench": residual(G, solve(G, U).weights), "torchjd": residual(G, projected)}
    for backend in BACKENDS:
        Y = torch.from_numpy(by_backend(C, backend))
        residuals[backend] = residual(G, Y * norms.unsqueeze(-1) / norms / m)
    return {name: (times[name], residuals[name]) for name in calls}


def batches(budget: float) -> None:
    """Print what 256 Gramians of size 8 take."""
    G = gramian(draw(256, 8, 32, seed=0))
    ours, theirs = UPGrad(), UPGradWeighting()
    ours.weights(G)
    calls = {"jdbench": lambda: ours.weights(G), "torchjd": lambda: [theirs(g) for g in G]}
    times = seconds(calls, budget)
    print(
        f"batch of 256, m=8: {times['jdbench'] * 1e3:.3f} ms, TorchJD {times['torchjd'] * 1e3:.1f} ms, "
        f"ratio {times['torchjd'] / times['jdbench']:.0f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", default="8,32,64,128")
    parser.add_argument("--families", default="gaussian,13,deficient,captured")
    parser.add_argument("--budget", type=float, default=1.0, help="seconds for each solver and row")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    print(
        f"{'family':16} {'m':>4} "
        + " ".join(f"{n + ' ms':>12} {'residual':>8}" for n in ("jdbench", "torchjd", *BACKENDS))
        + f" {'/torchjd':>9} {'/fastest':>9}"
    )
    for family in FAMILIES:
        if not family.startswith(tuple(arguments.families.split(","))):
            continue
        for m in [int(s) for s in arguments.sizes.split(",")]:
            if family == "captured" and m > len(snapshots()[0].factor):
                continue
            for seed in range(arguments.seeds):
                row = measure(family, m, seed, arguments.budget)
                mine = row["jdbench"][0]
                usable = [t for name, (t, r) in row.items() if name in BACKENDS and r <= USABLE]
                print(
                    f"{family:16} {m:4} "
                    + " ".join(f"{t * 1e3:12.3f} {r:8.0e}" for t, r in row.values())
                    + f" {row['torchjd'][0] / mine:9.1f} {min(usable, default=np.nan) / mine:9.1f}",
                    flush=True,
                )
    batches(arguments.budget)


if __name__ == "__main__":
    main()
