"""Small trainings with a CombinedOptimizer, and the optimisers of torch that it is with the mean."""

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from jdbench.momentum import METHODS, CombinedOptimizer
from jdbench.problem import seeded

TORCHS: dict[str, Any] = {
    "HeavyBall": partial(torch.optim.SGD, momentum=0.9),
    "Nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    "Adam": torch.optim.Adam,
    "AdamW": torch.optim.AdamW,
    "NAdam": torch.optim.NAdam,
}
"""By the name of ours, with its defaults."""

SAME = 1e-12
"""The promise in float64: ours with the mean and torch's, apart by this part of the largest entry at most."""


def ours(name: str, params: Any, aggregator: Any = "Mean", **keywords: Any) -> CombinedOptimizer:
    return CombinedOptimizer(params, METHODS[name], aggregator=aggregator, **{"lr": 0.02, **keywords})


def torchs(name: str, params: Any, **keywords: Any) -> torch.optim.Optimizer:
    return TORCHS[name](params, **{"lr": 0.02, **keywords})


def network(dtype: torch.dtype = torch.float64) -> nn.Sequential:
    """Two layers, the same at every call."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2)).to(dtype)


def loss(model: nn.Module, step: int) -> Tensor:
    """The loss on inputs of a step."""
    x = torch.randn(8, 6, dtype=torch.float64, generator=seeded(100 + step))
    return (model(x) - x[:, :2].abs()).square().mean()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: Iterable[int]) -> None:
    for step in steps:
        optimizer.zero_grad()
        loss(model, step).backward()
        optimizer.step()


def gap(model: nn.Module, other: nn.Module) -> float:
    """The largest difference of two models' parameters, as a part of the largest entry of each parameter."""
    return max(
        float(((p - q).abs().max() / q.abs().max()).detach())
        for p, q in zip(model.parameters(), other.parameters(), strict=True)
    )


def same(model: nn.Module, other: nn.Module) -> bool:
    """Whether two models have the same parameters, bit for bit."""
    return all(torch.equal(p, q) for p, q in zip(model.parameters(), other.parameters(), strict=True))
