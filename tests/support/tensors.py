"""Small tensors of float64: given by hand, drawn, or of integers whose sums and products are exact."""

import torch
from torch import Tensor


def matrix(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def tensor(*rows: list[float]) -> Tensor:
    return matrix(list(rows))


def eye(m: int) -> Tensor:
    return torch.eye(m, dtype=torch.float64)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=seeded(seed))


def integers(*shape: int, largest: int = 4, seed: int = 0) -> Tensor:
    return torch.randint(-largest, largest + 1, shape, generator=seeded(seed)).double()
