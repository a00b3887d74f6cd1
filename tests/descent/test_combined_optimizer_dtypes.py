"""Parameters of different shapes, dtypes and fields in one CombinedOptimizer."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from jdbench.problem import seeded
from jdbench.rounding import gamma
from support.combined_training import SAME, TORCHS, ours, torchs

methods = pytest.mark.parametrize("name", TORCHS)


@methods
def test_shapes_of_every_kind(name: str) -> None:
    """A number, nothing, what is not contiguous, and nothing at all to move."""
    made = [torch.tensor(2.0), torch.zeros(0, 3), torch.ones(4, 3).t(), torch.ones(1, 2, 3, 3)]

    def moved(make: Any) -> list[Tensor]:
        params = [nn.Parameter(t.double().clone()) for t in made]
        optimizer = make(name, params)
        assert optimizer.step() is None
        for step in range(10):
            for p in params:
                p.grad = torch.randn(p.shape, dtype=torch.float64, generator=seeded(step)) + 0.5 * p.detach()
            optimizer.step()
        return params

    for p, q in zip(moved(ours), moved(torchs), strict=True):
        torch.testing.assert_close(p, q, rtol=SAME, atol=SAME)


DTYPES = [torch.float32, torch.float64, torch.bfloat16]


def moved_together(name: str, dtypes: list[torch.dtype], gradients: Tensor, **keywords: Any) -> list[Tensor]:
    """Where gradients, shape ``[steps, 3, n]``, lead three parameters."""
    params = [nn.Parameter(torch.ones(gradients.shape[-1], dtype=dtype)) for dtype in dtypes]
    optimizer = ours(name, params, **keywords)
    for rows in gradients:
        for p, row in zip(params, rows, strict=True):
            p.grad = row.to(p.dtype)
        optimizer.step()
    assert [p.dtype for p in params] == dtypes
    return [p.detach().double() for p in params]


@methods
def test_parameters_of_different_dtypes_keep_theirs(name: str) -> None:
    g = (1 + torch.rand(6, 3, 4, generator=seeded(3))).bfloat16()
    mixed, exact = (moved_together(name, dtypes, g) for dtypes in (DTYPES, [torch.float64] * 3))
    for own, expected, dtype in zip(mixed, exact, DTYPES, strict=True):
        # Points below 2, steps of less than 1 in all, each with a rounding of the point and two buffers.
        assert bool(((own - expected).abs() <= gamma(3 * len(g), dtype) * 2 + gamma(8000)).all())
        assert bool((expected < 0.95).all())


def test_parameters_of_different_dtypes_are_rows_together() -> None:
    """Two steps of heavy ball, the second combines: values that bfloat16 holds, rounded once at the end."""
    g = torch.tensor([[[1.0, 2.0], [4.0, -1.0], [2.0, 0.5]], [[-2.0, 1.0], [-1.0, 0.5], [1.0, -4.0]]])
    keywords = {"aggregator": "UPGrad", "momentum": 0.5, "lr": 1.0}
    mixed, exact = (
        moved_together("HeavyBall", dtypes, g, **keywords) for dtypes in (DTYPES, [torch.float64] * 3)
    )
    for own, expected, dtype in zip(mixed, exact, DTYPES, strict=True):
        assert bool(((own - expected).abs() <= gamma(2, dtype) * 16 + gamma(100)).all())
    summed = moved_together("HeavyBall", [torch.float64] * 3, g, **{**keywords, "aggregator": "Mean"})
    assert all(bool(((p - q).abs() > 0.1).any()) for p, q in zip(exact, summed, strict=True))


@methods
def test_complex_parameters_are_pairs(name: str) -> None:
    start = torch.randn(5, dtype=torch.complex128, generator=seeded(1))

    def moved(make: Any) -> Tensor:
        p = nn.Parameter(start.clone())
        optimizer = make(name, [p], weight_decay=0.1)
        for step in range(50):
            p.grad = torch.randn(5, dtype=torch.complex128, generator=seeded(step))
            optimizer.step()
        return p.detach()

    assert float((moved(ours) - moved(torchs)).abs().max()) <= SAME * float(start.abs().max())
