"""A network of [JD]'s kind that is small enough to differentiate loss by loss, with a batch and its losses."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from support.engine_agreement import DOUBLE


def network(*, dtype: torch.dtype = DOUBLE) -> nn.Sequential:
    """Table 5 of [JD] in small."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ELU(), nn.Conv2d(4, 8, 3, groups=2), nn.MaxPool2d(2), nn.ELU(inplace=True),
        nn.Flatten(), nn.Linear(32, 8), nn.ELU(), nn.Linear(8, 3),
    ).to(dtype)  # fmt: skip


def batch(m: int = 5, *, dtype: torch.dtype = DOUBLE) -> Tensor:
    return torch.randn(m, 1, 8, 8, dtype=dtype, generator=torch.Generator().manual_seed(1))


def losses_of(model: nn.Module, x: Tensor) -> Tensor:
    return functional.cross_entropy(model(x), torch.arange(len(x)) % 3, reduction="none")
