"""Families of matrices of m rows by seed, among them those on which a solver breaks."""

from collections.abc import Callable

import torch
from torch import Tensor

from support.tensors import draw, integers

SIZES = [1, 2, 3, 5, 8, 20, 64]


def opposed(m: int, seed: int) -> Tensor:
    J = draw(m, m, seed=seed)
    J[m - m // 2 :] = -J[: m // 2]
    return J


def stationary(m: int, n: int, seed: int) -> Tensor:
    J = integers(m, n, seed=seed)
    J[-1] = -J[:-1].sum(0)
    return J


FAMILIES: dict[str, Callable[[int, int], Tensor]] = {
    "gaussian": lambda m, seed: draw(m, 2 * m, seed=seed),
    "square": lambda m, seed: draw(m, m, seed=seed),
    "fewer parameters than rows": lambda m, seed: draw(m, -(-m // 2), seed=seed),
    "rank one": lambda m, seed: draw(m, 1, seed=seed) @ draw(1, m, seed=seed + 1),
    "duplicates": lambda m, seed: draw(-(-m // 2), m, seed=seed).repeat(2, 1)[:m],
    "nearly parallel": lambda m, seed: draw(1, m, seed=seed) + draw(m, m, seed=seed + 1) / 1024,
    "opposed": opposed,
    "zero rows": lambda m, seed: draw(m, m, seed=seed) * (torch.arange(m) % 2).unsqueeze(-1),
    "zero matrix": lambda m, seed: torch.zeros(m, m + seed % 2, dtype=torch.float64),
    "norms over 13 decades": lambda m, seed: (
        draw(m, m, seed=seed) * torch.logspace(-6.5, 6.5, m, dtype=torch.float64).unsqueeze(-1)
    ),
    "integers": lambda m, seed: integers(m, m, seed=seed),
    "dependent integers": lambda m, seed: integers(m, -(-m // 2), seed=seed),
    "stationary": lambda m, seed: stationary(m, 2 * m, seed),
    "stationary, dependent": lambda m, seed: stationary(m, -(-m // 2), seed),
    "entries of 1e150": lambda m, seed: draw(m, m, seed=seed).clamp(-1, 1) * 1e150,
    "entries of 1e-150": lambda m, seed: draw(m, m, seed=seed) * 1e-150,
}
